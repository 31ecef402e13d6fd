"""Answers that the delta cache gave a moment ago, for requests that are the same octet for octet."""

from __future__ import annotations

from collections import OrderedDict
from weakref import ReferenceType, ref

from attrs import define, field, frozen

from trickster.caching.deltaplan import Plan
from trickster.caching.entries import Entry
from trickster.messages import Headers, Octets, Outcome, Request, Response
from trickster.timeseries.extents import Extent

# What asks for something else than the answer that is there.
_WISHES = frozenset((b"cache-control", b"pragma"))
_LONGEST_TARGET = 4096
_LARGEST_BODY = 32 << 10

Question = tuple[bytes, bytes | None]


@frozen(slots=True)
class Replay:
    """
    A full hit, ready to be given again.

    :ivar key: of the entry that it was made from.
    :ivar entry: that entry, not kept alive by this; once another stands in its place, this
        is void.
    :ivar extent: what was answered.
    """

    key: str
    entry: ReferenceType[Entry]
    extent: Extent
    step_ns: int
    status: int
    headers: Headers
    octets: bytes
    outcome: Outcome

    def response(self) -> Response:
        """:return: the answer, its body unread."""
        return Response(self.status, self.headers, Octets(self.octets), self.outcome)


@define
class Replays:
    """
    Remembers small full hits.  Dashboards of many viewers, and those that refresh more often
    than their step, ask the same within a step again and again.

    :ivar _identifying: request headers, in lower case, that are part of the key: requests
        with one of them are not remembered.
    :ivar _most: hits remembered; the least recently used goes first.
    """

    _identifying: frozenset[bytes]
    _most: int = 512
    _kept: OrderedDict[Question, Replay] = field(factory=OrderedDict, init=False)

    def question(self, request: Request) -> Question | None:
        """:return: what is the same for the same question, or None for one not remembered."""
        if request.method != b"GET" or len(request.target) > _LONGEST_TARGET:
            return None
        headers = request.headers
        if headers.has_any(_WISHES) or headers.has_any(self._identifying):
            return None
        return request.target, headers.get(b"accept")

    def find(self, question: Question) -> Replay | None:
        """:return: what was answered, if it is remembered."""
        found = self._kept.get(question)
        if found is not None:
            self._kept.move_to_end(question)
        return found

    def keep(self, question: Question, plan: Plan, entry: Entry, response: Response) -> None:
        """Remember a full hit, if it is small."""
        body = response.body
        if type(body) is not Octets or len(body.octets) > _LARGEST_BODY:
            return
        self._kept[question] = Replay(
            plan.key, ref(entry), plan.wanted, plan.query.step_ns, response.status, response.headers,
            body.octets, response.outcome)
        self._kept.move_to_end(question)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def drop(self, question: Question) -> None:
        """Forget what does not hold any more."""
        self._kept.pop(question, None)
