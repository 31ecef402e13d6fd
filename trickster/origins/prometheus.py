"""
Prometheus, and what speaks its HTTP API: which paths there are, and how each is served.

(https://prometheus.io/docs/prometheus/latest/querying/api/)
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from attrs import Factory, evolve, field, frozen
from zope.interface import implementer

from trickster.errors import Reason
from trickster.interfaces import IOriginType, IRefusalFormat
from trickster.messages import Headers, Params
from trickster.origins.promjson import why_unkept
from trickster.origins.promlabels import Labelling
from trickster.origins.promrange import PrometheusRange
from trickster.origins.promtime import instant_ns, instant_text, rounded_ns, seconds_text
from trickster.promql.facts import SECOND_NS
from trickster.routes import Aligned, Match, Probe, Route, Serve, StaticResponse

OBJECT_TTL = 30.0
# Beside what tells users and tenants of any origin apart: credentials, even where an answer is
# said to be public, and the site, which CORS fields name.
IDENTITY = (b"authorization", b"origin")
_LABEL_VALUES = "/api/v1/label/"
# Parameters that name an instant.
_INSTANTS = frozenset({"time", "start", "end"})
# What answers with samples of a query.
_OF_QUERIES = ("query", "query_exemplars")
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NO_COUNT = frozenset({"_"})  # what browsers add to get past caches
_FORM_METHODS = ("GET", "HEAD", "POST")
_JSON = Headers(((b"Content-Type", b"application/json"),))
# Those of Prometheus that are not "bad_data" or, for any other status from 500, "internal".
_ERROR_TYPES = {
    404: "not_found", 408: "timeout", 422: "execution", 429: "unavailable", 499: "canceled",
    502: "unavailable", 503: "unavailable", 504: "timeout",
}


def error_answer(status: int, text: str) -> StaticResponse:
    """
    :param status: 400 to 599.
    :param text: a sentence for people.
    :return: an error as the API has it.
    """
    kind = _ERROR_TYPES.get(status) or ("bad_data" if status < 500 else "internal")
    body = json.dumps({"status": "error", "errorType": kind, "error": text},
                      separators=(",", ":"))
    return StaticResponse(status, body.encode(), _JSON)


_RANGE = PrometheusRange()
_ADMIN_REFUSED = error_answer(400, "the admin API is not available through Trickster")

# Path, match and methods of what is kept whole for a short time.
_OBJECTS: tuple[tuple[str, Match, tuple[str, ...], str], ...] = (
    ("/api/v1/query_exemplars", Match.EXACT, _FORM_METHODS, "query_exemplars"),
    ("/api/v1/format_query", Match.EXACT, _FORM_METHODS, "format_query"),
    ("/api/v1/parse_query", Match.EXACT, _FORM_METHODS, "parse_query"),
    ("/api/v1/metadata", Match.EXACT, ("GET", "HEAD"), "metadata"),
    ("/api/v1/targets/metadata", Match.EXACT, ("GET", "HEAD"), "targets_metadata"),
    ("/api/v1/targets", Match.EXACT, ("GET", "HEAD"), "targets"),
    ("/api/v1/alertmanagers", Match.EXACT, ("GET", "HEAD"), "alertmanagers"),
    ("/api/v1/scrape_pools", Match.EXACT, ("GET", "HEAD"), "scrape_pools"),
    ("/api/v1/features", Match.EXACT, ("GET", "HEAD"), "features"),
    ("/api/v1/status/", Match.PREFIX, ("GET", "HEAD"), "status"),
)
# What is asked of the origin each time.  Rules say of each alert what alerts say of it, and
# must say the same, so that they are never of another age.
_PROXIED: tuple[tuple[str, Match, str], ...] = (
    ("/api/v1/rules", Match.EXACT, "rules"),
    ("/api/v1/alerts", Match.EXACT, "alerts"),
    ("/api/v1/notifications/live", Match.EXACT, "notifications"),
    ("/api/v1/write", Match.EXACT, "remote_write"),
    ("/api/v1/read", Match.EXACT, "remote_read"),
    ("/federate", Match.EXACT, "federate"),
    ("/", Match.PREFIX, "proxy"),
)


def _are_labels(_: object, __: object, labels: dict[str, str]) -> None:
    for name, value in labels.items():
        if not _LABEL_NAME.fullmatch(name) or name.startswith("__"):
            raise ValueError(f"labels has no label name: {name!r}")
        if not value:
            raise ValueError(f"labels.{name} is empty, which is to have no such label")


@frozen
class PrometheusOptions:
    """
    The C{prometheus} block of a backend.

    :ivar labels: that all series have, as if the origin had them: shown on samples, series
        and exemplars, among label names and values, and understood in every selector and
        expression (L{trickster.origins.promlabels}).  The origin must not have labels of
        these names itself.
    :ivar instant_round: seconds whose multiples the instants of C{query} are rounded down to,
        so that dashboards share answers; 0 leaves them alone.  An instant with a fraction of
        a second is never rounded.
    :ivar metadata_round: seconds to whose multiples the time ranges of C{series}, C{labels}
        and label values are widened, for the same reason; 0 leaves them alone.

    Wherever an answer is to another instant or range than the client's, the result header
    names it (C{aligned}).  In C{timeseries_step_mode: phase} nothing is rounded.
    """

    labels: dict[str, str] = field(
        default=Factory(dict), validator=_are_labels, metadata={
            "doc": "Labels that all series have, as if the origin had them: shown wherever "
                   "series are, and understood in every selector and expression. The origin "
                   "must not have labels of these names itself."})
    instant_round: float = field(
        default=15.0, metadata={
            "doc": "Instants of instant queries are rounded down to multiples of this, and "
                   "the result header says so; 0 asks for the very instant. Instants with a "
                   "fraction of a second, and all in mode `phase`, are never rounded.",
            "unit": "duration"})
    metadata_round: float = field(
        default=60.0, metadata={
            "doc": "Time ranges of series, labels and label values are widened to multiples "
                   "of this, and the result header says so; 0 asks for the very range.",
            "unit": "duration"})


@implementer(IOriginType, IRefusalFormat)
@frozen
class Prometheus:
    """Prometheus, Thanos, Mimir, Cortex and VictoriaMetrics."""

    name: str = "prometheus"
    options: type[PrometheusOptions] = PrometheusOptions

    def routes(self, options: PrometheusOptions) -> Sequence[Route]:
        """
        :param options: which labels all series have, and how far instants are rounded.
        :return: the paths of the API: C{query_range} by range, most that is looked up as objects
            of some seconds, what is written or must be new past the cache, the admin API refused.
            Where there are labels, routes that show or understand them have a C{translate}.
        """
        found = (
            Route("/api/v1/query_range", Serve.DELTA, methods=("GET", "POST"),
                  handler="query_range", ignored_params=_NO_COUNT, key_headers=IDENTITY,
                  form=True, statement="query", dialect=_RANGE),
            _query_route(options),
            *_lookup_routes(options),
            *(_object(path, match, methods, handler)
              for path, match, methods, handler in _OBJECTS),
            # Prometheus has a word of its own for it.
            Route("/api/v1/series", Serve.PROXY, methods=("DELETE",), handler="drop_series"),
            Route("/api/v1/admin", Serve.STATIC, Match.PREFIX, ("*",), "admin",
                  static=_ADMIN_REFUSED),
            *(Route(path, Serve.PROXY, match, ("*",), handler)
              for path, match, handler in _PROXIED),
        )
        return [_labelled(route, Labelling(options.labels)) for route in found] if (
            options.labels) else found

    def probe(self, options: PrometheusOptions) -> Probe | None:
        """
        :param options: change nothing about it.
        :return: an instant query, to be answered with 200.  Its expression reads no series, and
            so costs large installations nothing.
        """
        return Probe(b"/api/v1/query?query=vector(1)")

    def spelled_refusal(self, path: bytes, status: int, reason: Reason,
                        text: str) -> StaticResponse | None:
        """
        :param path: as the origin knows it, without the backend's prefix.
        :param status: 400 to 599.
        :param reason: of which the API has no word, and which is not told.
        :param text: a sentence for people.
        :return: an error as JSON, of a type that Prometheus knows, for the paths of the API; None
            for others, such as C{/federate}, whose clients read text.
        """
        is_api = path.lstrip(b"/").startswith(b"api/v1/")
        return error_answer(status, text) if is_api else None


def _object(path: str, match: Match, methods: tuple[str, ...], handler: str) -> Route:
    return Route(path, Serve.OBJECT, match, methods, handler, OBJECT_TTL, _NO_COUNT, IDENTITY,
                 form=True, unkept=why_unkept,
                 statement="query" if handler in _OF_QUERIES else "")


def _labelled(route: Route, labelling: Labelling) -> Route:
    """:return: the route, with labels that are added to what it shows and asks."""
    translations = {
        "query_range": labelling.samples, "query": labelling.samples,
        "query_exemplars": labelling.exemplars, "series": labelling.series,
        "labels": labelling.names, "label_values": labelling.values,
        "federate": labelling.federated}
    name = "label_values" if route.path == _LABEL_VALUES else route.handler
    return evolve(route, translate=translations.get(name))


def _query_route(options: PrometheusOptions) -> Route:
    to_ns = int(options.instant_round * SECOND_NS)
    return evolve(_object("/api/v1/query", Match.EXACT, _FORM_METHODS, "query"),
                  normalise=_spelled_alike,
                  align=(lambda params: _rounded(params, to_ns)) if to_ns else None)


def _lookup_routes(options: PrometheusOptions) -> list[Route]:
    """
    :return: the routes of series, label names and label values, so that dashboards share answers:
        instants are spelled alike, and ranges widened to multiples of C{metadata_round}, unless
        that is 0.
    """
    to_ns = int(options.metadata_round * SECOND_NS)
    found = (_object("/api/v1/series", Match.EXACT, _FORM_METHODS, "series"),
             _object("/api/v1/labels", Match.EXACT, _FORM_METHODS, "labels"),
             _object(_LABEL_VALUES, Match.PREFIX, ("GET", "HEAD"), "labels"))
    return [evolve(route, normalise=_spelled_alike,
                   align=(lambda params: _widened(params, to_ns)) if to_ns else None)
            for route in found]


def _spelled_alike(params: Params) -> Params:
    """:return: the parameters with equal instants spelled alike: C{14}, C{14.0}, RFC 3339."""
    return Params(tuple((k, instant_text(v) if k in _INSTANTS else v) for k, v in params.pairs))


def _rounded(params: Params, to_ns: int) -> Aligned | None:
    time_ns = _moved(params, "time", to_ns)
    if time_ns is None:
        return None
    return Aligned(params.replaced(time=seconds_text(time_ns)), (time_ns, time_ns))


def _widened(params: Params, to_ns: int) -> Aligned | None:
    start_ns, end_ns = _instant(params, "start"), _instant(params, "end")
    if start_ns is not None and end_ns is not None and end_ns < start_ns:
        return None  # which is the origin's to refuse
    moved = {"start": _moved(params, "start", to_ns), "end": _moved(params, "end", to_ns, up=True)}
    changed = {name: seconds_text(at_ns) for name, at_ns in moved.items() if at_ns is not None}
    if not changed:
        return None
    start_ns, end_ns = (before if moved[name] is None else moved[name]
                        for name, before in (("start", start_ns), ("end", end_ns)))
    return Aligned(params.replaced(**changed), (start_ns, end_ns))


def _moved(params: Params, name: str, to_ns: int, up: bool = False) -> int | None:
    # Of several values of one name, the origin alone knows which one counts.
    values = params.get_all(name)
    return rounded_ns(values[0], to_ns, up) if len(values) == 1 else None


def _instant(params: Params, name: str) -> int | None:
    try:
        return instant_ns(params.get(name) or "")
    except ValueError:
        return None


prometheus = Prometheus()
