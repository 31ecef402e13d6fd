"""What the backends of a configuration share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import Factory, field, frozen
from twisted.internet.interfaces import IReactorTime

from trickster.collapsing.spool import ISpool
from trickster.compose.memos import Memos
from trickster.config.options.backends import BackendOptions
from trickster.http.origin_url import OriginURL
from trickster.interfaces import IResponder
from trickster.observability.accesslog import EntryLog
from trickster.observability.metrics import Metrics
from trickster.peers.homes import Homes


def _none_around(inner: IResponder, names: Sequence[str]) -> IResponder:
    assert not names, names
    return inner


@frozen
class Surroundings:
    """
    What backends share.

    :ivar clock: for delays and ages.
    :ivar connector: makes, for an origin and its backend's options, what connects to it.
    :ivar offload: calls a function with arguments in a thread.
    :ivar access_log: None for no access log.
    :ivar spool: makes a place on disk for what slow readers have not read yet.
    :ivar memos: what all backends remember.
    :ivar wall: seconds since the epoch, for dates; the clock's where not given.
    :ivar middlewares: puts those of the configuration around a responder, by name.
    :ivar homes: of keys, where several workers have the same backends; None where this process is
        by itself.
    """

    clock: IReactorTime
    metrics: Metrics
    access_log: EntryLog | None
    connector: Callable[[OriginURL, BackendOptions], Any]
    offload: Callable[..., Awaitable[Any]]
    server_name: str
    spool: Callable[[], ISpool]
    memos: Memos = field(factory=Memos)
    wall: Callable[[], float] = Factory(lambda self: self.clock.seconds, takes_self=True)
    middlewares: Callable[[IResponder, Sequence[str]], IResponder] = _none_around
    homes: Homes | None = None
