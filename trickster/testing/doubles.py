"""Doubles of responders and of stores, for tests: ours and those of plugins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from zope.interface import implementer

from trickster.errors import StoreError
from trickster.interfaces import ICacheStore, ICompareAndSetStore, IReferenceStore, IResponder
from trickster.messages import Request, Response, text_response

Answer = Response | Exception | Callable[[Request], Response] | Deferred[Response]


def at_once(awaitable: Awaitable[Any]) -> Any:
    """
    :return: the result of what has no need to wait.
    :raises AssertionError: it waits.
    :raises Exception: what the awaitable raises.
    """
    results: list[Any] = []
    done = _as_deferred(awaitable)
    done.addBoth(results.append)
    if not results:
        done.cancel()
        raise AssertionError(f"{awaitable!r} waits")
    [result] = results
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result


def _as_deferred(awaitable: Awaitable[Any]) -> Deferred[Any]:
    if isinstance(awaitable, Deferred):
        return awaitable

    async def awaiting() -> Any:
        return await awaitable

    return Deferred.fromCoroutine(awaiting())


@implementer(IResponder)
@define(eq=False)
class RecordingResponder:
    """
    Notes requests and answers at once.

    :ivar answers: taken one after the other, the last one again and again: a response, an
        error to raise, a function of the request, or a Deferred to wait for.
    :ivar requests: what was asked.
    """

    answers: list[Answer] = field(factory=lambda: [text_response(200, "ok")])
    requests: list[Request] = field(factory=list, init=False)

    @classmethod
    def of(cls, *answers: Answer) -> RecordingResponder:
        """:return: one with these answers."""
        return cls(list(answers))

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Deferred):
            return await answer
        return answer if isinstance(answer, Response) else answer(request)


@define(eq=False)
class PausedRequest:
    """
    A request that waits for the test.

    :ivar is_cancelled: whether the caller has given up.
    """

    request: Request
    is_cancelled: bool = False
    deferred: Deferred[Response] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.deferred = Deferred(self._cancelled)

    def _cancelled(self, _: Deferred[Response]) -> None:
        self.is_cancelled = True

    def answer(self, response: Response) -> None:
        """
        Let the request be answered.

        :param response: what its caller gets, who does not wait any more; once only.
        """
        self.deferred.callback(response)

    def fail(self, error: Exception) -> None:
        """
        Let the request fail.

        :param error: what its caller sees raised; once only.
        """
        self.deferred.errback(error)


@implementer(IResponder)
@define(eq=False)
class PausedOrigin:
    """
    Answers nothing until the test says so, which can look at the world in between.

    :ivar asked: everything that was ever asked, in order.
    """

    asked: list[PausedRequest] = field(factory=list, init=False)

    def respond(self, request: Request) -> Awaitable[Response]:
        """See L{IResponder.respond}."""
        paused = PausedRequest(request)
        self.asked.append(paused)
        return paused.deferred

    @property
    def waiting(self) -> list[PausedRequest]:
        """Requests that are neither answered nor cancelled."""
        return [paused for paused in self.asked if not paused.deferred.called]


@implementer(ICacheStore)
@define(eq=False)
class DictStore:
    """
    A store without bounds, over a dict that the test can look into.

    :ivar entries: octets, and deadlines in seconds of the clock, by key.
    """

    clock: IReactorTime = field(factory=Clock)
    entries: dict[str, tuple[bytes, float]] = field(factory=dict)

    async def get(self, key: str) -> bytes | None:
        """See L{ICacheStore.get}."""
        value, deadline = self.entries.get(key, (None, 0.0))
        return value if deadline > self.clock.seconds() else None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        self.entries[key] = (bytes(value), self.clock.seconds() + ttl)

    async def delete(self, keys: Iterable[str]) -> int:
        """See L{ICacheStore.delete}."""
        now = self.clock.seconds()
        gone = [self.entries.pop(key, (b"", now)) for key in keys]
        return sum(deadline > now for _, deadline in gone)

    async def keys(self, prefix: str) -> Sequence[str]:
        """See L{ICacheStore.keys}."""
        now = self.clock.seconds()
        return [key for key, (_, deadline) in self.entries.items()
                if key.startswith(prefix) and deadline > now]


@implementer(ICompareAndSetStore)
@define(eq=False)
class SharedStore(DictStore):
    """A L{DictStore} that two or more processes might share."""

    async def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None) -> bool:
        """See L{ICompareAndSetStore.replace}."""
        if await self.get(key) != expected:
            return False
        await self.put(key, value, ttl)
        return True


@implementer(IReferenceStore)
@define(eq=False)
class ReferenceStore:
    """
    A store without bounds that keeps objects as they are, and no octets.

    :ivar entries: objects, and deadlines in seconds of the clock, by key.
    """

    clock: IReactorTime = field(factory=Clock)
    entries: dict[str, tuple[Any, float]] = field(factory=dict)

    def get_object(self, key: str) -> object | None:
        """See L{IReferenceStore.get_object}."""
        value, deadline = self.entries.get(key, (None, 0.0))
        return value if deadline > self.clock.seconds() else None

    def put_object(self, key: str, value: object, nbytes: int, ttl: float) -> bool:
        """See L{IReferenceStore.put_object}."""
        self.entries[key] = (value, self.clock.seconds() + ttl)
        return True

    async def get(self, key: str) -> bytes | None:
        """
        See L{ICacheStore.get}.

        :return: None in any case: there are no octets.
        """
        return None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}: nothing is kept."""

    async def delete(self, keys: Iterable[str]) -> int:
        """See L{ICacheStore.delete}."""
        now = self.clock.seconds()
        gone = [self.entries.pop(key, (None, now)) for key in keys]
        return sum(deadline > now for _, deadline in gone)

    async def keys(self, prefix: str) -> Sequence[str]:
        """See L{ICacheStore.keys}."""
        now = self.clock.seconds()
        return [key for key, (_, deadline) in self.entries.items()
                if key.startswith(prefix) and deadline > now]


