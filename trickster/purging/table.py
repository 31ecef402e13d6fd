"""
Which entries of a cache are purged: pure.

A purge is a rule with a number, and an entry has the number of the newest rule that was known
when its fetch began, or that it has survived since: a rule with a greater number that names the
entry has it purged, wherever and whenever that was stored.  So a purge costs the same however
many entries there are, and no clock has a part in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cached_property
from hashlib import blake2b
from operator import attrgetter, itemgetter
from typing import Annotated
from urllib.parse import unquote_to_bytes

import msgspec
from attrs import evolve, field, frozen

from trickster.purging.label import Label, plain_target
from trickster.purging.selection import may_select
from trickster.remembering import SizedLRU

# Another number for every change of the form.
_MAGIC = b"TkP2"
_DIGEST = 16
# Rules of one table; where there would be more, the older half becomes one for everything.
MOST_RULES = 2000
# Those by matchers, each of which every entry's query is compared with; where there would be more,
# the older half becomes rules for their backends.
MOST_MATCHERS = 64
# Octets of memory in which judgements of one table are remembered, with the labels, which have
# targets as long as clients like.
_MOST_KNOWN = 2 << 20
# Octets of one table in a store, lest what a store gives be more than memory takes.
_MOST_OCTETS = 4 << 20

# Seconds for which a rule is kept that no entry can be old enough for: clocks differ, and no process
# may take for lost what another one has dropped.
_CLOCKS = 3600.0

# Far below what 64 bits hold: there is always a next number.
_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]


class Verdict(Enum):
    """What becomes of an entry."""

    SPARED = "spared"
    STALE = "stale"
    GONE = "gone"


class Kind(Enum):
    """What a rule names entries by."""

    ALL = "all"
    BACKEND = "backend"
    KEY = "key"
    PATH = "path"
    PREFIX = "prefix"
    TAG = "tag"
    QUERY = "query"
    MATCHER = "matcher"
    TARGET = "target"


_OF_PATHS = frozenset((Kind.PATH, Kind.PREFIX))


@frozen
class Scope:
    """
    Which entries a rule is for.

    :ivar backend: whose; empty for all backends of the cache, where the kind allows that.
    :ivar name: what the kind says: a key, path, beginning of a path, tag, query, vector
        selector, or path and query of a request.  How octets of these are percent-encoded
        makes no difference, nor how much space there is in a query of a database.
    """

    kind: Kind
    backend: str = ""
    name: bytes = b""

    @property
    def canonical(self) -> Scope:
        """:return: the same, without what its kind has no use for, and as L{judged} looks it up."""
        if self.kind is Kind.ALL:
            return Scope(Kind.ALL)
        if self.kind is Kind.BACKEND:
            return Scope(Kind.BACKEND, self.backend)
        if self.kind is Kind.QUERY:
            return evolve(self, name=_spaced(self.name))
        if self.kind in _OF_PATHS:
            return evolve(self, name=unquote_to_bytes(self.name))
        if self.kind is Kind.TARGET:
            return evolve(self, name=plain_target(self.name))
        return self


@frozen
class Purge:
    """
    A rule that is to be added.

    :ivar is_soft: whether entries become stale, and are not gone.
    :ivar span: of time, both ends inclusive, in nanoseconds: what of a time series lies outside
        stays.  Other answers do not tell of what time they are, and are gone.
    """

    scope: Scope
    is_soft: bool = False
    span: tuple[int, int] | None = None


class _Rule(msgspec.Struct, array_like=True, frozen=True):
    kind: Kind
    backend: str
    name: bytes
    hard: _Count  # the newest number of those that make entries gone; 0 for none
    soft: _Count
    at: float  # when the newest was added, in seconds since the epoch
    spans: list[tuple[int, int, int]]  # number, start, end

    @property
    def newest(self) -> int:
        """The newest number of them all."""
        return max(self.hard, self.soft, *(number for number, _, _ in self.spans), 0)

    def holds(self, earlier: _Rule) -> bool:
        """:return: whether this says all that an earlier one for the same entries did."""
        return self.hard >= earlier.newest or (
            self.hard >= earlier.hard and self.soft >= earlier.soft
            and set(earlier.spans) <= set(self.spans))


class _Stored(msgspec.Struct, array_like=True):
    sequence: _Count
    rules: list[_Rule]
    longest: Annotated[float, msgspec.Meta(ge=0, le=1e12)]


_reader = msgspec.msgpack.Decoder(_Stored)
_writer = msgspec.msgpack.Encoder()


@frozen
class Judgement:
    """
    What the rules say of an entry.

    :ivar spans: of a time series, that are gone, in nanoseconds, both ends inclusive.
    """

    verdict: Verdict = Verdict.SPARED
    spans: tuple[tuple[int, int], ...] = ()


_SPARED = Judgement()
_GONE = Judgement(Verdict.GONE)


@frozen
class PurgeTable:
    """
    All rules of one cache.

    :ivar sequence: the number of the newest rule.
    :ivar longest: seconds that an entry is kept, at most, after it was last put, by any process
        that has made rules here: older ones are of no use any more.
    """

    sequence: int = 0
    _rules: Mapping[Scope, _Rule] = field(factory=dict)
    longest: float = 0.0
    # Judgements that were given: an entry is judged at each of its hits.
    _known: SizedLRU[tuple[Label, int], Judgement] = field(
        factory=lambda: SizedLRU(_MOST_KNOWN), init=False, eq=False, repr=False)

    @classmethod
    def of_all(cls, wall: float, after: int = 0) -> PurgeTable:
        """
        :param wall: seconds since the epoch.
        :param after: the number of the newest rule that is known of the table in whose place it is.
        :return: a new table, by which all that was stored earlier is gone: where a table was
            lost, what it said is not known.
        """
        number = max(after + 1, int(wall * 1_000_000))
        scope = Scope(Kind.ALL)
        return cls(number, {scope: _Rule(scope.kind, "", b"", number, 0, wall, [])})

    @classmethod
    def decoded(cls, octets: bytes | None) -> PurgeTable | None:
        """:return: what L{encoded} made; None where the octets are nothing of ours, or damaged."""
        if octets is None or len(octets) > _MOST_OCTETS or octets[:len(_MAGIC)] != _MAGIC:
            return None
        body = octets[len(_MAGIC) + _DIGEST:]
        if _digest_of(body) != octets[len(_MAGIC):len(_MAGIC) + _DIGEST]:
            return None
        try:
            stored = _reader.decode(body)
        except (ValueError, RecursionError):
            return None
        return cls(stored.sequence, {
            Scope(rule.kind, rule.backend, rule.name): rule for rule in stored.rules},
            stored.longest)

    def encoded(self) -> bytes:
        """:return: the table, as a store keeps it: its first octets tell it from all others."""
        body = _writer.encode(_Stored(self.sequence, list(self._rules.values()), self.longest))
        return _MAGIC + _digest_of(body) + body

    def lasting(self, longest: float) -> PurgeTable:
        """
        :param longest: seconds that a process keeps entries, at most.
        :return: the table, with its rules kept for as long as this takes.
        """
        return self if longest <= self.longest else evolve(self, longest=longest)

    def follows(self, earlier: PurgeTable, wall: float) -> bool:
        """
        :param earlier: a table of the same cache, as it was looked at before.
        :param wall: seconds since the epoch.
        :return: whether this one was made of it: not where a store has come back as it was before
            the last purge, be there others since.
        """
        if self.sequence < earlier.sequence:
            return False
        last = earlier._last
        if last is None or _is_over(last, wall, self.longest):
            return True
        now = self._rules.get(Scope(last.kind, last.backend, last.name))
        wider = map(self._rules.get, (Scope(Kind.ALL), Scope(Kind.BACKEND, last.backend)))
        return (now is not None and now.holds(last)) or any(
            rule is not None and rule.hard >= last.newest for rule in wider)

    def with_purge(self, purge: Purge, wall: float) -> PurgeTable:
        """
        :param wall: seconds since the epoch.
        :return: the table with one rule more.
        """
        number = self.sequence + 1
        purge = evolve(purge, scope=purge.scope.canonical)
        old = self._rules.get(purge.scope)
        made = _added(purge, number, wall, old)
        rules = {scope: rule for scope, rule in self._rules.items()
                 if scope != purge.scope and not _is_over(rule, wall, self.longest + _CLOCKS)}
        if made.kind is Kind.ALL and made.hard == number:
            rules = {}  # all that they named is gone
        rules[purge.scope] = made
        if purge.scope.kind is Kind.MATCHER:
            rules = _few_matchers(rules)
        return evolve(self, sequence=number, rules=_few(rules, wall))

    def judged(self, label: Label, mark: int) -> Judgement:
        """
        :param label: of an entry.
        :param mark: its number.
        :return: what becomes of the entry.
        """
        judgement = self._known.get((label, mark))
        if judgement is None:
            judgement = self._judged(label, mark)
            self._known.put((label, mark), judgement, label.nbytes)
        return judgement

    def _judged(self, label: Label, mark: int) -> Judgement:
        if mark > self.sequence:
            return _GONE  # stored by another table's numbers
        is_stale, spans = False, list[tuple[int, int]]()
        for rule in self._naming(label):
            if rule.newest <= mark:
                continue
            if rule.hard > mark:
                return _GONE
            is_stale = is_stale or rule.soft > mark
            spans += ((start, end) for number, start, end in rule.spans if number > mark)
        if not is_stale and not spans:
            return _SPARED
        return Judgement(Verdict.STALE if is_stale else Verdict.SPARED, tuple(spans))

    def _naming(self, label: Label) -> Iterator[_Rule]:
        """:return: the rules that name an entry."""
        for scope in self._scopes(label):
            rule = self._rules.get(scope)
            if rule is not None:
                yield rule
        if label.query is not None:
            for rule in self._matchers:
                if rule.backend == label.backend and may_select(_text(rule.name), label.query):
                    yield rule

    def _scopes(self, label: Label) -> Iterator[Scope]:
        backend = label.backend
        yield Scope(Kind.ALL)
        yield Scope(Kind.BACKEND, backend)
        yield Scope(Kind.KEY, backend, label.key.encode())
        if label.group != label.key:
            yield Scope(Kind.KEY, backend, label.group.encode())
        yield Scope(Kind.TARGET, backend, label.plain_target)
        path = label.plain_path
        yield Scope(Kind.PATH, backend, path)
        for length in self._prefix_lengths:
            if length <= len(path):
                yield Scope(Kind.PREFIX, backend, path[:length])
        for tag in label.tags:
            yield Scope(Kind.TAG, backend, tag)
            yield Scope(Kind.TAG, "", tag)
        if label.query is not None:
            query = label.query.encode("utf-8", "surrogateescape")
            yield Scope(Kind.QUERY, backend, _spaced(query))

    @cached_property
    def _last(self) -> _Rule | None:
        return max(self._rules.values(), key=attrgetter("newest"), default=None)

    @cached_property
    def _matchers(self) -> tuple[_Rule, ...]:
        return tuple(rule for rule in self._rules.values() if rule.kind is Kind.MATCHER)

    @cached_property
    def _prefix_lengths(self) -> frozenset[int]:
        return frozenset(len(scope.name) for scope in self._rules if scope.kind is Kind.PREFIX)


def _added(purge: Purge, number: int, wall: float, old: _Rule | None) -> _Rule:
    scope = purge.scope
    hard, soft, spans = (old.hard, old.soft, list(old.spans)) if old else (0, 0, [])
    if purge.span is not None:
        spans.append((number, *purge.span))
    elif purge.is_soft:
        soft = number
    else:
        hard, spans = number, []
    return _Rule(scope.kind, scope.backend, scope.name, hard, soft, wall, spans)


def _is_over(rule: _Rule, wall: float, longest: float) -> bool:
    if rule.kind is Kind.ALL:
        return False
    return rule.at + longest < wall


def _few(rules: dict[Scope, _Rule], wall: float) -> dict[Scope, _Rule]:
    if sum(1 + len(rule.spans) for rule in rules.values()) <= MOST_RULES:
        return rules
    # Rather everything is fetched again than anything that was purged is used.
    in_order = sorted(rules.items(), key=lambda item: item[1].newest)
    older, newer = in_order[:len(in_order) // 2 + 1], in_order[len(in_order) // 2 + 1:]
    number = max(rule.newest for _, rule in older)
    scope = Scope(Kind.ALL)
    return {**dict(newer), scope: _Rule(scope.kind, "", b"", number, 0, wall, [])}


def _few_matchers(rules: dict[Scope, _Rule]) -> dict[Scope, _Rule]:
    matchers = sorted(((rule.newest, scope) for scope, rule in rules.items()
                       if scope.kind is Kind.MATCHER), key=itemgetter(0))
    if len(matchers) <= MOST_MATCHERS:
        return rules
    left = dict(rules)
    for number, scope in matchers[:len(matchers) // 2]:
        rule = left.pop(scope)
        whole = Scope(Kind.BACKEND, scope.backend)
        old = left.get(whole) or _Rule(whole.kind, whole.backend, b"", 0, 0, rule.at, [])
        left[whole] = msgspec.structs.replace(old, hard=max(old.hard, number), at=max(old.at, rule.at))
    return left


def _digest_of(octets: bytes) -> bytes:
    return blake2b(octets, digest_size=_DIGEST).digest()


def _spaced(query: bytes) -> bytes:
    """:return: a query, however much space is in it."""
    return b" ".join(query.split())


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
