"""Looking up names of origins, so that one that hangs does not hold up the others."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from threading import Thread
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IReactorThreads,
    IResolutionReceiver,
)
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from zope.interface import implementer

from trickster.net.tracebacks import forget_traceback

# What C{getaddrinfo} gives: family, kind, protocol, canonical name, address.
Entries = Sequence[tuple[Any, Any, Any, Any, Any]]
LookUp = Callable[..., Deferred[Entries]]

_FAMILIES: dict[tuple[type, ...], int] = {(IPv4Address,): socket.AF_INET, (IPv6Address,): socket.AF_INET6}
_KINDS = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}


# Of getaddrinfo's errors, those that say that there is no such name, or no address of it.
# Not every system has the last two.
_UNKNOWN = frozenset(getattr(socket, name, socket.EAI_NONAME)
                     for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY"))


def why_not_found(error: BaseException | None) -> str:
    """
    :param error: what a lookup has raised; None where it has found nothing.
    :return: whether the name is unknown, or that could not be found out, and why.
    """
    if error is None or (isinstance(error, socket.gaierror) and error.errno in _UNKNOWN):
        return "there is no such name"
    if isinstance(error, UnicodeError):
        return "it cannot be a name"
    # Of a file that is not there, or a thread that cannot be started, the text says it all.
    why = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return f"it cannot be told now whether there is such a name: {why or type(error).__name__}"


class LookupThreads:
    """
    A thread for each lookup, in the place of a pool whose threads lookups that hang could all
    take.  The process does not wait for them when it ends: the C library cannot be interrupted.
    """

    def callInThreadWithCallback(self, onResult: Callable[[bool, Any], None],
                                 func: Callable[..., Any], *args: Any, **kw: Any) -> None:
        """
        See L{twisted.python.threadpool.ThreadPool.callInThreadWithCallback}.

        :raises RuntimeError: no thread can be started.
        """
        def run() -> None:
            try:
                result = func(*args, **kw)
            except Exception as error:  # noqa: BLE001 - all who wait for the name are protected
                forget_traceback(error)
                onResult(False, Failure(error))
            else:
                onResult(True, result)

        Thread(target=run, name="trickster-lookup", daemon=True).start()


@implementer(IHostResolution)
@define(eq=False)
class _Lookup:
    """
    One lookup, and all that wait for it.

    :ivar name: that is looked up.
    """

    name: str
    receivers: list[IResolutionReceiver] = field(factory=list)

    def cancel(self) -> None:
        """Cannot be done: the C library goes on."""


@implementer(IHostnameResolver)
@define(eq=False)
class SharedResolver:
    """
    Looks each name up once at a time, however many connections want it.

    Names come from the configuration alone: there are never more lookups, and threads, than
    it has names and ports.

    :ivar look_up: calls C{getaddrinfo} with host, port, family and kind.
    """

    look_up: LookUp
    _under_way: dict[Any, _Lookup] = field(factory=dict, init=False)
    _faults: dict[str, str] = field(factory=dict, init=False)

    def resolveHostName(self, resolutionReceiver: IResolutionReceiver, hostName: str,
                        portNumber: int = 0, addressTypes: Sequence[type] | None = None,
                        transportSemantics: str = "TCP") -> IHostResolution:
        """
        Look a name up, or wait for an equal lookup that is under way.

        :param resolutionReceiver: told at once that the lookup has begun.  When it is over, it is
            told of each address and then, also where there is none, that this was all.
        :param hostName: as the configuration has it.
        :param portNumber: that the addresses are to have.
        :param addressTypes: L{IPv4Address} or L{IPv6Address} alone; None, or both, for addresses
            of either kind.
        :param transportSemantics: C{TCP} or C{UDP}.
        :return: the lookup, the same for all that wait for it.  It cannot be cancelled.
        """
        family = _FAMILIES.get(tuple(addressTypes or ()), socket.AF_UNSPEC)
        question = (hostName, portNumber, family, _KINDS[transportSemantics])
        lookup = self._under_way.get(question)
        is_new = lookup is None
        if lookup is None:
            lookup = self._under_way[question] = _Lookup(hostName)
        lookup.receivers.append(resolutionReceiver)
        resolutionReceiver.resolutionBegan(lookup)
        if is_new:
            maybeDeferred(self.look_up, *question).addBoth(
                self._ended, question, transportSemantics)
        return lookup

    def why_not_found(self, name: str) -> str | None:
        """:return: why the last lookup of a name has found nothing; None where it has."""
        return self._faults.get(name)

    def _ended(self, result: Entries | Failure, question: Any, kind: str) -> None:
        error, entries = (result.value, ()) if isinstance(result, Failure) else (None, result)
        found = list(addresses(entries, kind))
        self._faults.pop(question[0], None)
        if not found:
            self._faults[question[0]] = why_not_found(error)
        for receiver in self._under_way.pop(question).receivers:
            for address in found:
                receiver.addressResolved(address)
            receiver.resolutionComplete()


def addresses(entries: Entries, kind: Any) -> Iterable[IAddress]:
    """
    :param kind: C{TCP} or C{UDP}.
    :return: what C{getaddrinfo} has found, in its order (RFC 6724).
    """
    for family, _, _, _, place in entries:
        if family == socket.AF_INET:
            yield IPv4Address(kind, *place)
        elif family == socket.AF_INET6:
            yield IPv6Address(kind, *place)


def shared_resolver(reactor: IReactorThreads,
                    getaddrinfo: Callable[..., Entries] = socket.getaddrinfo) -> SharedResolver:
    """:return: a resolver that asks the system, in threads of its own."""
    threads: Any = LookupThreads()
    return SharedResolver(
        lambda *question: deferToThreadPool(reactor, threads, getaddrinfo, *question))


class Names(Service):
    """Has a reactor look up names with a resolver of ours, while it runs."""

    def __init__(self, reactor: IReactorPluggableNameResolver, resolver: IHostnameResolver) -> None:
        self._reactor = reactor
        self._resolver = resolver
        self._before: IHostnameResolver | None = None

    def startService(self) -> None:
        """Put the resolver in the place of the reactor's own."""
        super().startService()
        self._before = self._reactor.installNameResolver(self._resolver)

    def stopService(self) -> None:
        """Put the reactor's own back."""
        super().stopService()
        if self._before is not None:
            self._reactor.installNameResolver(self._before)
            self._before = None
