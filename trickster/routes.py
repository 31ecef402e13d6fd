"""What an origin type says about the paths it answers."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from urllib.parse import unquote_to_bytes

from attrs import field, frozen

from trickster.errors import Reason
from trickster.interfaces import IQueryDialect
from trickster.messages import NO_HEADERS, Headers, Params, Request

ALL_METHODS = ("*",)
READ_METHODS = ("GET", "HEAD")


class Serve(Enum):
    """How a path is best served; the values are the C{handler} names in path options."""

    DELTA = "delta"
    OBJECT = "proxycache"
    PROXY = "proxy"
    STATIC = "localresponse"


class Match(Enum):
    """How a path is compared; a prefix matches octet for octet."""

    EXACT = "exact"
    PREFIX = "prefix"


@frozen
class StaticResponse:
    """A response that needs no origin, but is given as it is."""

    status: int
    body: bytes = b""
    headers: Headers = NO_HEADERS


@frozen
class Aligned:
    """
    Parameters whose instants were rounded, so that more requests have the same key.

    :ivar params: what is asked instead.
    :ivar extent: the extent that they ask for, in nanoseconds since the epoch; None for an
        end that was not given.
    """

    params: Params
    extent: tuple[int | None, int | None]


@frozen
class Translation:
    """
    A request in the words of an origin that does not know all that clients see.

    :ivar path: of the origin that answers it.
    :ivar params: of query and form together.
    :ivar accept: what the client takes, less what cannot be translated back; None for all.
    :ivar answer: puts the octets of a whole 200 answer into the client's words; None where
        they are.  It may raise a L{trickster.errors.RequestError}.
    """

    path: bytes
    params: Params
    accept: bytes | None = None
    answer: Callable[[bytes], bytes] | None = None


Translate = Callable[[Request, Params], Translation]


@frozen
class Route:
    """
    One path of an origin type, and how it is served.

    :ivar path: as the origin knows it, without the backend's prefix.
    :ivar methods: upper case; C{"*"} for all.  GET includes HEAD.
    :ivar handler: an alternative name for C{serve} in path options ("query_range").
    :ivar dialect: what its range queries are written in; every C{Serve.DELTA} route has one,
        and several routes may share it.
    :ivar ttl: seconds that answers are fresh, also against their headers' lifetime, or None to
        go by the headers (object cache only).  Who may see an answer, and whether it may be
        stored, the headers say in any case.
    :ivar ignored_params: parameters that cannot change an answer and are no part of its key.
    :ivar key_headers: request headers, in lower case, whose values are part of the key.
    :ivar form: whether a POST with an urlencoded form has the key of a GET with those
        parameters.
    :ivar statement: the parameter, where C{form}, that has the query in the words of the origin, by
        which answers are purged; empty where there is none.
    :ivar normalise: makes requests for the same equal before the key is made; its result is
        used for the key and sent to the origin.  It changes no answer.
    :ivar align: rounds the instants that are asked for, after C{normalise}; None where there
        is nothing to round.  The result header names the extent that is answered.  It is not
        used in C{timeseries_step_mode: phase}.
    :ivar transform: applied to the octets of a whole 200 answer before it is stored.
    :ivar unkept: looks at the octets of a whole 200 answer, as the origin sent them, and says
        why they must not be stored although status and headers would allow it; None where
        they may be.
    :ivar translate: puts every request that is sent to the origin, be it for a cache or past
        it, into other words; its second argument are the parameters of query and form.  The
        key is made of the client's.  It may raise a L{trickster.errors.RequestError}.
    :ivar static: the answer of a C{Serve.STATIC} route.
    """

    path: str
    serve: Serve
    match: Match = Match.EXACT
    methods: tuple[str, ...] = READ_METHODS
    handler: str = ""
    ttl: float | None = None
    ignored_params: frozenset[str] = frozenset()
    key_headers: tuple[bytes, ...] = ()
    form: bool = False
    normalise: Callable[[Params], Params] | None = None
    align: Callable[[Params], Aligned | None] | None = None
    transform: Callable[[bytes], bytes] | None = None
    unkept: Callable[[bytes], Reason | None] | None = None
    translate: Translate | None = None
    static: StaticResponse | None = None
    statement: str = ""
    dialect: IQueryDialect | None = field(default=None, repr=False)

    def is_for(self, path: bytes) -> bool:
        """
        :param path: as on the wire, without a query.
        :return: whether it may be served by this route, unless another one is more specific.
        """
        asked, own = unquote_to_bytes(path), unquote_to_bytes(self.path)
        return asked == own or self.match is Match.PREFIX and asked.startswith(own)


@frozen
class Probe:
    """
    A health check.

    :ivar target: path and query.
    :ivar expected: status codes that mean health.
    """

    target: bytes = b"/"
    method: bytes = b"GET"
    expected: tuple[int, ...] = (200,)
    headers: Headers = NO_HEADERS
