"""How an origin is probed, and what it answers when it is well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from trickster.messages import Headers, Octets, Pair, Request
from trickster.routes import Probe
from trickster.upstream.health.state import Thresholds


@frozen
class Expectation:
    """
    What a healthy origin answers.

    :ivar codes: status codes that are fine.
    :ivar headers: fields, names in lower case, that must be there with these values.
    :ivar body: the whole body, or None where any will do.
    """

    codes: tuple[int, ...] = (200,)
    headers: tuple[Pair, ...] = ()
    body: bytes | None = None

    def fault(self, status: int, headers: Headers, body: bytes) -> str:
        """:return: what is wrong with an answer, in words; empty where nothing is."""
        if status not in self.codes:
            expected = " or ".join(map(str, self.codes))
            return f"status {status}, not {expected}"
        for name, value in self.headers:
            if headers.joined(name) != value:
                return f"header {name.decode('latin-1')} is not as expected"
        if self.body is not None and body != self.body:
            return "the body is not as expected"
        return ""


@frozen
class ProbePlan:
    """
    How, and how often, an origin is probed.

    :ivar interval: seconds between two probes; 0 to probe only when asked to.
    :ivar timeout: seconds for one probe.
    """

    request: Request = field(factory=lambda: Request(b"GET", b"/"))
    expectation: Expectation = Expectation()
    interval: float = 0.0
    timeout: float = 3.0
    thresholds: Thresholds = field(factory=Thresholds)


def probe_plan(probe: Probe, options: Any) -> ProbePlan:
    """
    :param probe: what the origin type says.
    :param options: what the configuration says instead
        (C{trickster.config.options.backends.HealthCheckOptions}).  Its C{scheme} and C{host} are
        for what makes the connection.
    :return: the probe with what the options change, piece by piece: a path of theirs comes with
        their query, and not with that of the probe.
    """
    return ProbePlan(
        _request(probe, options), _expectation(probe, options), options.interval,
        options.patience,
        Thresholds(options.failure_threshold, options.recovery_threshold))


def _request(probe: Probe, options: Any) -> Request:
    path, mark, query = probe.target.partition(b"?")
    if options.path is not None:
        path, mark, query = (b"/" + options.path.lstrip("/").encode()), b"", b""
    if options.query is not None:
        query = options.query.encode()
        mark = b"?" if query else b""
    headers = probe.headers
    for name, value in options.headers.items():
        headers = headers.with_set(name.encode("ascii"), value.encode())
    body = b"" if options.body is None else options.body.encode()
    method = probe.method if options.verb is None else options.verb.upper().encode("ascii")
    return Request(method, path + mark + query, headers, Octets(body))


def _expectation(probe: Probe, options: Any) -> Expectation:
    codes = probe.expected if options.expected_codes is None else options.expected_codes
    body = None if options.expected_body is None else options.expected_body.encode()
    return Expectation(tuple(codes), _pairs(options.expected_headers or {}), body)


def _pairs(headers: Mapping[str, str]) -> tuple[Pair, ...]:
    return tuple((name.lower().encode("ascii"), value.encode())
                 for name, value in headers.items())
