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
from trickster.interfaces import (
    ICacheStore,
    ICompareAndSetStore,
    IPeekingStore,
    IReferenceStore,
    IResponder,
)
from trickster.messages import Request, Response, text_response

Answer = Response | Exception | Callable[[Request], Response] | Deferred[Response]


def at_once(awaitable: Awaitable[Any]) -> Any:
    """
    :param awaitable: a coroutine or a Deferred; it is cancelled where it waits.
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

    :ivar answers: taken one after the other, the last one again and again: a response, an error
        to raise, a function of the request, or a Deferred to wait for, which serves one request.
        The body of a response is read but once, too: for several requests, give a function that
        makes one.
    :ivar requests: what was asked, in order; noted also where an error is raised.
    """

    answers: list[Answer] = field(factory=lambda: [text_response(200, "ok")])
    requests: list[Request] = field(factory=list, init=False)

    @classmethod
    def of(cls, *answers: Answer) -> RecordingResponder:
        """
        :param answers: one at least.
        :return: one with these answers.
        """
        return cls(list(answers))

    async def respond(self, request: Request) -> Response:
        """
        :param request: noted; its body is neither read nor closed.
        :return: the answer whose turn it is.
        :raises Exception: where that is an error, or a function or Deferred that fails.
        """
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

    :ivar request: what was asked; its body is neither read nor closed.
    :ivar is_cancelled: whether the caller has given up.
    :ivar deferred: what the caller awaits.
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

        :param response: what its caller gets, who goes on at once, before this returns.
        :raises AlreadyCalledError: it was answered, has failed, or was cancelled before.
        """
        self.deferred.callback(response)

    def fail(self, error: Exception) -> None:
        """
        Let the request fail.

        :param error: what its caller sees raised, at once.
        :raises AlreadyCalledError: as L{answer}.
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
        """
        :param request: put at the end of C{asked}.
        :return: fires, or fails, when the test says so, by the methods of that L{PausedRequest};
            cancelling it is noted there.
        """
        paused = PausedRequest(request)
        self.asked.append(paused)
        return paused.deferred

    @property
    def waiting(self) -> list[PausedRequest]:
        """
        :return: requests that are neither answered nor cancelled, in the order in which they
            came.
        """
        return [paused for paused in self.asked if not paused.deferred.called]


@implementer(ICacheStore)
@define(eq=False)
class DictStore:
    """
    A store without bounds, over a dict that the test can look into.  It never waits.

    :ivar clock: by which entries expire; one that stands still where none is given.
    :ivar entries: octets, and deadlines in seconds of the clock, by key.  An expired one stays
        here until it is deleted or replaced; no method gives it.
    """

    clock: IReactorTime = field(factory=Clock)
    entries: dict[str, tuple[bytes, float]] = field(factory=dict)

    async def get(self, key: str) -> bytes | None:
        """:return: the octets that were put, or None where there are none, or they have expired."""
        value, deadline = self.entries.get(key, (None, 0.0))
        return value if deadline > self.clock.seconds() else None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """
        :param value: in any kind of buffer, which its holder may change afterwards.
        :param ttl: seconds of the clock until it expires; with 0 or less it has already.
        """
        self.entries[key] = (bytes(value), self.clock.seconds() + ttl)

    async def delete(self, keys: Iterable[str]) -> int:
        """
        :param keys: also such as are not there, and any iterable.
        :return: how many of them were there, and had not expired.
        """
        now = self.clock.seconds()
        gone = [self.entries.pop(key, (b"", now)) for key in keys]
        return sum(deadline > now for _, deadline in gone)

    async def keys(self, prefix: str) -> Sequence[str]:
        """
        :param prefix: taken letter by letter; no character is special.
        :return: the keys that begin so and have not expired.
        """
        now = self.clock.seconds()
        return [key for key, (_, deadline) in self.entries.items()
                if key.startswith(prefix) and deadline > now]


@implementer(ICompareAndSetStore)
@define(eq=False)
class SharedStore(DictStore):
    """A L{DictStore} that two or more processes might share."""

    async def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None) -> bool:
        """
        See L{ICompareAndSetStore.replace}; nothing comes between the comparison and the change.

        :param ttl: seconds of the clock until C{value} expires.
        :param expected: an expired entry counts as None.
        :return: whether C{value} is there now.
        """
        if await self.get(key) != expected:
            return False
        await self.put(key, value, ttl)
        return True


@implementer(IPeekingStore)
@define(eq=False)
class PeekingStore(SharedStore):
    """A L{SharedStore} that tells at once how values begin."""

    def peek(self, key: str, length: int) -> bytes | None:
        """
        See L{IPeekingStore.peek}.

        :param length: octets.
        :return: the first of them; None where there is nothing, or it has expired.
        """
        value, deadline = self.entries.get(key, (b"", 0.0))
        return value[:length] if deadline > self.clock.seconds() else None


