"""What stores have in common whose operations block, and so are called in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import maybeDeferred

from trickster.errors import StoreError
from trickster.interfaces import IRuntime
from trickster.net.callbacks import ignore
from trickster.stores.limits import StoreLimits, StoreUsage


@define(eq=False, slots=False)
class BlockingStore(Service):
    """
    Calls what blocks in threads, while it runs, and makes its errors a L{StoreError}.

    A subclass has the operations of a store, each of which calls L{called} with a function that
    does the work.

    :ivar limits: of the configuration.
    :ivar _runtime: the clock, the date and the threads of the process.
    :ivar _used: octets and entries, as the subclass last knew them; read from any thread.
    :ivar failures: what the storage raises where it does not work.
    """

    limits: StoreLimits
    _runtime: IRuntime
    _used: tuple[int, int] = field(default=(0, 0), init=False)
    _heard: Callable[[str, str], None] = field(default=ignore, init=False, repr=False)
    failures: tuple[type[Exception], ...] = field(default=(OSError,), init=False)

    def usage(self) -> StoreUsage:
        """See L{trickster.interfaces.IMeteredStore.usage}."""
        octets, objects = self._used
        return StoreUsage(objects=objects, octets=octets, max_objects=self.limits.max_objects,
                          max_octets=self.limits.max_octets)

    def tell(self, heard: Callable[[str, str], None]) -> None:
        """
        See L{trickster.interfaces.IMeteredStore.tell}.

        :param heard: takes the place of the one before.
        """
        self._heard = heard

    async def called(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        Call a function in a thread, and wait for it.

        :param function: must not use the reactor.
        :return: what the function returns.
        :raises StoreError: the store does not run, or the function raised one of L{failures}.
        """
        if not self.running:
            raise StoreError("the store is not running")
        return await self._runtime.in_thread(self.translated, function, *arguments)

    def translated(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        Call a function in this thread.

        :return: what the function returns.
        :raises StoreError: the function raised one of L{failures}.
        """
        try:
            return function(*arguments)
        except self.failures as error:
            raise StoreError(f"{type(error).__name__}: {error}") from error

    async def stopService(self) -> None:
        """Close what is open, in a thread, after what is under way."""
        await maybeDeferred(super().stopService)
        await self._runtime.in_thread(self.close)

    def close(self) -> None:
        """Close what is open, in a thread: for subclasses, of which some have nothing open."""
