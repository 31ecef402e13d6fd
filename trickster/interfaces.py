"""
The seams: every interface that a plugin or a test double may provide.

Nothing here imports Twisted.  Times in the time-series model are C{int} nanoseconds
since the Unix epoch, UTC (names end in C{_ns}); durations given to a clock are C{float}
seconds; sizes are C{int} octets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from trickster.errors import Reason, RequestError
    from trickster.messages import Request, Response
    from trickster.routes import Probe, Route, StaticResponse
    from trickster.stores.limits import Inspected, StoreLimits, StoreUsage
    from trickster.timeseries.dataset import Dataset
    from trickster.timeseries.query import DatasetAnswer, TimeRangeQuery


class IResponder(Interface):
    """
    Answers requests.  Everything on a request's path is one of these: a router, a cache,
    a load balancer, a mirror, an upstream connection pool.
    """

    def respond(request: Request) -> Awaitable[Response]:
        """
        Answer one request, also with an error status.

        :param request: a value: to change it, pass a changed copy on.
        :return: an awaitable of the answer.  The caller awaits it exactly once, may cancel
            it, and owns the body of the answer: it reads it to its end or closes it.
        :raises trickster.errors.RequestError: no answer can be given; the frontend uses
            the error's own status.
        """


class IRefuser(Interface):
    """A responder that can also tell a client why its request is not answered."""

    def refused(request: Request, error: RequestError) -> Awaitable[Response]:
        """
        Refuse a request as what would have answered it does; its body is not read.

        :param error: why.
        :return: an awaitable of the refusal, in the form that clients of the origin know; it
            does not wait.
        :raises trickster.errors.RequestError: C{error}, where the form is for an outer responder
            to find.
        """


class IBody(Interface):
    """
    A body that may not be here yet.  Not an async generator: under Twisted one
    that its reader has left is never finished.
    """

    length = Attribute("C{Optional[int]}: octets in all, None when not known")

    def read() -> Awaitable[bytes]:
        """
        :return: some octets (any buffer); C{b""} at the end.  The network is read from only
            while a reader waits here: that is the back pressure.  Cancelling is allowed, and
            nothing may be read after it.
        :raises trickster.errors.UpstreamBroke: the sender went away in the middle.
        """

    def close() -> None:
        """Read no more; the connection goes back or is dropped.  Idempotent."""


class IDuplex(IBody):
    """
    The body of a 101 answer: octets both ways, after a protocol upgrade
    (RFC 9110 section 7.8).
    """

    def write(octets: bytes) -> Awaitable[None]:
        """
        :return: fires when more may be written: that is the back pressure.
        """

    def end() -> None:
        """The client will send no more."""


class IPurgeable(Interface):
    """A cache that can be told that something was purged."""

    def outdate() -> None:
        """
        Have no request from now on join what is being fetched, and do not store that: some of it
        may be what was purged.
        """

    def keys_of(request: Request) -> Sequence[str]:
        """
        :param request: a GET.
        :return: the keys (C{key} or C{group} of a L{trickster.purging.label.Label}) by which
            purges know what is kept for it, for all who ask; none where it is kept elsewhere.
        """


class IRuntime(Interface):
    """What plugins need of the process that they run in, whichever configuration is in effect."""

    clock = Attribute("C{IReactorTime}: for delays and ages; its seconds never jump")
    wall = Attribute("C{Callable[[], float]}: seconds since the epoch, for dates")
    random = Attribute("C{Callable[[], float]}: from 0, inclusive, to 1, exclusive")

    def in_thread(function: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
        """
        Call a function in a thread, as what takes more than some milliseconds must be.

        :return: an awaitable of what it returns, or raises.
        """

    def shared(name: str, make: Callable[[], Any]) -> Any:
        """
        Keep state that is to outlive a configuration, such as the counts of a limit.

        :param name: begins with the plugin's.
        :param make: called the first time.
        :return: the same object for the same name, for as long as the process lives.
        """


class IPluginType(Interface):
    """What an entry point names: something that can be configured and made."""

    name = Attribute("C{str}: as in configuration files")
    options = Attribute("an attrs class: settings, types, defaults; every field has one")


class ICheckedOptions(Interface):
    """
    Options of a plugin that know what is wrong with them beyond the types of single keys.

    An options class of a store or a middleware may provide this.  What it says is reported with
    the places of the keys.
    """

    def faults() -> Iterable[tuple[str, str]]:
        """
        :return: keys that contradict each other or cannot be used, each with what is wrong and
            what was expected; C{name[0]} is an entry of a list.
        """


class IMiddlewareType(IPluginType):
    """
    A kind of behaviour around responders: authentication, limits, rewriting.

    Entry point group C{trickster.middlewares}.
    """

    def wrap(inner: IResponder, options: Any, runtime: IRuntime) -> IResponder:
        """
        Put the behaviour around a responder; called once for each place in a configuration
        that names the middleware, and again for the next configuration.

        What it gives passes requests on, changed or not, and answers, refuses (by raising a
        L{trickster.errors.RequestError}) or delays those that it does not pass.  It closes the
        body of a request that it does not pass on, reads no body without need, and when it is
        cancelled, so is what it waits for.

        :param options: an instance of C{self.options}.
        :return: a responder to be used in the place of C{inner}.
        """


class IOriginType(IPluginType):
    """
    A kind of HTTP origin, such as Prometheus or a plain web server.

    Entry point group C{trickster.origins}.  It has no state and does no I/O.
    """

    def routes(options: Any) -> Sequence[Route]:
        """
        :param options: an instance of C{self.options}.
        :return: which paths this kind of origin answers and how each is best served, most
            specific first.  Those that are served by range name their dialect.
        """

    def probe(options: Any) -> Probe | None:
        """
        :return: the health check to use when the configuration names none.
        """


class IRefusalFormat(Interface):
    """
    How a kind of origin spells errors: an origin type that provides this too has refusals of
    ours spelled so, in the form that its clients can read.
    """

    def spelled_refusal(path: bytes, status: int, reason: Reason,
                        text: str) -> StaticResponse | None:
        """
        :param path: that was asked for, as the origin knows it.
        :param status: of the refusal, 400 to 599; the answer's is the same.
        :param text: a sentence for people.
        :return: the answer, or None where plain text is right.
        """


class IQueryDialect(Interface):
    """
    Translates between HTTP messages and the time-series model: two inverse pairs, one for
    requests and one for responses.  A route names its dialect (C{Route.dialect}).

    Pure functions: no I/O, no clock, no state from one call to the next.  To ask for
    another extent is to encode a query that is equal but for its extent.

    Where series are in another order than that of the octets of their identities, it has an
    attribute C{collation}: that of all its datasets, which do not have it in a store.
    """

    def decode_request(request: Request, now_ns: int) -> TimeRangeQuery:
        """
        Find out which series, extent and step are asked for.

        :param request: its body is an L{Octets}.
        :param now_ns: what "now" means in the query.
        :raises NotATimeRange: the request is none of the delta cache's business; says why,
            and what serves it instead.
        :raises trickster.messages.MalformedParams: as C{request.params} does where they
            cannot be read; the origin then gets the request unchanged, too.
        """

    def encode_request(query: TimeRangeQuery) -> Request:
        """
        :return: the request that asks an origin for exactly the query's extent, both ends
            inclusive.  Decoding it gives an equal query.
        """

    def decode_response(query: TimeRangeQuery, response: Response) -> Dataset:
        """
        :param query: what was asked; the result covers its extent.
        :param response: the origin's, status 200; the body is an L{Octets}, whole and not
            content-coded.
        :raises Undecodable: the answer must not be stored; it is passed on as it is.
        """

    def encode_response(query: TimeRangeQuery, dataset: Dataset,
                        warnings: Sequence[str] = ()) -> Response:
        """
        :param warnings: what the client should know, for formats that have a place for it.
        :return: what the origin itself would have answered.  Decoding it gives an equal
            dataset.
        """


class IDatasetSource(Interface):
    """
    Answers time range queries below HTTP: the range API of an origin, a cache over another
    source, fast forward beside one, a merge of several.  What clients and origins send is
    translated above and below it, by a dialect.
    """

    def answer(query: TimeRangeQuery) -> Awaitable[DatasetAnswer]:
        """
        Answer one query.

        :param query: its extent is on the grid of its step, and says it all: the client's
            C{request} is there for who asks, and for what a dialect needs of it.
        :return: an awaitable of the answer.  The caller awaits it exactly once, and may
            cancel it.
        :raises trickster.errors.NotADataset: there is no dataset that may be the answer.
        :raises trickster.errors.RequestError: no answer can be given.
        """


class INewestDialect(IQueryDialect):
    """A dialect that can also ask for one newest sample: that is fast forward."""

    def encode_newest(query: TimeRangeQuery, at_ns: int) -> Request:
        """
        :return: the request for each series' value at one instant.
        """

    def decode_newest(query: TimeRangeQuery, response: Response) -> Dataset:
        """
        :return: one sample a series, on no grid.
        :raises Undecodable: there is no such sample.
        """


class ICacheStore(Interface):
    """
    Keeps octets under keys for some time.

    Entry point group C{trickster.stores}, where the entry point names an L{IStoreType}.
    All failures are L{trickster.errors.StoreError}; the caches see none of them, since the
    guard turns a failed C{get} into a miss and counts it.
    """

    def get(key: str) -> Awaitable[bytes | None]:
        """
        :return: the octets, or None where there are none, or none any more.
        """

    def put(key: str, value: bytes, ttl: float) -> Awaitable[bool | None]:
        """
        :param ttl: seconds from now, more than 0, until C{value} is forgotten.
        :return: False where it was not put; a store that does not know gives None.
        """

    def delete(keys: Iterable[str]) -> Awaitable[int]:
        """
        :return: how many of the keys there were.
        """

    def keys(prefix: str) -> Awaitable[Sequence[str]]:
        """
        :return: the live keys that begin so, for purging; in no order.
        """


class IReferenceStore(ICacheStore):
    """A store in this process, which can keep objects as they are."""

    def get_object(key: str) -> object | None:
        """
        :return: the very object that was put, or None.
        """

    def put_object(key: str, value: object, nbytes: int, ttl: float) -> bool:
        """
        :param nbytes: what the object counts for when room has to be made.
        :param ttl: seconds from now, more than 0.
        :return: whether it was kept; one larger than the whole store is not.
        """


class ICompareAndSetStore(ICacheStore):
    """
    A store that several processes may share: an entry is replaced only if it is still the one
    that was read, so that no writer loses what another one has kept.
    """

    def replace(key: str, value: bytes, ttl: float, expected: bytes | None
                ) -> Awaitable[bool | None]:
        """
        Put a value, unless another one has been put since C{expected} was read.

        :param ttl: seconds from now, more than 0, until C{value} is forgotten.
        :param expected: what C{get} gave, to the octet; None where there was nothing.
        :return: whether the value was put; if not, nothing is changed.  None where that is not
            known, and the value may yet be put.
        """


class IPeekingStore(ICacheStore):
    """
    A store that can tell at once, in the reactor's thread, how the value under a key begins: so
    what was decoded of the value before is known to be current without waiting.

    Where it learns only after a while what other processes have changed, it has an attribute
    C{peek_lag}: seconds that this takes at most.

    Where it can tell in a microsecond that nothing at all has changed, it has a method C{stamp},
    which gives an object that is equal for as long as no process has put or deleted anything,
    and None while it cannot say.  What has expired need not change it.
    """

    def peek(key: str, length: int) -> bytes | None:
        """
        :param length: octets, some dozens: what tells a value from others is in its first ones.
        :return: the first C{length} octets of what C{get} would give now, or all where there are
            fewer; None where there is nothing, and where the store would have to wait to know.
            It takes some microseconds, and counts as a use of the entry.
        :raises trickster.errors.StoreError: the store does not work.
        """


class IInspectableStore(ICacheStore):
    """A store that can be looked into: that is no use of an entry, and so keeps none longer."""

    def inspect(key: str) -> Awaitable[Inspected | None]:
        """
        :return: what is kept under a key, and for how long; None where there is nothing.
        """


class IMeteredStore(Interface):
    """A store that can tell how full it is, and what it does by itself."""

    def usage() -> StoreUsage:
        """
        :return: how full it is now, at once: it is asked at each scrape of the metrics, maybe
            from another thread, and does not wait for a disk.
        """

    def tell(heard: Callable[[str, str], None]) -> None:
        """
        :param heard: to be called from now on, from any thread, with C{"eviction"} and why
            (C{"ttl"}, C{"size_bytes"}, C{"size_objects"}) whenever an entry is removed, and with
            C{"refusal"} and C{"size_bytes"} where one is too large to be kept.
        """


class IStoreType(IPluginType):
    """A kind of cache store, named by an entry point in C{trickster.stores}."""

    def store(name: str, options: Any, limits: StoreLimits, runtime: IRuntime) -> ICacheStore:
        """
        Make a store; called once for each cache of the configuration.

        It opens nothing yet: where the result also provides
        C{twisted.application.service.IService}, it is started before, and stopped after,
        the listeners.  Where it provides L{IMeteredStore}, its usage is exposed.

        :param name: of the cache, in the configuration.
        :param options: an instance of C{self.options}.
        :param limits: how much the store may keep.
        :param runtime: the clock and the threads of the process.
        """
