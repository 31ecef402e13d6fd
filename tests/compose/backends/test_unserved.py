"""Tests of what stands in the place of backends that are not served."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.backends.backend import unserved
from trickster.config.options.backends import BackendOptions
from trickster.messages import Request, Response
from trickster.observability.access import Observed
from trickster.observability.metrics import Metrics
from trickster.routing.router import Router


class UnservedTests(SynchronousTestCase):
    """Pools and rules are read and checked only, and not served."""

    def asked(self, target: bytes, host: bytes, options: BackendOptions) -> Response:
        """:return: what a router of this backend alone says."""
        router = Router.of([unserved("pool", options)])
        observed = Observed(router, Metrics(CollectorRegistry(), "0"), None, Clock(), router)
        request = Request(b"GET", target, authority=host)
        return self.successResultOf(Deferred.fromCoroutine(observed.respond(request)))

    def test_refused(self) -> None:
        """A request for an unserved backend is refused, and not answered by another one."""
        pool = BackendOptions(provider="alb", hosts=("x.org",))
        for target, host in ((b"/pool/a", b"h"), (b"/a/b", b"x.org")):
            self.assertEqual(self.asked(target, host, pool).status, 501)
        default = BackendOptions(provider="rule", is_default=True)
        self.assertEqual(self.asked(b"/", b"h", default).status, 501)

    def test_elsewhere(self) -> None:
        """A request for another backend is answered as if the unserved one were not there."""
        self.assertEqual(self.asked(b"/a", b"h", BackendOptions(provider="alb")).status, 404)
