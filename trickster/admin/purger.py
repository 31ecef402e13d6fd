"""Carrying out purges: what they are for each cache, and when they are effective."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from attrs import field, frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from trickster.admin.purgeorders import PurgeOrder
from trickster.errors import StoreError
from trickster.interfaces import IPurgeable
from trickster.messages import Request
from trickster.observability.logging.masking import masked_target
from trickster.purging.purges import Purges
from trickster.purging.table import Kind, Purge, Scope


@frozen
class PurgedBackend:
    """
    A backend that keeps something.

    :ivar cache: the name of the cache that it keeps it in.
    :ivar purgeable: what keeps it.
    """

    cache: str
    purgeable: Callable[[], Sequence[IPurgeable]]


@frozen
class Purged:
    """
    What was purged in one cache.

    :ivar scopes: which entries are gone.
    :ivar number: of the last rule that says so; None where others do not know of it.
    :ivar fault: why they do not; empty where all do.
    """

    cache: str
    scopes: tuple[Scope, ...]
    number: int | None = None
    fault: str = ""


class UnknownBackend(LookupError):
    """There is no backend of that name that keeps anything."""


@frozen
class Purger:
    """
    Purges what the caches of a configuration have.

    :ivar caches: their purges, by name.
    :ivar backends: by name; those that keep nothing of their own are not among them.
    """

    caches: Mapping[str, Purges]
    backends: Mapping[str, PurgedBackend]
    _log: Logger = field(factory=Logger, eq=False)

    async def purge(self, order: PurgeOrder) -> Sequence[Purged]:
        """
        Purge; effective when this returns, also for what is being fetched.

        :return: what was purged in each cache; where one says that others do not know of it, the
            purge is effective here alone, and will be there once the store works again.
        :raises UnknownBackend: the order is for one that there is not.
        """
        backends = self._concerned(order)
        scopes: dict[str, list[Scope]] = {}
        if order.kind is Kind.ALL:
            scopes = {name: [Scope(Kind.ALL)] for name in self.caches}
        else:
            for name, backend in backends.items():
                _add(scopes, _scopes(order, name, backend), backend)
        self._log.info(
            "Purging {kind} {what} of {backend}", kind=order.kind.value,
            what=masked_target(order.name), backend=order.backend or "all backends")
        try:
            return await gatherResults([
                Deferred.fromCoroutine(self._purged(name, tuple(some), order))
                for name, some in scopes.items()], consumeErrors=True)
        finally:
            for backend in backends.values():
                for each in backend.purgeable():
                    each.outdate()

    def _concerned(self, order: PurgeOrder) -> Mapping[str, PurgedBackend]:
        if order.backend is None:
            return self.backends
        if order.backend not in self.backends:
            raise UnknownBackend(order.backend)
        return {order.backend: self.backends[order.backend]}

    async def _purged(self, name: str, scopes: tuple[Scope, ...], order: PurgeOrder) -> Purged:
        purges = (Purge(scope, order.is_soft, order.span) for scope in scopes)
        try:
            return Purged(name, scopes, await self.caches[name].add(*purges))
        except StoreError as error:
            return Purged(name, scopes, fault=str(error))


def _add(scopes: dict[str, list[Scope]], more: Iterator[Scope], backend: PurgedBackend) -> None:
    known = scopes.setdefault(backend.cache, [])
    known += (scope for scope in dict.fromkeys(more) if scope not in known)


def _scopes(order: PurgeOrder, name: str, backend: PurgedBackend) -> Iterator[Scope]:
    if order.kind is Kind.BACKEND:
        yield Scope(Kind.BACKEND, name)
    elif order.kind is Kind.TARGET:
        for target in _targets(order.name, name):
            yield Scope(Kind.TARGET, name, target)
            request = Request(b"GET", target, authority=order.authority)
            for each in backend.purgeable():
                yield from (Scope(Kind.KEY, name, key.encode()) for key in each.keys_of(request))
    elif order.kind is Kind.TAG and order.backend is None:
        yield Scope(Kind.TAG, "", order.name)
    else:
        yield Scope(order.kind, name, order.name)


def _targets(target: bytes, backend: str) -> Iterator[bytes]:
    yield target
    # As clients spell it that name the backend in the path.
    before = b"/" + backend.encode("utf-8", "surrogateescape")
    if target.startswith((before + b"/", before + b"?")) or target == before:
        rest = target[len(before):]
        yield rest if rest.startswith(b"/") else b"/" + rest
