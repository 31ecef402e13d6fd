"""What an exchange with the origin is for, and what is said of its outcome."""

from __future__ import annotations

from attrs import frozen

from trickster.errors import Reason
from trickster.http.byte_ranges import Span
from trickster.messages import Engine, Outcome, Request, Response, Status
from trickster.objects.requests import Lookup
from trickster.objects.stored_response import StoredResponse


@frozen
class Fetch:
    """
    What an exchange is for.

    :ivar slot: under which others find it.
    :ivar sent: the request for the origin.
    :ivar stored: what is known of the answer from before.
    :ivar reason: why what is stored does not do.
    :ivar missing: what is wanted and not among the stored parts, where just that is asked for.
    """

    lookup: Lookup
    slot: str
    sent: Request
    stored: StoredResponse | None = None
    reason: Reason = Reason.KEY_MISS
    missing: tuple[Span, ...] = ()


def outcome_of(status: Status, reason: Reason, response: Response) -> Outcome:
    """
    :param response: the origin's.
    :return: how an answer came about for which the origin was asked.
    """
    return Outcome(Engine.OBJECT, status, reason, origin_status=response.status)


def is_first_hand(response: Response) -> bool:
    """:return: whether an origin made it just now (RFC 9111 section 5.1)."""
    return b"age" not in response.headers
