"""Requests, responses and what became of them: frozen values."""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import quote_from_bytes, unquote_to_bytes

from attrs import define, field, frozen
from zope.interface import implementer

from trickster.errors import Reason
from trickster.interfaces import IBody
from trickster.remembering import remembered
from trickster.spans import Span

T = TypeVar("T")

Pair = tuple[bytes, bytes]

# Statuses of answers that no cache stores: those to a request's own condition, range, body,
# credentials or pace, and those of which RFC 6585 says so (428, 429, 431, 511).  494 to 497 are
# nginx's.
NEVER_STORED = frozenset((
    206, 304, 407, 408, 411, 412, 413, 415, 416, 417, 421, 425, 426, 428, 429, 431, 494, 495,
    496, 497, 505, 511))

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_LONG = 4096
_UNRESERVED = "-._~"
# How a frozen object keeps what it has made of itself.
_set = object.__setattr__
_DERIVED = object()  # no name of a field


@frozen(eq=True, slots=True)
class Headers:
    """
    Header fields in the order they came, names in any case.

    :ivar pairs: name and value as on the wire, without surrounding white space.
    """

    pairs: tuple[Pair, ...] = ()
    # All values by name, and what functions have made of them; filled when first asked for.
    # A cached_property of a class with slots would cost as much as what it keeps.
    _known: dict[Any, Any] | None = field(default=None, init=False, eq=False, repr=False)

    def _by_name(self) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for name, value in self.pairs:
            found.setdefault(name.lower(), []).append(value)
        _set(self, "_known", found)
        return found

    def derived(self, make: Callable[[Headers, Any], T], other: object = None) -> T:
        """
        Make something of these fields and of another object, once for as long as it is the
        very same object.

        Worth its price for the fields of an answer that is given again and again.

        :param make: a pure function of both; which one it is tells what it makes apart.
        :param other: the last one is held on to.
        :return: what it makes; not to be changed.
        """
        known = self._known or self._by_name()
        derived = known.get(_DERIVED)
        if derived is None:
            derived = known[_DERIVED] = {}
        found = derived.get(make)
        if found is None or found[0] is not other:
            found = derived[make] = other, make(self, other)
        made: T = found[1]
        return made

    def get(self, name: bytes) -> bytes | None:
        """
        :param name: in lower case.
        :return: the first value of that name, or None.
        """
        values = (self._known or self._by_name()).get(name)
        return values[0] if values else None

    def get_all(self, name: bytes) -> list[bytes]:
        """
        :param name: in lower case.
        :return: every value of that name, in order; not to be changed.
        """
        values: list[bytes] = (self._known or self._by_name()).get(name, [])
        return values

    def joined(self, name: bytes) -> bytes | None:
        """
        :param name: in lower case.
        :return: all values as one list-valued field (RFC 9110 section 5.3), or None.
        """
        values = (self._known or self._by_name()).get(name)
        return b", ".join(values) if values else None

    def has_any(self, names: frozenset[bytes]) -> bool:
        """
        :param names: in lower case.
        :return: whether there is a field of any of these names.
        """
        return not names.isdisjoint(self._known or self._by_name())

    def among(self, names: frozenset[bytes]) -> frozenset[bytes]:
        """
        :param names: in lower case.
        :return: those of them that there is a field of.
        """
        return names.intersection(self._known or self._by_name())

    def __contains__(self, name: bytes) -> bool:
        return name in (self._known or self._by_name())

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def without(self, *names: bytes) -> Headers:
        """
        :param names: in lower case.
        :return: the same without the fields of these names.
        """
        return self.excluding(frozenset(names))

    def excluding(self, names: frozenset[bytes]) -> Headers:
        """:return: the same without those of any of these names, which are in lower case."""
        left = Headers(tuple([pair for pair in self.pairs if pair[0].lower() not in names]))
        known = self._known
        if known:
            # What is known already need not be found out again.
            rest = known.copy()
            rest.pop(_DERIVED, None)
            for name in names.intersection(known):
                del rest[name]
            _set(left, "_known", rest)
        return left

    def with_set(self, name: bytes, value: bytes) -> Headers:
        """:return: the same with this as the only value of that name, at the end."""
        return Headers((*self.without(name.lower()).pairs, (name, value)))

    def with_added(self, *pairs: Pair) -> Headers:
        """:return: the same with more fields at the end."""
        return Headers(self.pairs + pairs)


NO_HEADERS = Headers()

_PLAIN_TYPE = re.compile(
    rb"([!#$&^_.+\-0-9A-Za-z]+/[!#$&^_.+\-0-9A-Za-z]+)"
    rb'(?:[ \t]*;[ \t]*charset=(?:utf-8|"utf-8"))?[ \t]*;?', re.IGNORECASE)


