"""What health checks send, and what they expect."""

from __future__ import annotations

import re

from trickster.config.checks.addresses import path_fault
from trickster.config.checks.fields import check_expected, check_fields, check_method
from trickster.config.document.problems import Problems, shown
from trickster.config.options.backends import HealthCheckOptions
from trickster.http.origin_url import origin_fault
from trickster.units import format_duration

# Visible ASCII but for the number sign, with which a fragment begins (RFC 3986 section 3.4).
_QUERY = re.compile(r"[!-\"$-~]*")


def check_health_check(path: str, probe: HealthCheckOptions, problems: Problems) -> None:
    """
    :param path: of the block in the configuration.
    :param problems: is told of what cannot be sent to an origin, and of what no answer of one
        can be.
    """
    fault = "" if probe.path is None else path_fault(probe.path)
    if fault:
        problems.at(f"{path}.path", fault)
    if probe.host is not None and ("/" in probe.host or origin_fault(f"http://{probe.host}")):
        problems.at(f"{path}.host", f"{shown(probe.host)} is not a host; "
                    "expected one such as prometheus:9090")
    if probe.timeout < probe.patience:
        problems.remark(f"{path}.timeout",
                        f"is taken for {format_duration(probe.patience)}")
    if probe.query is not None and _QUERY.fullmatch(probe.query) is None:
        problems.at(f"{path}.query", f"{shown(probe.query)} is not a query; "
                    "expected visible ASCII without #, all else percent-encoded")
    check_method(f"{path}.verb", probe.verb, problems)
    check_fields(f"{path}.headers", probe.headers, problems)
    check_expected(f"{path}.expected_headers", probe.expected_headers or {}, problems)
    for number, code in enumerate(probe.expected_codes or ()):
        if not 100 <= code <= 599:
            problems.at(f"{path}.expected_codes[{number}]",
                        f"{code} is no status code; expected one from 100 to 599")
