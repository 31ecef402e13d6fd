"""What the management API tells of caches, and of what is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from attrs import define, frozen
from twisted.internet.task import deferLater
from zope.interface import implementer

from trickster.admin.endpoints import own_json
from trickster.interfaces import IResponder
from trickster.messages import MalformedParams, Request, Response
from trickster.observability.logging.masking import masked_target, masked_text
from trickster.stores.inspection.listing import Listed, StoreListing, Wanted
from trickster.stores.limits import StoreUsage

DEFAULT_LIMIT = 100
MOST_LISTED = 1000
_PARAMS = ("prefix", "backend", "limit", "after")
_NS_IN_MS = 1_000_000
# Entries that are told before others have a turn: some milliseconds.
_A_TURN = 100
# Characters of a query, and of all tags together, that are shown.
_LONGEST = 2048


@frozen
class CacheFacts:
    """
    A cache of the configuration.

    :ivar backends: that keep what they have in it.
    :ivar is_failing: whether its store does not work now.
    :ivar usage: how full it is; None where that is not known.
    :ivar listing: of what is in it.
    :ivar kept_for: seconds for which the backend of that name keeps time series after their last
        change; None where there is none.
    :ivar hits: how often what is under a key was given, whole, by this process; None where that
        is not known.
    """

    name: str
    provider: str
    backends: Sequence[str]
    is_failing: Callable[[], bool]
    usage: Callable[[], StoreUsage | None]
    listing: StoreListing
    kept_for: Callable[[str], float | None]
    hits: Callable[[str], int | None]


@implementer(IResponder)
@define
class CacheList:
    """Lists the caches of the configuration."""

    caches: Sequence[CacheFacts]

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: a 200 with all of them.
        """
        return own_json(200, {"caches": [_cache(each) for each in self.caches]})


def _cache(cache: CacheFacts) -> dict[str, Any]:
    usage = cache.usage()
    return {
        "name": cache.name, "provider": cache.provider, "backends": sorted(cache.backends),
        "up": not cache.is_failing(),
        "objects": None if usage is None else usage.objects,
        "bytes": None if usage is None else usage.octets,
        "max_objects": (usage and usage.max_objects) or None,
        "max_bytes": (usage and usage.max_octets) or None}


class _BadQuestion(ValueError):
    """
    A listing was asked for in a way that makes no sense.

    :ivar where: the parameter that is at fault.
    """

    def __init__(self, where: str, problem: str, status: int = 400) -> None:
        super().__init__(problem)
        self.where = where
        self.status = status


@implementer(IResponder)
@define
class CacheEntries:
    """
    Lists what is in a cache: C{PLACE/NAME/entries?prefix=&backend=&limit=&after=}.

    :ivar place: where it is, with a slash at its end.
    :ivar caches: by name.
    """

    place: bytes
    caches: Mapping[str, CacheFacts]

    async def respond(self, request: Request) -> Response:
        """
        See L{IResponder.respond}.

        :return: a 200 with at most C{limit} entries, and C{more} to be given as C{after} where
            there may be others; a 404 where there is no such cache or backend.
        """
        try:
            cache = self._cache(request.path)
            wanted = _wanted(request, cache)
        except _BadQuestion as error:
            where = error.where
            return own_json(error.status, {
                "error": f"{where}: {error}" if where else str(error), "where": where})
        listing = await cache.listing.listed(wanted)
        entries: list[Any] = []
        told: dict[str, Any] = {"entries": entries}
        for start in range(0, len(listing.entries), _A_TURN):
            if start:
                await deferLater(cache.listing.clock, 0)
            entries += (_entry(each, cache) for each in listing.entries[start:start + _A_TURN])
        if listing.more is not None:
            told["more"] = listing.more
        if cache.is_failing():
            return own_json(503, {"error": f"the store of cache {cache.name} does not work",
                                  "where": "", **told}, None)
        return own_json(200, told, None)

    def _cache(self, path: bytes) -> CacheFacts:
        name, _, what = path[len(self.place):].rpartition(b"/")
        text = unquote_to_bytes(name).decode("utf-8", "replace")
        if what != b"entries" or not name:
            _bad("", "not found", 404)
        cache = self.caches.get(text)
        if cache is None:
            _bad("", f"there is no cache {text!r}; there are {', '.join(sorted(self.caches))}", 404)
        return cache


def _wanted(request: Request, cache: CacheFacts) -> Wanted:
    try:
        pairs = request.params.pairs
    except MalformedParams as error:
        raise _BadQuestion("", str(error)) from error
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in _PARAMS:
            _bad(name[:80], f"there is no such parameter; there are {', '.join(_PARAMS)}")
        if name in given:
            _bad(name, "is there twice")
        given[name] = value
    backend = given.get("backend") or None
    if backend is not None and backend not in cache.backends:
        _bad("backend", f"no backend {backend!r} keeps anything in this cache; "
             f"{', '.join(sorted(cache.backends)) or 'none'} does", 404)
    prefix = unquote_to_bytes(given.get("prefix", "").encode("utf-8", "surrogateescape"))
    if prefix and not prefix.startswith(b"/"):
        _bad("prefix", "does not begin with a slash, as paths do")
    return Wanted(_limit(given.get("limit")), backend, prefix, given.get("after", ""))


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 10
            and 1 <= int(text) <= MOST_LISTED):
        _bad("limit", f"has to be a number from 1 to {MOST_LISTED}")
    return int(text)


def _entry(listed: Listed, cache: CacheFacts) -> dict[str, Any]:
    found, label = listed.described, listed.described.label
    age, ttl = found.age, found.ttl
    if found.extents is not None:
        kept_for = cache.kept_for(label.backend)
        ttl = listed.kept
        age = None if ttl is None or kept_for is None else max(0.0, kept_for - ttl)
    told: dict[str, Any] = {
        "key": label.key, "backend": label.backend, "url": masked_target(label.target),
        "size": found.size, "age": _seconds(age), "ttl": _seconds(ttl),
        "hits": cache.hits(label.key)}
    if label.query is not None:
        told["query"] = masked_text(_readable(label.query[:_LONGEST]))
    if found.extents is not None:
        told["extents"] = [[start // _NS_IN_MS, end // _NS_IN_MS]
                           for start, end in found.extents.spans]
        told["step"] = found.extents.step_ns // _NS_IN_MS
    if label.tags:
        told["tags"] = b" ".join(label.tags)[:_LONGEST].decode("utf-8", "backslashreplace").split()
    return told


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _seconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _bad(where: str, problem: str, status: int = 400) -> NoReturn:
    raise _BadQuestion(where, problem, status)
