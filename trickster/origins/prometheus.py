"""
Prometheus, and what speaks its HTTP API: which paths there are, and how each is served.

(https://prometheus.io/docs/prometheus/latest/querying/api/)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import Factory, evolve, field, frozen
from zope.interface import implementer

from trickster.interfaces import IOriginType, IQueryDialect
from trickster.messages import Headers, Params
from trickster.origins.promjson import (
    Relabel,
    relabelled_samples,
    relabeller,
    why_unkept,
    with_values,
)
from trickster.origins.promrange import PrometheusRange
from trickster.origins.promtime import rounded_instant
from trickster.promql.facts import SECOND_NS
from trickster.routes import LocalAnswer, Match, Probe, Route, Serve

OBJECT_TTL = 30.0
_MINUTE_NS = 60 * SECOND_NS
# Who asks, in the single and multi-tenant systems that speak this API, and from which
# site: answers may differ by each.
IDENTITY = (
    b"authorization", b"x-scope-orgid", b"thanos-tenant", b"x-tenant", b"x-grafana-user",
    b"x-org-id", b"cookie", b"origin",
)
_NO_COUNT = frozenset({"_"})  # what browsers add to get past caches
_FORM_METHODS = ("GET", "HEAD", "POST")
_ADMIN_REFUSED = LocalAnswer(
    400,
    b'{"status":"error","errorType":"bad_data","error":"the admin API is not available '
    b'through Trickster"}',
    Headers(((b"Content-Type", b"application/json"),)))

# Path, match and methods of what is kept whole for a short time.
_OBJECTS: tuple[tuple[str, Match, tuple[str, ...], str], ...] = (
    ("/api/v1/query_exemplars", Match.EXACT, _FORM_METHODS, "query_exemplars"),
    ("/api/v1/format_query", Match.EXACT, _FORM_METHODS, "format_query"),
    ("/api/v1/parse_query", Match.EXACT, _FORM_METHODS, "parse_query"),
    ("/api/v1/metadata", Match.EXACT, ("GET", "HEAD"), "metadata"),
    ("/api/v1/targets/metadata", Match.EXACT, ("GET", "HEAD"), "targets_metadata"),
    ("/api/v1/targets", Match.EXACT, ("GET", "HEAD"), "targets"),
    ("/api/v1/rules", Match.EXACT, ("GET", "HEAD"), "rules"),
    ("/api/v1/alertmanagers", Match.EXACT, ("GET", "HEAD"), "alertmanagers"),
    ("/api/v1/scrape_pools", Match.EXACT, ("GET", "HEAD"), "scrape_pools"),
    ("/api/v1/features", Match.EXACT, ("GET", "HEAD"), "features"),
    ("/api/v1/status/", Match.PREFIX, ("GET", "HEAD"), "status"),
)
_PROXIED: tuple[tuple[str, Match, str], ...] = (
    ("/api/v1/alerts", Match.EXACT, "alerts"),
    ("/api/v1/notifications/live", Match.EXACT, "notifications"),
    ("/api/v1/write", Match.EXACT, "remote_write"),
    ("/api/v1/read", Match.EXACT, "remote_read"),
    ("/federate", Match.EXACT, "federate"),
    ("/", Match.PREFIX, "proxy"),
)


@frozen
class PrometheusOptions:
    """
    The C{prometheus} block of a backend.

    :ivar labels: set on every series, in answers to range and instant queries, and among
        the labels and their values.
    :ivar instant_round: seconds that whole-second instants of C{query} are rounded down to,
        so that dashboards share answers; 0 leaves them alone.
    """

    labels: dict[str, str] = field(
        default=Factory(dict), metadata={"doc": "Labels to set on every series."})
    instant_round: float = field(
        default=15.0, metadata={
            "doc": "What whole-second instants are rounded down to.", "unit": "duration"})


@implementer(IOriginType)
@frozen
class Prometheus:
    """Prometheus, Thanos, Mimir, Cortex and VictoriaMetrics."""

    name: str = "prometheus"
    options: type[PrometheusOptions] = PrometheusOptions

    def routes(self, options: PrometheusOptions) -> Sequence[Route]:
        """See L{trickster.interfaces.IOriginType.routes}."""
        relabel = relabeller(options.labels) if options.labels else None
        return (
            Route("/api/v1/query_range", Serve.DELTA, methods=("GET", "POST"),
                  handler="query_range", ignored_params=_NO_COUNT, key_headers=IDENTITY,
                  form=True, transform=_samples_transform(relabel)),
            _query_route(options, relabel),
            *_label_routes(options),
            *(_object(path, match, methods, handler)
              for path, match, methods, handler in _OBJECTS),
            Route("/api/v1/admin", Serve.LOCAL, Match.PREFIX, ("*",), "admin",
                  local=_ADMIN_REFUSED),
            *(Route(path, Serve.PROXY, match, ("*",), handler)
              for path, match, handler in _PROXIED),
        )

    def dialect(self, options: PrometheusOptions) -> IQueryDialect | None:
        """See L{trickster.interfaces.IOriginType.dialect}."""
        return PrometheusRange(relabeller(options.labels) if options.labels else None)

    def probe(self, options: PrometheusOptions) -> Probe | None:
        """
        See L{trickster.interfaces.IOriginType.probe}.  An expression that reads no series
        costs large installations nothing.
        """
        return Probe(b"/api/v1/query?query=vector(1)")


def _object(path: str, match: Match, methods: tuple[str, ...], handler: str) -> Route:
    return Route(path, Serve.OBJECT, match, methods, handler, OBJECT_TTL, _NO_COUNT, IDENTITY,
                 form=True, unkept=why_unkept)


def _query_route(options: PrometheusOptions, relabel: Relabel | None) -> Route:
    to_ns = int(options.instant_round * SECOND_NS)

    def rounded(params: Params) -> Params:
        return _changed(params, "time", lambda text: rounded_instant(text, to_ns))

    return evolve(_object("/api/v1/query", Match.EXACT, _FORM_METHODS, "query"),
                  normalise=rounded if to_ns else None, transform=_samples_transform(relabel))


def _samples_transform(relabel: Relabel | None) -> Callable[[bytes], bytes] | None:
    if relabel is None:
        return None
    return lambda octets: relabelled_samples(octets, relabel)


def _label_routes(options: PrometheusOptions) -> list[Route]:
    """Series, label names and label values, to the minute, so that dashboards share them."""
    series = evolve(_object("/api/v1/series", Match.EXACT, _FORM_METHODS, "series"),
                    normalise=_to_the_minute)
    names = evolve(_object("/api/v1/labels", Match.EXACT, _FORM_METHODS, "labels"),
                   normalise=_to_the_minute, transform=_adding(list(options.labels)))
    values = [evolve(_object(f"/api/v1/label/{name}/values", Match.EXACT, ("GET", "HEAD"),
                             "labels"),
                     normalise=_to_the_minute, transform=_adding([value]))
              for name, value in options.labels.items()]
    rest = evolve(_object("/api/v1/label/", Match.PREFIX, ("GET", "HEAD"), "labels"),
                  normalise=_to_the_minute)
    return [series, names, *values, rest]


def _adding(values: list[str]) -> Callable[[bytes], bytes] | None:
    return (lambda octets: with_values(octets, values)) if values else None


def _to_the_minute(params: Params) -> Params:
    params = _changed(params, "start", lambda text: rounded_instant(text, _MINUTE_NS))
    return _changed(params, "end", lambda text: rounded_instant(text, _MINUTE_NS, up=True))


def _changed(params: Params, name: str, change: Callable[[str], str]) -> Params:
    return Params(tuple((k, change(v) if k == name else v) for k, v in params.pairs))


prometheus = Prometheus()