def media_type(headers: Headers) -> bytes | None:
    """
    :return: what C{Content-Type} says (RFC 9110 section 8.3.1), in lower case; empty where
        there is none, None where there are several, or where it has parameters that change
        how a body is to be read.
    """
    said = headers.get_all(b"content-type")
    if not said:
        return b""
    found = _PLAIN_TYPE.fullmatch(said[0]) if len(said) == 1 else None
    return None if found is None else found[1].lower()


#: What is read of parameters at most, in octets and in number: reading more would hold the
#: event loop for longer than a cache may.
LONGEST_PARAMS = 131_072
MOST_PARAMS = 1000


class MalformedParams(ValueError):
    """
    A query string or form that receivers may read in different ways, or that is too long, or
    has too many parameters, to be read here.
    """


@frozen(slots=True)
class Params:
    """
    The decoded parameters of a query string or an urlencoded form.

    Octets that are not UTF-8 survive as surrogate escapes, so that encoding gives them back.

    :ivar pairs: name and value, in the order they came.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, octets: bytes) -> Params:
        """
        :param octets: C{application/x-www-form-urlencoded}.
        :raises MalformedParams: a broken percent escape, or a raw semicolon, which some
            origins read as a separator and others refuse; or more than L{LONGEST_PARAMS}
            octets or L{MOST_PARAMS} parameters.
        """
        return cls(_parse_pairs(octets)) if octets else NO_PARAMS

    def get(self, name: str) -> str | None:
        """:return: the first value of that name, or None."""
        for key, value in self.pairs:
            if key == name:
                return value
        return None

    def get_all(self, name: str) -> list[str]:
        """:return: every value of that name, in order."""
        return [value for key, value in self.pairs if key == name]

    def without(self, *names: str) -> Params:
        """:return: the same without any parameter of these names."""
        return Params(tuple(p for p in self.pairs if p[0] not in names))

    def replaced(self, **values: str) -> Params:
        """:return: the same with each named parameter present once, with this value."""
        return Params(self.without(*values).pairs + tuple(values.items()))

    def encode(self) -> bytes:
        """:return: the urlencoded form; spaces are C{+}."""
        return "&".join(f"{_quoted(k)}={_quoted(v)}" for k, v in self.pairs).encode("ascii")


def _quoted(text: str) -> str:
    octets = text.encode("utf-8", "surrogateescape")
    return quote_from_bytes(octets, _UNRESERVED + " ").replace(" ", "+")


def _unquoted(octets: bytes) -> str:
    if b"%" in octets:
        if _BROKEN_ESCAPE.search(octets) is not None:
            raise MalformedParams(f"a broken percent escape in {octets[:200]!r}")
        octets = _unescaped(octets.replace(b"+", b" "))
    elif b"+" in octets:
        octets = octets.replace(b"+", b" ")
    return octets.decode("utf-8", "surrogateescape")


def _unescaped(octets: bytes) -> bytes:
    if len(octets) < _LONG:
        return unquote_to_bytes(octets)
    # Of thousands of escapes, that makes an object each.  Quoted-printable (RFC 2045 section
    # 6.7) is the same with another mark, and is read in C.
    return a2b_qp(octets.replace(b"=", b"%3D").replace(b"%", b"="))


def _parse_pairs(octets: bytes) -> tuple[tuple[str, str], ...]:
    if len(octets) > LONGEST_PARAMS or octets.count(b"&") >= MOST_PARAMS:
        raise MalformedParams("too many parameters to be read")
    if b";" in octets:
        raise MalformedParams("a raw semicolon in parameters")
    pairs = []
    for piece in octets.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((_unquoted(name), _unquoted(value)))
    return tuple(pairs)


NO_PARAMS = Params()


@implementer(IBody)
@define(slots=True)
class Octets:
    """A body that is here already."""

    octets: bytes = b""
    _is_read: bool = field(default=False, init=False, eq=False, repr=False)

    @property
    def length(self) -> int:
        """:return: octets in all, also when they have been read."""
        return len(self.octets)

    async def read(self) -> bytes:
        """:return: everything, then C{b""}."""
        if self._is_read:
            return b""
        self._is_read = True
        return self.octets

    def close(self) -> None:
        """Nothing to give back."""


def empty_body() -> Octets:
    """:return: a body of no octets."""
    return Octets()


@frozen(slots=True)
class Peer:
    """
    Who sent a request, and over what.

    :ivar host: the client's address, without a port.
    :ivar port: the client's port, 0 where there is none.
    :ivar secure: whether it came over TLS.
    :ivar local_port: the port it came in on.
    :ivar client: the address of the client that asked the first proxy in front of us, as far
        as trusted ones tell it; empty where the peer is the client.
    """

    host: str = ""
    port: int = 0
    secure: bool = False
    local_port: int = 0
    client: str = ""


@frozen(slots=True)
class Principal:
    """
    Whom an authenticator has found a request to come from.

    :ivar name: of the user, client or tenant; what the authenticator vouches for.
    :ivar claims: what else it vouches for, by name, in order of names.
    """

    name: str
    claims: tuple[tuple[str, str], ...] = ()


@define(eq=False, slots=True)
class Collecting:
    """
    Says whether an answer is read whole before any client gets it.

    :ivar is_on: whether it is still.
    """

    is_on: bool = True

    def end(self) -> None:
        """From now on it is passed to a client as it comes."""
        self.is_on = False


# Without slots: attrs then fills a frozen instance in a third of the time.
@frozen(slots=False)
class Request:
    """
    One HTTP request.

    :ivar method: as on the wire; methods are case-sensitive.
    :ivar target: path and query, in origin form, as octets (RFC 9112 section 3.2.1).
    :ivar headers: without hop-by-hop handling; the sender of the request strips those fields.
    :ivar body: read at most once.
    :ivar authority: host and port asked for, from C{Host} or the absolute form.
    :ivar version: of HTTP, as in C{b"HTTP/1.1"}.
    :ivar interim: called with status and headers of an interim (1xx) answer that
        should be relayed, or None where the client could not take one.
    :ivar configured: names, in lower case, of fields that the configuration decides about:
        they go to the origin as they stand in C{headers}, or do not go at all.
    :ivar collecting: where its answer is read whole before any client gets it, says so: in that
        case an origin that falls silent in the middle hangs, and does not just have nothing to
        tell yet.
    :ivar noted: called with name and value of what is decided on the way, for the log; None
        where that is not logged.
    :ivar identity: whom an authenticator has found it to come from; None where none was asked.
        Answers are never shared between different ones.
    :ivar span: the time in which it is answered, for observers; None where nothing observes.
    """

    method: bytes
    target: bytes
    headers: Headers = NO_HEADERS
    body: IBody = field(factory=empty_body, eq=False)
    authority: bytes = b""
    peer: Peer = Peer()
    version: bytes = b"HTTP/1.1"
    interim: Callable[[int, Headers], None] | None = field(default=None, eq=False, repr=False)
    configured: frozenset[bytes] = frozenset()
    collecting: Collecting | None = field(default=None, eq=False, repr=False)
    noted: Callable[[str, object], None] | None = field(default=None, eq=False, repr=False)
    identity: Principal | None = None
    span: Span | None = field(default=None, eq=False, repr=False)

    def with_target(self, target: bytes) -> Request:
        """:return: the same request for another path and query."""
        # attrs.evolve does the same at four times the cost: so in the next ones.
        return Request(
            self.method, target, self.headers, self.body, self.authority, self.peer,
            self.version, self.interim, self.configured, self.collecting, self.noted,
            self.identity, self.span)

    def with_headers(self, headers: Headers) -> Request:
        """:return: the same request with these fields and no others."""
        return Request(
            self.method, self.target, headers, self.body, self.authority, self.peer,
            self.version, self.interim, self.configured, self.collecting, self.noted,
            self.identity, self.span)

    def with_body(self, body: IBody) -> Request:
        """:return: the same request with another body."""
        return Request(
            self.method, self.target, self.headers, body, self.authority, self.peer,
            self.version, self.interim, self.configured, self.collecting, self.noted,
            self.identity, self.span)

    def with_span(self, span: Span | None) -> Request:
        """:return: the same request, observed by another observer or by none."""
        return Request(
            self.method, self.target, self.headers, self.body, self.authority, self.peer,
            self.version, self.interim, self.configured, self.collecting, self.noted,
            self.identity, span)

    @property
    def path(self) -> bytes:
        """:return: the target without its query, percent-encoded as the client sent it."""
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        """:return: the target's query, without the question mark; empty where it has none."""
        return self.target.partition(b"?")[2]

    @property
    def params(self) -> Params:
        """
        :return: the query's parameters, not those of a form.
        :raises MalformedParams: as L{Params.parse}.
        """
        return parsed_query(self.query)


