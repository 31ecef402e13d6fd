"""A request as it goes to an origin."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import field, frozen

from trickster.http.h1.leniency import Leniency
from trickster.interfaces import IBody
from trickster.messages import Request
from trickster.net.callbacks import ignore


@frozen(slots=True)
class OutgoingRequest:
    """
    One request, ready to be sent.

    :ivar request: that it was made of.
    :ivar head: up to and with the empty line, and the body after it where that is small
        and here.
    :ivar body: what is to be streamed after the head, or None.
    :ivar upgrade: the protocols that C{head} offers, in lower case.
    :ivar latest: the time of the clock by which all must be over, or None.
    :ivar is_asking: whether C{head} asks the origin to say if it wants C{body}.
    :ivar on_lenient: told once of each response that was not quite HTTP/1.1.
    """

    request: Request
    head: bytes
    body: IBody | None = None
    upgrade: tuple[bytes, ...] = ()
    latest: float | None = None
    is_asking: bool = False
    on_lenient: Callable[[Iterable[Leniency]], None] = field(
        default=ignore, eq=False, repr=False)