@implementer(IReferenceStore)
@define(eq=False)
class ReferenceStore:
    """
    A store without bounds that keeps objects as they are, and no octets.

    :ivar clock: by which entries expire; one that stands still where none is given.
    :ivar entries: objects, and deadlines in seconds of the clock, by key.  An expired one stays
        here until it is deleted or replaced; no method gives it.
    """

    clock: IReactorTime = field(factory=Clock)
    entries: dict[str, tuple[Any, float]] = field(factory=dict)

    def get_object(self, key: str) -> object | None:
        """:return: the very object that was put, or None where there is none, or it has expired."""
        value, deadline = self.entries.get(key, (None, 0.0))
        return value if deadline > self.clock.seconds() else None

    def put_object(self, key: str, value: object, nbytes: int, ttl: float) -> bool:
        """
        :param nbytes: not looked at, since there are no bounds.
        :param ttl: seconds of the clock until it expires.
        :return: True: it is kept in any case.
        """
        self.entries[key] = (value, self.clock.seconds() + ttl)
        return True

    async def get(self, key: str) -> bytes | None:
        """
        See L{ICacheStore.get}.

        :return: None in any case: there are no octets.
        """
        return None

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """
        See L{ICacheStore.put}.

        :param value: is not kept, and takes the place of no object.
        :param ttl: not looked at.
        """

    async def delete(self, keys: Iterable[str]) -> int:
        """
        :param keys: of objects; also such as are not there.
        :return: how many of them were there, and had not expired.
        """
        now = self.clock.seconds()
        gone = [self.entries.pop(key, (None, now)) for key in keys]
        return sum(deadline > now for _, deadline in gone)

    async def keys(self, prefix: str) -> Sequence[str]:
        """
        :param prefix: taken letter by letter; no character is special.
        :return: the keys of objects that begin so and have not expired.
        """
        now = self.clock.seconds()
        return [key for key, (_, deadline) in self.entries.items()
                if key.startswith(prefix) and deadline > now]


@define(eq=False)
class RecordingStore(SharedStore):
    """
    A L{SharedStore} that notes what is put.

    :ivar puts: keys, and how many octets each time.
    """

    puts: list[tuple[str, int]] = field(factory=list, init=False)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        self.puts.append((key, len(value)))
        await SharedStore.put(self, key, value, ttl)


@define(eq=False)
class SlowStore(DictStore):
    """
    A L{DictStore} that looks at once, but tells, and changes, only when the test says so.

    :ivar is_slow: whether it does so now.
    :ivar steps: what it still has to tell or to do, in the order in which it was asked.
    """

    is_slow: bool = True
    steps: list[Deferred[None]] = field(factory=list, init=False)

    async def get(self, key: str) -> bytes | None:
        """See L{ICacheStore.get}."""
        found = await DictStore.get(self, key)
        await self._turn()
        return found

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See L{ICacheStore.put}."""
        await self._turn()
        await DictStore.put(self, key, value, ttl)

    async def delete(self, keys: Iterable[str]) -> int:
        """See L{ICacheStore.delete}."""
        await self._turn()
        return await DictStore.delete(self, keys)

    async def keys(self, prefix: str) -> Sequence[str]:
        """See L{ICacheStore.keys}."""
        found = await DictStore.keys(self, prefix)
        await self._turn()
        return found

    def go_on(self, which: int = 0) -> None:
        """
        Let one step be done.

        :param which: its place among L{steps}.
        """
        self.steps.pop(which).callback(None)

    def catch_up(self) -> None:
        """Let all be done, in order, and all that is asked meanwhile."""
        while self.steps:
            self.go_on()

    def go_on_always(self) -> None:
        """Let all be done, and be slow no more."""
        self.is_slow = False
        self.catch_up()

    async def _turn(self) -> None:
        if not self.is_slow:
            return
        step: Deferred[None] = Deferred()
        self.steps.append(step)
        try:
            await step
        finally:
            if step in self.steps:
                self.steps.remove(step)


@implementer(ICacheStore)
@define(eq=False)
class BrokenOctetStore:
    """
    Fails at every call, when what it gives is awaited; and keeps no objects.

    :ivar error: what it raises: the one object, each time.
    :ivar calls: the names of the methods that have failed, in order.
    """

    error: Exception = field(factory=lambda: StoreError("broken"))
    calls: list[str] = field(factory=list, init=False)

    def _fail(self, name: str) -> Any:
        self.calls.append(name)
        raise self.error

    async def get(self, key: str) -> bytes | None:
        """:raises Exception: C{error}, when awaited."""
        return self._fail("get")

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """:raises Exception: C{error}, when awaited."""
        self._fail("put")

    async def delete(self, keys: Iterable[str]) -> int:
        """:raises Exception: C{error}, when awaited; the keys are not looked at."""
        return self._fail("delete")

    async def keys(self, prefix: str) -> Sequence[str]:
        """:raises Exception: C{error}, when awaited."""
        return self._fail("keys")


@implementer(IReferenceStore)
@define(eq=False)
class BrokenStore(BrokenOctetStore):
    """Fails at every call: where an awaitable is given, when that is awaited."""

    def get_object(self, key: str) -> object | None:
        """:raises Exception: C{error}, at once."""
        return self._fail("get_object")

    def put_object(self, key: str, value: object, nbytes: int, ttl: float) -> bool:
        """:raises Exception: C{error}, at once."""
        return self._fail("put_object")


@implementer(ICacheStore)
@define(eq=False)
class PausedStore:
    """
    Answers nothing until the test says so.

    :ivar asked: a Deferred for each call of any method, in order.  The test fires it with the
        result, or has it fail with a L{StoreError}; one whose caller has given up stays here, and
        need not be fired.
    """

    asked: list[Deferred[Any]] = field(factory=list, init=False)

    def _wait(self) -> Deferred[Any]:
        deferred: Deferred[Any] = Deferred()
        self.asked.append(deferred)
        return deferred

    def get(self, key: str) -> Awaitable[bytes | None]:
        """:return: the new last one of C{asked}: to be fired with octets, or None for a miss."""
        return self._wait()

    def put(self, key: str, value: bytes, ttl: float) -> Awaitable[None]:
        """:return: the new last one of C{asked}: to be fired with None.  Nothing is kept."""
        return self._wait()

    def delete(self, keys: Iterable[str]) -> Awaitable[int]:
        """:return: the new last one of C{asked}: to be fired with how many there were."""
        return self._wait()

    def keys(self, prefix: str) -> Awaitable[Sequence[str]]:
        """:return: the new last one of C{asked}: to be fired with a sequence of keys."""
        return self._wait()