@remembered(8 << 20)
def parsed_query(octets: bytes) -> Params:
    """
    L{Params.parse}, remembered: dashboards ask the same again and again.

    :raises MalformedParams: as L{Params.parse}; failures are not remembered.
    """
    return Params.parse(octets)


class Engine(Enum):
    """What answered, in Trickster's words for the result header."""

    PROXY = "HTTPProxy"
    OBJECT = "ObjectProxyCache"
    DELTA = "DeltaProxyCache"


class Status(Enum):
    """How a cache lookup went, in Trickster's words."""

    HIT = "hit"
    PARTIAL_HIT = "phit"
    RANGE_MISS = "rmiss"
    KEY_MISS = "kmiss"
    REVALIDATED = "rhit"
    NEGATIVE_HIT = "nchit"
    PROXY_HIT = "proxy-hit"
    PROXY_ONLY = "proxy-only"
    PROXY_ERROR = "proxy-error"
    PURGE = "purge"
    ERROR = "error"


def passed_status(status: int) -> Status:
    """
    :param status: of an origin's answer that is passed on and not kept.
    :return: C{proxy-error} where the origin failed (5xx).  Where it refuses a request (4xx),
        that is the client's matter, and no failure of the origin.
    """
    return Status.PROXY_ERROR if status >= 500 else Status.PROXY_ONLY


