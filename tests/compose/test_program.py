"""Tests of C{trickster.compose}: a configuration becomes a program."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.configurations import loaded
from trickster.compose import build
from trickster.compose.generation import Generations
from trickster.compose.inherited import Inherited
from trickster.compose.running import Origins
from trickster.compose.stores import Stores
from trickster.errors import ConfigurationError
from trickster.frontend.listening.listener import Listener
from trickster.frontend.listening.local import LocalListener
from trickster.observability.counters import ConnectionCounters
from trickster.observability.logging.logs import Logs
from trickster.peers.homes import Neighbours

GOOD = b"""
backends:
  prom: {provider: prometheus, origin_url: 'http://127.0.0.1:9090', is_default: true}
  web:
    provider: rpc
    origin_url: 'http://127.0.0.1:80/prefix'
    paths: {big: {path: /big, handler: proxy, collapsed_forwarding: progressive}}
  raw: {provider: proxy, origin_url: 'http://127.0.0.1:81', proxy_only: true}
tracing: {t: {provider: stdout}}
"""


class BuildTests(SynchronousTestCase):
    """A program that is built has opened nothing."""

    def built(self, text: bytes = GOOD) -> Any:
        self.reactor = MemoryReactorClock()
        return build(loaded(text), self.reactor)

    def test_opens_nothing(self) -> None:
        """Building a program listens to no port, opens no connection, and schedules no call."""
        program = self.built()
        self.assertTrue(IService.providedBy(program))
        self.assertEqual((self.reactor.tcpServers, self.reactor.tcpClients,
                          self.reactor.getDelayedCalls()), ([], [], []))

    def test_listeners(self) -> None:
        """
        Each listener that is open is made once; there is too much to do for those of backends
        only, so that health and metrics can be asked then.
        """
        program = self.built(GOOD + b"main: {overload_target: 100ms}\n"
                             b"listeners: {mgmt: {port: 0}}\n")
        made = [one for one in program if isinstance(one, Listener)]
        self.assertEqual(sorted((one.name, one.site.overload is not None) for one in made),
                         [("default", True), ("metrics", False)])
        connections = [one.site.events for one in made if one.name == "default"]
        self.assertIsInstance(connections[0], ConnectionCounters)

    def test_order(self) -> None:
        """The log starts before all else, stores before generations, and listeners last."""
        kinds = [type(one) for one in self.built()]
        places = [kinds.index(kind) for kind in (Logs, Stores, Generations, Listener)]
        self.assertEqual(places[0], 0)
        self.assertEqual(places, sorted(places))
        self.assertEqual(set(kinds[places[-1]:]), {Listener})

    def test_worker(self) -> None:
        """
        A worker listens on the sockets that it has from its supervisor, and for the endpoints of
        the process, and for other workers, at paths; it has the supervisor told that it serves.
        """
        self.reactor, told = MemoryReactorClock(), []
        inherited = Inherited({"default": 4}, {"metrics": "/run/metrics", "mgmt": "/run/mgmt"},
                              "/run/peers", Neighbours(1, 2, str), lambda: told.append("serves"))
        program: Any = build(loaded(GOOD), self.reactor, inherited=inherited)
        [front] = [one for one in program if isinstance(one, Listener)]
        self.assertEqual((front.name, front._is_shared), ("default", True))
        local = [one for one in program if isinstance(one, LocalListener)]
        self.assertEqual([(one.name, one._path) for one in local],
                         [("metrics", "/run/metrics"), ("mgmt", "/run/mgmt"),
                          (None, "/run/peers")])
        self.assertEqual((told, self.reactor.unixServers, self.reactor.getDelayedCalls()),
                         ([], [], []))
        # Connections to other workers are closed once nothing is asked any more.
        kinds = [type(one) for one in program]
        self.assertLess(kinds.index(Origins), kinds.index(Generations))

    def test_alone(self) -> None:
        """A process by itself shares no socket, and has none at a path."""
        program = self.built()
        self.assertEqual([one for one in program if isinstance(one, LocalListener)], [])
        self.assertEqual({one._is_shared for one in program if isinstance(one, Listener)}, {False})

    def test_missing_certificate(self) -> None:
        """A file that the configuration names, and that does not exist, is one of its problems."""
        bad = GOOD.replace(b"'http://127.0.0.1:9090'", b"'https://127.0.0.1:9090', tls: "
                           b"{certificate_authority_paths: [/nowhere.pem]}")
        with self.assertRaises(ConfigurationError) as caught:
            self.built(bad)
        self.assertIn("/nowhere.pem", str(caught.exception))
