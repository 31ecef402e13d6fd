"""Stored responses: header fields, and the parts of the body that are here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from attrs import evolve, frozen

from trickster.bodies import Pieces
from trickster.http.dates import format_date
from trickster.http.fields import OF_ONE_MESSAGE
from trickster.http.freshness import FreshnessRules, Policy, initial_age, policy_of
from trickster.http.grammar import tokens
from trickster.http.partial_content import Part, PartialContent
from trickster.interfaces import IBody
from trickster.keys.selecting import Selecting
from trickster.messages import Headers, Octets
from trickster.purging.label import NO_LABEL, Label

# Up to here a body is one buffer, which leaves in one piece.
_JOINED = 256 * 1024

# About what the objects of one entry take beside its octets.
_OVERHEAD = 1024


@frozen(eq=False)
class StoredResponse:
    """
    A stored response to a GET.

    :ivar headers: as they are sent with each reuse, but for C{Age}.
    :ivar parts: what is here of the body, in order, apart from each other.
    :ivar length: octets of the whole representation, or None where that is not known.
    :ivar policy: what may be done with it.
    :ivar initial_age: seconds, when it arrived (RFC 9111 section 4.2.3).
    :ivar received: when it arrived or was last validated, in seconds of the clock that ages
        are counted by; of those of other processes see L{trickster.net.steady_clock}.
    :ivar selecting: the request fields that must be equal for it to match.
    :ivar label: what purges know it by.
    :ivar mark: the number of the newest purge that it has survived.
    :ivar token: of the lease under which it was fetched, or of one before that; 0 for none
        (L{trickster.collapsing.leases}).
    """

    status: int
    headers: Headers
    parts: tuple[Part, ...]
    length: int | None
    policy: Policy
    initial_age: float
    received: float
    selecting: Selecting = ()
    phrase: bytes = b""
    label: Label = NO_LABEL
    mark: int = 0
    token: int = 0

    @property
    def is_whole(self) -> bool:
        """:return: whether every octet of the body is here; not where its length is unknown."""
        return self.held == self.length

    @property
    def held(self) -> int:
        """:return: octets of the body that are here, in all parts."""
        return sum(part.length for part in self.parts)

    @property
    def nbytes(self) -> int:
        """:return: about how many octets of memory it takes: what it counts for in a store."""
        fields = sum(len(name) + len(value) + 130 for name, value in self.headers)
        return self.held + fields + self.label.nbytes + _OVERHEAD

    def staled(self, now: float) -> StoredResponse:
        """:return: the same, as one that has become stale just now."""
        return evolve(self, received=now - self.policy.lifetime, initial_age=0.0)

    def age(self, now: float) -> float:
        """:return: its current age in seconds (RFC 9111 section 4.2.3)."""
        resident = max(0.0, now - self.received)
        return resident if self.policy.forced else self.initial_age + resident

    @property
    def content(self) -> PartialContent:
        """:return: the parts, for the 206 that has some of them (RFC 9110 section 15.3.7)."""
        return PartialContent(self.parts, self.length, self.headers.get(b"content-type"))

    def body(self) -> IBody:
        """:return: a new body of everything that is here; for a whole response."""
        parts = self.parts
        if len(parts) == 1 and len(parts[0].buffers) == 1:
            return Octets(parts[0].buffers[0])
        buffers = list(chain.from_iterable(part.buffers for part in parts))
        return Pieces.of(buffers) if buffers else Octets()


def whole_part(buffers: Sequence[bytes]) -> tuple[Part, ...]:
    """
    :return: the parts of a body that is here from its first octet on; a small one is joined,
        once for all the times that it will be sent.
    """
    if len(buffers) > 1 and sum(map(len, buffers)) <= _JOINED:
        buffers = (b"".join(buffers),)
    return (Part(0, tuple(buffers)),) if buffers else ()


def stored_headers(headers: Headers, received: float) -> Headers:
    """
    :param received: seconds since the epoch; it becomes the C{Date} of a response that has
        none (RFC 9110 section 6.6.1).
    :return: the fields that may be stored.
    """
    kept = headers.without(*OF_ONE_MESSAGE, *tokens(headers, b"connection"))
    return kept if b"date" in kept else kept.with_added((b"Date", format_date(received)))


@frozen
class Arrival:
    """
    When a response arrived.

    :ivar at: in seconds of the clock that ages are counted by.
    :ivar date: in seconds since the epoch, to be compared with dates.
    :ivar delay: seconds since the request went out.
    """

    at: float
    date: float
    delay: float = 0.0


def aged(stored: StoredResponse, headers: Headers, arrival: Arrival) -> StoredResponse:
    """
    :param headers: the response's own, with C{Age} and C{Date} if it had them.
    :return: the stored response as one that arrived with these fields at this time.
    """
    kept = stored_headers(headers, arrival.date)
    return evolve(stored, headers=kept.without(b"age"), received=arrival.at,
                  initial_age=initial_age(kept, arrival.date, arrival.delay))


def revised(stored: StoredResponse, rules: FreshnessRules, received: float) -> StoredResponse:
    """
    :param received: as in L{policy_of}.
    :return: the same response with its policy made anew, after its fields have changed.
    """
    policy = policy_of(stored.status, stored.headers, received, rules)
    return evolve(stored, policy=policy)
