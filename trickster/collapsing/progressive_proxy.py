"""Progressive forwarding without a cache: equal requests at the same time share one answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, evolve, field, frozen
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from trickster.collapsing.broadcast import BroadcastBody, Buffering
from trickster.collapsing.fills import Fill, FillResult, FillTable, Streaming, Unshared
from trickster.collapsing.home import Home
from trickster.errors import Reason
from trickster.http.cache_control import request_directives
from trickster.http.freshness import FreshnessRules, names_everything, policy_of, vary_names
from trickster.interfaces import IResponder
from trickster.keys.cache_key import digest
from trickster.keys.identity import Identity, Overrides
from trickster.keys.selecting import Selecting, matches, selecting_values
from trickster.messages import Engine, Headers, Outcome, Request, Response, Status
from trickster.net.callbacks import ignore

# Fields that make an answer another one, whether the origin says so in Vary or not.  What a cache
# on the way may give to one may be too old for another (RFC 9111 section 5.2.1).
_TELLING = (b"authorization", b"cookie", b"range", b"if-range", b"if-match", b"if-none-match",
            b"if-modified-since", b"if-unmodified-since", b"accept", b"accept-encoding",
            b"accept-language", b"origin", b"x-requested-with", b"cache-control", b"pragma")
_NEVER_SHARED = frozenset((b"upgrade", b"expect", b"content-length", b"transfer-encoding"))
_UNSHARED_DIRECTIVES = frozenset((b"no-cache", b"no-store"))
_NO_RULES = FreshnessRules()
# What the status of an answer says that was stored.
STORED = frozenset((Status.HIT, Status.NEGATIVE_HIT))

# Asks for an answer.
Ask = Callable[[Request], Awaitable[Response]]


@frozen
class _Head:
    """
    What several clients get of one response before its body.

    :ivar selecting: the request fields that must be equal for it to match.
    :ivar arrived: by the clock.
    """

    status: int
    headers: Headers
    phrase: bytes
    selecting: Selecting
    arrived: float


@define(eq=False)
class SharedAnswers:
    """
    Lets requests follow an answer that is on its way to an equal one.  Nothing is stored.

    :ivar identity: request fields that make an answer another one.
    :ivar overrides: requests that share nothing.
    :ivar version: of what is asked for: what was asked for before a change is not followed by who
        asks after it.
    :ivar caught_up: has C{version} be the newest one; None where it always is.
    """

    _clock: IReactorTime
    _buffering: Buffering
    identity: Identity
    overrides: Overrides
    version: Callable[[], int] = int
    caught_up: Callable[[], Awaitable[None]] | None = None
    _table: FillTable[_Head] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._table = FillTable.of(self._clock)

    def slot(self, request: Request) -> str | None:
        """:return: what is equal for requests that may share; None for one that may not."""
        alike = self.alike(request)
        return None if alike is None else self.slot_of(alike)

    def alike(self, request: Request) -> str | None:
        """
        :return: the same as L{slot}, but for what was purged in between: all processes agree on it,
            also while some of them have not heard of a purge; None for what may not be shared.
        """
        headers = request.headers
        if (request.method != b"GET" or headers.has_any(_NEVER_SHARED)
                or self.overrides.are_in(headers)):
            return None
        asked = request_directives(headers)
        if not _UNSHARED_DIRECTIVES.isdisjoint(asked.values):
            return None
        alike = digest((request.authority, request.target, self.identity.of_request(request),
                        *map(headers.joined, _TELLING)))
        return None if self._table.hit_for_pass.reason(self.slot_of(alike)) is not None else alike

    def slot_of(self, alike: str) -> str:
        """
        :param alike: as from L{alike}.
        :return: as L{slot}.
        """
        return f"{alike}@{self.version()}"

    async def response(self, request: Request, slot: str, ask: Ask) -> Response:
        """
        :param slot: of the request.
        :param ask: asks for an answer; called where there is none on its way, and where that is no
            use to this request.
        :return: the answer, perhaps one that others follow too.
        :raises Exception: as C{ask}, also for those that wait.
        """
        fill = self._table.find(slot)
        if fill is not None:
            return await self._of_waiter(request, await fill.wait(), ask)
        fill = Fill(is_progressive=True)
        waiter = fill.wait()
        self._table.begin(slot, fill, self._fetch(fill, slot, request, ask))
        return await self._of_first(request, await waiter, ask)

    def pass_next(self, slot: str) -> None:
        """Have the next requests of a slot share nothing, as answers are for one of them only."""
        self._table.hit_for_pass.mark(slot, Reason.PROXY_PATH)

    def outdate(self) -> None:
        """Have what is on its way not followed any more: it was asked for before a change."""
        self._table.outdate("")

    def stop(self) -> None:
        """Give up every exchange, at the end of the program."""
        self._table.cancel_all()

    async def _of_first(self, request: Request, result: FillResult[_Head], ask: Ask) -> Response:
        if isinstance(result, Unshared) and result.response is not None:
            return result.response
        response = _followed(request, result)
        return await ask(request) if response is None else response

    async def _of_waiter(self, request: Request, result: FillResult[_Head], ask: Ask) -> Response:
        if isinstance(result, Unshared) and result.response is not None:
            result.response.body.close()
        response = _followed(request, result)
        if response is None or not isinstance(result, Streaming):
            return await ask(request)
        collapsed = response.with_outcome(_collapsed(response.outcome))
        if response.outcome.engine is not Engine.OBJECT or b"age" in response.headers:
            return collapsed
        # The object cache gives it to those that wait, too (RFC 9111 section 5.1).
        age = b"%d" % (self._clock.seconds() - result.stored.arrived)
        return collapsed.with_headers(response.headers.with_added((b"Age", age)))

    async def _fetch(self, fill: Fill[_Head], slot: str, request: Request, ask: Ask) -> None:
        response = await ask(request)
        try:
            await self._share(fill, slot, request, response)
        except BaseException:
            response.body.close()
            raise

    async def _share(self, fill: Fill[_Head], slot: str, request: Request, response: Response
                     ) -> None:
        if not may_be_shared(response):
            self.pass_next(slot)
            fill.release(response)
            return
        selecting = selecting_values(vary_names(response.headers), request.headers)
        head = _Head(response.status, response.headers, response.phrase, selecting,
                     self._clock.seconds())
        body = BroadcastBody(response.body, self._buffering, overflowed=ignore,
                             left=fill.left, is_end_awaited=lambda: False)
        fill.stream(head, body, response.outcome, True)
        await body.pump()


def _collapsed(outcome: Outcome) -> Outcome:
    """
    :param outcome: of the answer to the one that asked.
    :return: that of the answer to another, for whom nothing was fetched; what was stored is
        so for all.
    """
    if outcome.cause is not None or outcome.status in STORED:
        return outcome
    return evolve(
        outcome, status=Status.PROXY_HIT, fetched=(),
        reason=outcome.reason if outcome.failed else Reason.COLLAPSED,
        points_cached=outcome.points_cached + outcome.points_fetched, points_fetched=0)


def _followed(request: Request, result: FillResult[_Head]) -> Response | None:
    if not isinstance(result, Streaming):
        return None
    head = result.stored
    if matches(head.selecting, request.headers):
        return Response(head.status, head.headers, result.body, result.outcome, head.phrase)
    result.body.close()
    return None


@implementer(IResponder)
@define(eq=False)
class ProgressiveProxy:
    """
    Lets clients follow an answer that is on its way to another one.  Nothing is stored.

    :ivar _shared: the answers on their way.
    :ivar home: of what is asked for, where several processes are asked the same; None where this
        one asks the origin for all of it.
    """

    _inner: IResponder
    _shared: SharedAnswers
    home: Home | None = field(default=None, init=False)

    async def respond(self, request: Request) -> Response:
        """
        :return: an answer of the origin, perhaps one that others follow too.
        :raises trickster.errors.RequestError: the origin gave none.
        """
        if self._shared.caught_up is not None:
            await self._shared.caught_up()
        alike, home = self._shared.alike(request), self.home
        if alike is None:
            return await self._inner.respond(request)
        if home is not None and home.is_elsewhere(alike):
            response = await home.asked(alike, request)
            if response is not None:
                return response
        return await self._shared.response(request, self._shared.slot_of(alike), self._asked)

    async def at_home(self, request: Request) -> Response:
        """
        Answer in this process, whichever is the home of what is asked for.

        :return: as L{respond}.
        :raises trickster.errors.RequestError: the same.
        """
        if self._shared.caught_up is not None:
            await self._shared.caught_up()
        slot = self._shared.slot(request)
        if slot is None:
            return await self._inner.respond(request)
        return await self._shared.response(request, slot, self._asked)

    async def _asked(self, request: Request) -> Response:
        response = await self._inner.respond(request)
        return response.with_outcome(evolve(response.outcome, origin_status=response.status))

    def stop(self) -> None:
        """Give up every exchange, at the end of the program."""
        self._shared.stop()


def may_be_shared(response: Response) -> bool:
    """:return: whether an answer is for all who ask the same at the same time."""
    headers = response.headers
    policy = policy_of(response.status, headers, 0.0, _NO_RULES)
    is_personal = policy.private or policy.no_store or policy.no_cache or policy.sets_cookie
    # An error may be the fault of the fields of one request.
    is_shared = 200 <= response.status < 400 or response.status in (404, 410)
    return (is_shared and not is_personal and not names_everything(headers)
            and not _is_endless(headers))


def _is_endless(headers: Headers) -> bool:
    # A stream of events never ends, and who comes late must not get those of the past.
    kind = headers.get(b"content-type") or b""
    return kind.lower().startswith(b"text/event-stream")
