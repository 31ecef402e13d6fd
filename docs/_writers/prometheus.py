"""The table of Prometheus's endpoints: how each is served, how long, and why."""

from __future__ import annotations

from tables import table

from trickster.origins.prometheus import prometheus
from trickster.routes import Match, Route, Serve

MEANINGS = {
    "query_range": "Points of the past do not change: only what is missing of a range is asked for.",
    "query": "Panels and rules ask for the same instant many times; it is rounded down to "
             "multiples of `instant_round` (15 s).",
    "series": "Time ranges are widened to multiples of `metadata_round` (1 min), so that "
              "dashboards share answers.",
    "labels": "As for series.",
    "query_exemplars": "Answers to equal questions are equal for a short time.",
    "format_query": "The answer depends on the question only.",
    "parse_query": "The answer depends on the question only.",
    "metadata": "Changes when targets do.",
    "targets_metadata": "Changes when targets do.",
    "targets": "Changes with each scrape, and is looked at, not computed with.",
    "alertmanagers": "Changes seldom.",
    "scrape_pools": "Changes when the configuration does.",
    "features": "Changes when the server is replaced.",
    "status": "Configuration, flags, build and runtime information, TSDB statistics.",
    "drop_series": "It changes data.",
    "admin": "It deletes data; ask the origin itself.",
    "rules": "They say of each alert what `/api/v1/alerts` says of it, and must agree with it.",
    "alerts": "They are acted upon.",
    "notifications": "A stream, which lasts as long as both ends like.",
    "remote_write": "It changes data.",
    "remote_read": "Large, streamed, and asked by other databases.",
    "federate": "A scrape: what is newest is all that matters.",
    "proxy": "Everything else: the web interface, `/-/healthy`, paths of other databases.",
}
_HOW = {
    Serve.DELTA: "by range",
    Serve.OBJECT: "whole",
    Serve.PROXY: "not kept",
    Serve.STATIC: "refused (400)",
}


def render() -> str:
    """
    :return: a Markdown table, in the order of the routes.
    :raises KeyError: a handler whose meaning is not written down.
    """
    return table(("Path", "Methods", "Kept", "For", "Why"),
                 map(_row, prometheus.routes(prometheus.options())))


def _row(route: Route) -> tuple[str, ...]:
    path = route.path + ("..." if route.match is Match.PREFIX else "")
    methods = "all" if "*" in route.methods else ", ".join(route.methods)
    return (f"`{path}`", methods, _HOW[route.serve], _lifetime(route),
            MEANINGS[route.handler])


def _lifetime(route: Route) -> str:
    if route.serve is Serve.DELTA:
        return "`timeseries_ttl`"
    return f"{route.ttl:g} s" if route.ttl is not None else ""