class FastForward(Enum):
    """What became of the newest sample beside a range."""

    HIT = "hit"
    MISS = "miss"
    OFF = "off"
    ERROR = "err"


@frozen(slots=True)
class Outcome:
    """
    How an answer came about.  One module makes header, log line, metrics and span of it.

    :ivar reason: why it is not a full hit; None for a full hit.
    :ivar missed: why nothing stored did, where C{reason} is about something else.
    :ivar cause: what the origin did instead of answering, where an answer is stale for that.
    :ivar detail: a few words more, where C{reason} alone would puzzle.
    :ivar fetched: extents asked of the origin, as (start, end) in nanoseconds, inclusive.
    :ivar failed: those of them that the origin failed to answer.
    :ivar aligned: the extent answered, where alignment changed the one asked for; None for
        an end that has none.
    :ivar points_cached: timestamps times series served from the cache, where known.
    :ivar points_fetched: the same for what the origin was asked for.
    :ivar stored: whether the answer, or what was new in it, went to the cache.
    :ivar ttl: seconds of freshness left, where the cache knows (RFC 9211 section 2.4).
    :ivar age: seconds since the answer was made, or None where it was made just now.
    """

    engine: Engine = Engine.PROXY
    status: Status = Status.PROXY_ONLY
    reason: Reason | None = None
    detail: str = ""
    fetched: tuple[tuple[int, int], ...] = ()
    failed: tuple[tuple[int, int], ...] = ()
    fast_forward: FastForward | None = None
    aligned: tuple[int | None, int | None] | None = None
    points_cached: int = 0
    points_fetched: int = 0
    stored: bool = False
    ttl: float | None = None
    age: float | None = None
    origin_status: int | None = None
    missed: Reason | None = None
    cause: Reason | None = None


PROXIED = Outcome(reason=Reason.PROXY_PATH)


@frozen(slots=False)  # as with requests
class Response:
    """
    One final HTTP answer.

    :ivar headers: end-to-end fields only.  No C{Content-Length} and no
        C{Transfer-Encoding}: framing is made from C{body.length} when it is sent, except
        for answers to HEAD and for 304, whose C{Content-Length} is a statement
        (RFC 9110 section 8.6) and is kept.
    :ivar body: read at most once, by the response's holder.
    :ivar phrase: the reason phrase, where the origin's own is to be kept.
    :ivar is_doubtful: whether servers may differ about what it is: then no cache keeps it.
    """

    status: int
    headers: Headers = NO_HEADERS
    body: IBody = field(factory=empty_body, eq=False)
    outcome: Outcome = PROXIED
    phrase: bytes = b""
    is_doubtful: bool = False

    def with_outcome(self, outcome: Outcome) -> Response:
        """:return: the same answer, come about in another way."""
        return Response(self.status, self.headers, self.body, outcome, self.phrase,
                        self.is_doubtful)

    def with_headers(self, headers: Headers) -> Response:
        """:return: the same answer with these fields and no others."""
        return Response(self.status, headers, self.body, self.outcome, self.phrase,
                        self.is_doubtful)

    def with_body(self, body: IBody) -> Response:
        """:return: the same answer with another body."""
        return Response(self.status, self.headers, body, self.outcome, self.phrase,
                        self.is_doubtful)


def text_response(status: int, text: str, outcome: Outcome = PROXIED,
                  headers: Iterable[Pair] = ()) -> Response:
    """:return: a small answer of our own, in plain text."""
    fields = ((b"Content-Type", b"text/plain; charset=utf-8"), *headers)
    return Response(status, Headers(fields), Octets(text.encode()), outcome)


def octets_of(body: Any) -> bytes | None:
    """:return: the octets of a body that is here whole, or None."""
    return body.octets if type(body) is Octets else None
