"""A store that cannot fail: what goes wrong is a miss, counted, and logged now and then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from math import inf
from typing import Any, TypeVar

from attrs import define, field, frozen
from cachetools import FIFOCache
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from trickster.errors import StoreError, StoreTimeout
from trickster.interfaces import (
    ICacheStore,
    ICompareAndSetStore,
    IInspectableStore,
    IPeekingStore,
    IReferenceStore,
)
from trickster.net.callbacks import ignore
from trickster.net.tracebacks import forget_traceback
from trickster.plugins import explained
from trickster.stores.circuit import Circuit
from trickster.stores.limits import Inspected
from trickster.stores.timed_call import TimedCall

_T = TypeVar("_T")

_LOG_PAUSE = 60.0
_READING = ("get", "keys")

OnOperation = Callable[[str, str, int], None]


@frozen
class GuardLimits:
    """
    How much patience a store gets.

    :ivar timeout: seconds for one operation, where the store itself has no attribute C{timeout}.
    :ivar failures: in a row, after which the store is left alone.
    :ivar pause: seconds for which it is.
    :ivar pending_octets: of values on their way to the store; more are not put.
    :ivar doomed_keys: that could not be deleted and are remembered as gone; at least one, and
        the one that was to be deleted longest ago is forgotten first.
    """

    timeout: float = 3.0
    failures: int = 5
    pause: float = 10.0
    pending_octets: int = 64 << 20
    doomed_keys: int = 10_000


def guarded(inner: ICacheStore, name: str, clock: IReactorTime,
            on_operation: OnOperation = ignore,
            limits: GuardLimits | None = None) -> Guarded:
    """
    :param inner: a store of any kind.
    :param name: of the cache, in the configuration.
    :param on_operation: told the operation (C{get}, C{set}, C{del}, C{keys}), how it went
        (C{hit}, C{miss}, C{none}, C{error}, C{skipped}) and how many octets it moved.
    :return: the same, failing no more; it keeps objects, or compares and sets, or tells at once
        how values begin, where the inner one does.
    """
    kind = Guarded
    if IReferenceStore.providedBy(inner):
        kind = GuardedReferences
    elif ICompareAndSetStore.providedBy(inner):
        peeks = IPeekingStore.providedBy(inner)
        kind = GuardedPeekingCompareAndSet if peeks else GuardedCompareAndSet
    elif IPeekingStore.providedBy(inner):
        kind = GuardedPeeking
    return kind(inner, name, clock, on_operation, limits or GuardLimits())


@implementer(ICacheStore)
@define(eq=False)
class Guarded:
    """
    Stands before a store: a failure, or no answer in time, is a miss.

    A store that keeps failing is left alone for a while, and one that hangs at once: it costs
    callers its time limit once.  A store of which a part fails, as it says, is not, since what
    is elsewhere in it can be had.  Whether it works again is then tried now and then, and no
    caller waits for that.  A key that could not be deleted is a miss until it has been, so that
    what was invalidated does not come back with the store.

    :ivar unread: how many reads gave nothing since the store failed or was left alone.
    """

    inner: Any
    name: str
    clock: IReactorTime
    on_operation: OnOperation = ignore
    limits: GuardLimits = field(factory=GuardLimits)
    log: Logger = field(factory=Logger)
    _reading: Circuit = field(init=False)
    _writing: Circuit = field(init=False)
    _doomed: FIFOCache[str, None] = field(init=False)
    unread: int = field(default=0, init=False)
    _pending: int = field(default=0, init=False)
    _partly: float = field(default=-inf, init=False)
    _logged: float | None = field(default=None, init=False)
    _unlogged: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        # A disk that is full can be read, and is to be: neither tells of the other.
        self._reading, self._writing = (
            Circuit(self.limits.failures, self.limits.pause) for _ in range(2))
        self._doomed = FIFOCache(self.limits.doomed_keys)

    @property
    def timeout(self) -> float:
        """:return: seconds that an operation may take: what the store says, if it does."""
        return float(getattr(self.inner, "timeout", 0.0) or self.limits.timeout)

    @property
    def is_failing(self) -> bool:
        """
        :return: whether the store failed when it was last read, or when it was last written, or a
            part of it has a moment ago: a miss may then be its fault.
        """
        is_partly = 0 <= self.clock.seconds() - self._partly < self.limits.pause
        return is_partly or self._reading.failures > 0 or self._writing.failures > 0

    def too_slow(self) -> None:
        """Report that an entry took longer to read, in all its pieces, than one operation may."""
        self._failed("get", StoreTimeout(f"an entry took longer to read than {self.timeout:g} s"))

    async def get(self, key: str) -> bytes | None:
        """
        See L{ICacheStore.get}.

        :return: None also where the store failed or is left alone, and for a key that is still
            to be deleted.
        """
        if key in self._doomed:
            await self._delete([key])
            return None
        found: bytes | None = await self._asked("get", self._got, None, key)
        if found is not None:
            self.on_operation("get", "hit", len(found))
        elif not self._reading.failures:
            self.on_operation("get", "miss", 0)
        return found

    async def put(self, key: str, value: bytes, ttl: float) -> bool:
        """
        See L{ICacheStore.put}.

        :param value: not put where more octets than allowed would be on their way to the store.
        :return: whether it was put, as far as the store says.
        """
        return await self._set(key, len(value), self._put, value, ttl)

    async def _set(self, key: str, size: int, method: Callable[..., Awaitable[bool]],
                   *args: Any) -> bool:
        if self._pending and self._pending + size > self.limits.pending_octets:
            self.on_operation("set", "skipped", size)
            return False
        self._pending += size
        try:
            done: bool = await self._asked("set", method, False, key, *args)
        finally:
            self._pending -= size
        if done:
            self._doomed.pop(key, None)
            self.on_operation("set", "none", size)
        return done

    async def delete(self, keys: Iterable[str]) -> int:
        """
        See L{ICacheStore.delete}.

        :param keys: misses from now on, also where the store fails, until they are put again.
        :return: 0 also where the store failed or is left alone.
        """
        return await self._delete(list(keys)) or 0

    async def keys(self, prefix: str) -> Sequence[str]:
        """
        See L{ICacheStore.keys}.

        :return: none where the store failed or is left alone; else without those that are still
            to be deleted, and without what a store names that does not begin so.
        """
        found: Sequence[str] = await self._asked("keys", self._named, (), prefix)
        return [key for key in found if key not in self._doomed]

    async def inspected(self, key: str) -> Inspected | None:
        """
        Look at what is under a key, which is no use of it where the store can tell the two apart
        (L{IInspectableStore}).

        :return: None also where the store failed or is left alone.
        """
        if IInspectableStore.providedBy(self.inner):
            if key in self._doomed:
                return None
            return await self._asked("get", self._looked_into, None, key)
        octets = await self.get(key)
        return None if octets is None else Inspected(octets)

    async def _looked_into(self, key: str) -> Inspected | None:
        found: Any = await self.inner.inspect(key)
        if found is None or type(found) is Inspected:
            return found
        raise StoreError(f"the store gave {type(found).__name__} to be looked at")

    async def _named(self, prefix: str) -> Sequence[str]:
        found: Any = await self.inner.keys(prefix)
        try:
            # What a purge deletes is what was asked for, and nothing else that a store names.
            return [key for key in found if key.startswith(prefix)]
        except (TypeError, AttributeError) as error:
            raise StoreError("the store named keys that are no texts") from error

    async def _got(self, key: str) -> bytes | None:
        found: Any = await self.inner.get(key)
        if found is None or type(found) is bytes:
            return found
        if isinstance(found, bytearray | memoryview):
            return bytes(found)
        raise StoreError(f"the store gave no octets, but {type(found).__name__}")

    async def _put(self, key: str, value: bytes, ttl: float) -> bool:
        put: object = await self.inner.put(key, value, ttl)
        return put is not False

    async def _counted(self, keys: list[str]) -> int:
        count: Any = await self.inner.delete(keys)
        if not isinstance(count, int):
            raise StoreError(f"the store counted no keys, but gave {type(count).__name__}")
        return count

    async def _delete(self, keys: list[str]) -> int | None:
        # Until the store says otherwise, and also if it never does.
        self._doomed.update(dict.fromkeys(keys))
        count: int | None = await self._asked("del", self._counted, None, keys)
        if count is not None:
            for key in keys:
                self._doomed.pop(key, None)
            self.on_operation("del", "none", 0)
        return count

    async def _asked(self, operation: str, method: Callable[..., Awaitable[_T]], otherwise: _T,
                     *args: Any) -> _T:
        circuit = self._circuit(operation)
        is_try = circuit.is_open
        if not circuit.allows(self.clock.seconds()):
            self._skipped(operation)
            return otherwise
        if not is_try:
            return await self._tried(operation, method, otherwise, *args)
        trying = Deferred.fromCoroutine(self._tried(operation, method, otherwise, *args))
        if trying.called:
            return await trying
        # Who happens to ask at the time of a try need not wait for a store that may hang.
        self._skipped(operation)
        return otherwise

    def _skipped(self, operation: str) -> None:
        self.on_operation(operation, "skipped", 0)
        self.unread += operation in _READING

    async def _tried(self, operation: str, method: Callable[..., Awaitable[_T]], otherwise: _T,
                     *args: Any) -> _T:
        try:
            result = await self._in_time(method, args)
        except CancelledError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - costs no client its answer
            self._failed(operation, error)
            # A store may raise the same error again and again, and so keep it: its frames, and
            # those of all who waited, would hold the answers that these have.
            forget_traceback(error)
            return otherwise
        self._succeeded(operation)
        return result

    def _circuit(self, operation: str) -> Circuit:
        return self._reading if operation in _READING else self._writing

    def _in_time(self, method: Callable[..., Awaitable[_T]],
                 args: tuple[Any, ...]) -> Awaitable[_T]:
        return TimedCall.of(method(*args), self.clock, self.timeout)

    def _succeeded(self, operation: str) -> None:
        is_news = self._circuit(operation).succeeded()
        if is_news and not self._reading.is_open and not self._writing.is_open:
            self.log.info("Cache {cache} works again", cache=self.name)

    def _failed(self, operation: str, error: BaseException) -> None:
        now = self.clock.seconds()
        if getattr(error, "is_partial", False):
            self._circuit(operation).partly_failed()
            self._partly = now
        elif isinstance(error, StoreTimeout):
            for circuit in (self._reading, self._writing):
                circuit.failed(now, is_hopeless=True)
        else:
            self._circuit(operation).failed(now)
        self.on_operation(operation, "error", 0)
        self.unread += operation in _READING
        if self._logged is not None and 0 <= now - self._logged < _LOG_PAUSE:
            self._unlogged += 1
            return
        self.log.error("Cache {cache} failed to {operation}: {error} ({more} more failures)",
                       cache=self.name, operation=operation, error=explained(error),
                       more=self._unlogged)
        self._logged, self._unlogged = now, 0


@implementer(IPeekingStore)
@define(eq=False)
class GuardedPeeking(Guarded):
    """The same before a store that tells at once how values begin."""

    @property
    def peek_lag(self) -> float:
        """:return: seconds for which L{peek} may not know what another process has changed."""
        return float(getattr(self.inner, "peek_lag", 0.0))

    def stamp(self) -> object | None:
        """
        See L{IPeekingStore}.

        :return: None also where the store does not tell, failed or is left alone, and while keys
            are still to be deleted.
        """
        tell = getattr(self.inner, "stamp", None)
        if tell is None or self._reading.is_open or self._doomed:
            return None
        try:
            stamp: object | None = tell()
        except Exception as error:  # noqa: BLE001 - a store must not cost a client its answer
            self._failed("get", error)
            forget_traceback(error)
            return None
        return stamp

    def peek(self, key: str, length: int) -> bytes | None:
        """
        See L{IPeekingStore.peek}.

        :return: None also where the store failed or is left alone, and for a key that is still
            to be deleted.
        """
        if self._reading.is_open or key in self._doomed:
            return None
        try:
            begins: bytes | None = self.inner.peek(key, length)
        except Exception as error:  # noqa: BLE001 - a store must not cost a client its answer
            self._failed("get", error)
            forget_traceback(error)
            return None
        if type(begins) is not bytes:
            return None
        self.on_operation("get", "hit", len(begins))
        return begins


@define
class _Attempt:
    """
    A change that is asked for once.

    :ivar is_open: whether it has begun, and the store has not said what came of it.
    """

    _method: Callable[..., Awaitable[bool]]
    is_open: bool = field(default=False, init=False)

    async def made(self, *args: Any) -> bool:
        """:return: what the method says."""
        self.is_open = True
        done = await self._method(*args)
        self.is_open = False
        return done


@implementer(ICompareAndSetStore)
@define(eq=False)
class GuardedCompareAndSet(Guarded):
    """The same before a store that several processes may share."""

    async def replace(self, key: str, value: bytes, ttl: float, expected: bytes | None
                      ) -> bool | None:
        """
        See L{ICompareAndSetStore.replace}.

        :return: False also where the store is left alone; None where it failed, or has given no
            answer in time, or not yet: then the value may have been put, or may yet be.
        """
        attempt = _Attempt(self.inner.replace)
        done = await self._set(key, len(value), attempt.made, value, ttl, expected)
        return None if attempt.is_open else done


@define(eq=False)
class GuardedPeekingCompareAndSet(GuardedPeeking, GuardedCompareAndSet):
    """The same before a store that does both."""


@implementer(IReferenceStore)
@define(eq=False)
class GuardedReferences(Guarded):
    """The same before a store in this process, which answers at once and keeps objects."""

    def get_object(self, key: str) -> object | None:
        """
        See L{IReferenceStore.get_object}.

        :return: None also where the store failed, and for a key that is still to be deleted.
        """
        try:
            found: object | None = self.inner.get_object(key)
        except Exception as error:  # noqa: BLE001 - a store must not cost a client its answer
            self._failed("get", error)
            return None
        if self._reading.failures:
            self._succeeded("get")
        if key in self._doomed:
            found = None
        self.on_operation("get", "miss" if found is None else "hit", 0)
        return found

    def put_object(self, key: str, value: object, nbytes: int, ttl: float) -> bool:
        """
        See L{IReferenceStore.put_object}.

        :return: False also where the store failed.
        """
        try:
            kept: bool = self.inner.put_object(key, value, nbytes, ttl)
        except Exception as error:  # noqa: BLE001 - a store must not cost a client its answer
            self._failed("set", error)
            return False
        if self._writing.failures:
            self._succeeded("set")
        if kept:
            self._doomed.pop(key, None)
        self.on_operation("set", "none" if kept else "skipped", nbytes if kept else 0)
        return kept

    def _in_time(self, method: Callable[..., Awaitable[_T]],
                 args: tuple[Any, ...]) -> Awaitable[_T]:
        return method(*args)
