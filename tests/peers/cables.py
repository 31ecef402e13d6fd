"""Workers in memory, and the connections between them, of which every octet is passed by hand."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock

from tests.frontend.connection import Connection
from tests.objects.objectworld import START, Client, Origin
from tests.upstream.scripted import ScriptedOrigin, Wire
from trickster.frontend.limits import ListenerLimits
from trickster.frontend.site import ProxySite
from trickster.frontend.tree import ResponderResource
from trickster.http.origin_url import OriginURL
from trickster.interfaces import IResponder
from trickster.messages import Request
from trickster.peers.homes import Homes, Neighbours
from trickster.peers.neighbour import OPTIONS, Connected
from trickster.peers.serving import HomeResponder
from trickster.upstream.client import UpstreamClient

LIMITS = ListenerLimits(body=-1, header_timeout=0.0, idle_timeout=0.0, body_timeout=0.0,
                        write_timeout=0.0)


@define(eq=False)
class Cable:
    """One connection: its wire at the worker that asks, and what the other has of it."""

    wire: Wire
    served: Connection
    is_hanging: bool = False
    _is_over: bool = field(default=False, init=False)

    def pass_on(self) -> bool:
        """:return: whether there was anything to be passed."""
        if self.is_hanging:
            return False
        out = self.wire.asked()
        if out:
            self.served.send(out)
        # The asking end takes no more where its reader is slow.
        back = self.served.received() if self.wire.is_read else b""
        if back:
            self.wire.sends(back)
        is_moved = bool(out or back)
        if not self._is_over and not self.wire.is_open:
            self._is_over, is_moved = True, True
            self.served.leave()
        elif not self._is_over and self.served.ending in ("closed", "aborted") and not back:
            self._is_over, is_moved = True, True
            self.wire.closes()
        return is_moved


class Worker:
    """
    A process that answers others.

    :ivar homes: its homes, between which and those of others there are cables.
    :ivar served: what it answers others with.
    """

    def __init__(self, net: Net, number: int) -> None:
        self.homes = Homes(net.clock, Neighbours(number, net.total, str), net.connect)
        self.served: Any = HomeResponder(self.homes)
        self.cables: list[Cable] = []
        self.is_hanging = False


class Net:
    """
    Some workers.

    :ivar workers: by number.
    :ivar is_there: whether connections can be made.
    """

    def __init__(self, total: int = 2) -> None:
        self.clock = Clock()
        self.clock.advance(START)
        self.total = total
        self.is_there = True
        self.workers = {number: Worker(self, number) for number in range(1, total + 1)}

    def connect(self, clock: Any, path: str) -> Connected:
        """:return: a client of a worker."""
        return UpstreamClient(OriginURL("http", "home", 80), OPTIONS, lambda: _Endpoint(self, path),
                              clock)

    def pass_on(self) -> None:
        """Pass all that is on its way, until nothing is."""
        while any(cable.pass_on() for worker in self.workers.values()
                  for cable in worker.cables):
            pass

    def ask(self, responder: Any, request: Request, *, reads: bool = True) -> Client:
        """:return: a client that has asked."""
        client = Client(reads)
        client.asking = Deferred.fromCoroutine(client.ask(responder, request))
        self.pass_on()
        return client

    def advance(self, seconds: float) -> None:
        """Let time pass, in small steps."""
        for _ in range(round(seconds * 2)):
            self.clock.advance(0.5)
            self.pass_on()

    def hang(self, number: int, is_hanging: bool = True) -> None:
        """Have a worker do nothing, or go on."""
        worker = self.workers[number]
        worker.is_hanging = is_hanging
        for cable in worker.cables:
            cable.is_hanging = is_hanging
        self.pass_on()

    def kill(self, number: int) -> None:
        """Have a worker be gone."""
        worker = self.workers[number]
        self.is_there = False
        for cable in worker.cables:
            cable.wire.resets()
        self.pass_on()


class _Endpoint(ScriptedOrigin):
    """Makes cables to a worker."""

    def __init__(self, net: Net, path: str) -> None:
        super().__init__()
        self._net, self._worker = net, net.workers[int(path)]
        if not net.is_there:
            self.refusal = ConnectError()

    def _connected(self, factory: Any) -> Any:
        protocol = super()._connected(factory)
        site = ProxySite(ResponderResource(self._worker.served), self._net.clock, LIMITS)
        served = Connection(self._worker.served, clock=self._net.clock, site=site)
        self._worker.cables.append(Cable(self.wire, served, self._worker.is_hanging))
        return protocol


def origin_of(worker: Worker, cache: str = "web 1") -> Origin:
    """:return: what answers for a cache of a worker, without a cache."""
    origin = Origin()
    worker.homes.join(cache, origin.respond)
    assert IResponder.providedBy(origin)
    return origin