@implementer(IReferenceStore)
@define(eq=False)
class BrokenStore:
    """
    Fails at every call.

    :ivar error: what it raises.
    :ivar calls: the names of the methods that were called.
    """

    error: Exception = field(factory=lambda: StoreError("broken"))
    calls: list[str] = field(factory=list, init=False)

    def _fail(self, name: str) -> Any:
        self.calls.append(name)
        raise self.error

    async def get(self, key: str) -> bytes | None:
        """See L{ICacheStore.get}."""
        return self._fail("get")

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        self._fail("put")

    async def delete(self, keys: Iterable[str]) -> int:
        """See L{ICacheStore.delete}."""
        return self._fail("delete")

    async def keys(self, prefix: str) -> Sequence[str]:
        """See L{ICacheStore.keys}."""
        return self._fail("keys")

    def get_object(self, key: str) -> object | None:
        """See L{IReferenceStore.get_object}."""
        return self._fail("get_object")

    def put_object(self, key: str, value: object, nbytes: int, ttl: float) -> bool:
        """See L{IReferenceStore.put_object}."""
        return self._fail("put_object")


@implementer(ICacheStore)
@define(eq=False)
class PausedStore:
    """
    Answers nothing until the test says so.

    :ivar asked: a Deferred for each call, in order; the test fires it with the result.
    """

    asked: list[Deferred[Any]] = field(factory=list, init=False)

    def _wait(self) -> Deferred[Any]:
        deferred: Deferred[Any] = Deferred()
        self.asked.append(deferred)
        return deferred

    def get(self, key: str) -> Awaitable[bytes | None]:
        """See L{ICacheStore.get}."""
        return self._wait()

    def put(self, key: str, value: bytes, ttl: float) -> Awaitable[None]:
        """See L{ICacheStore.put}."""
        return self._wait()

    def delete(self, keys: Iterable[str]) -> Awaitable[int]:
        """See L{ICacheStore.delete}."""
        return self._wait()

    def keys(self, prefix: str) -> Awaitable[Sequence[str]]:
        """See L{ICacheStore.keys}."""
        return self._wait()
