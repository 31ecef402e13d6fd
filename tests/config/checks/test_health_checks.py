"""Tests of L{trickster.config.checks.health_checks}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import CheckCase, loaded, problems_of, told_by, with_backend
from trickster.config.checks.health_checks import check_health_check
from trickster.config.options.backends import HealthCheckOptions


class ProbeTests(CheckCase):
    """The request and the answer of a health check."""

    def check_probe(self, probe: str, told: str) -> None:
        """Assert what is told of a key of C{healthcheck}."""
        self.assertTold(with_backend(f"healthcheck: {{{probe}}}"),
                        *([f"backends.one.healthcheck.{told}"] if told else []))

    def test_verb(self) -> None:
        """The verb is a method of RFC 9110 section 9.1, in capitals or not."""
        self.check_probe("verb: options", "")
        for odd in ("G T", "GET\\r\\nX: y", "é", "{}"):
            (problem,) = problems_of(with_backend(f'healthcheck: {{verb: "{odd}"}}'))
            self.assertIn("is not a request method; expected one such as GET", problem)

    def test_headers(self) -> None:
        """Names are tokens without a sign, values of one line and without controls."""
        name = "is not a header name"
        for odd in ("a b", "a:", "é", "-A", "+A"):
            for key in ("headers", "expected_headers"):
                self.check_probe(f"{key}: {{'{odd}': c}}", f"{key}.{odd}: '{odd}' {name}")
        for key in ("headers", "expected_headers"):
            self.check_probe(f'{key}: {{A: "b\\r\\nC: d"}}',
                             f"{key}.A: a header value must be one line")
            self.check_probe(f'{key}: {{A: "b\\x07"}}',
                             f"{key}.A: a header value cannot have control characters")
            self.check_probe(f'{key}: {{A: "b\\tc €", "B": ""}}', "")

    def test_made_by_us(self) -> None:
        """Fields of the connection cannot be sent with a health check, but may be expected."""
        self.check_probe("headers: {Host: a}", "headers.Host: Host concerns one connection only, "
                         "and is made by Trickster itself; expected another header")
        self.check_probe("expected_headers: {Connection: close}", "")

    def test_query(self) -> None:
        """A query of a health check is visible ASCII, all else percent-encoded."""
        self.check_probe("query: 'a=b&c=%20?'", "")
        for odd in ("a b", "a#b", "é"):
            self.check_probe(f"query: '{odd}'", f"query: '{odd}' is not a query; expected visible "
                             "ASCII without #, all else percent-encoded")

    def test_timeout(self) -> None:
        """A timeout too short for any answer is raised to 100 ms, which a notice says."""
        self.check_probe("timeout: 5m", "")
        for timeout in ("0", "0s", "50ms"):
            (notice,) = loaded(with_backend(f"healthcheck: {{timeout: {timeout}}}")).notices
            self.assertIn("backends.one.healthcheck.timeout is taken for 100ms", notice)

    def test_health_check(self) -> None:
        """A check asks a path for status codes that exist."""
        self.assertTold(
            with_backend("healthcheck: {path: x, host: 'a/b', expected_codes: [200, 99]}"),
            "backends.one.healthcheck.path: 'x' is not a path; "
            "expected one that begins with /",
            "backends.one.healthcheck.host: 'a/b' is not a host; expected one such as "
            "prometheus:9090",
            "backends.one.healthcheck.expected_codes[1]: 99 is no status code; "
            "expected one from 100 to 599")


class OptionsTests(SynchronousTestCase):
    """Options of health checks that were not read from a file."""

    def check(self, **said: object) -> tuple[str, ...]:
        """:return: what is told of options."""
        options = HealthCheckOptions(**said)  # type: ignore[arg-type]
        return told_by(check_health_check, "p", options)

    def test_defaults(self) -> None:
        """Options that are left at their defaults have no problems."""
        self.assertEqual(self.check(), ())

    def test_codes(self) -> None:
        """A status has three digits, the first of which is 1 to 5 (RFC 9110 section 15)."""
        for code in (100, 200, 599):
            self.assertEqual(self.check(expected_codes=(code,)), ())
        for code in (0, 99, 600):
            self.assertEqual(self.check(expected_codes=(200, code)), (
                f"p.expected_codes[1]: {code} is no status code; expected one from 100 to 599",))

    def test_hosts(self) -> None:
        """A host may have a port, and neither a path nor credentials."""
        for host in ("h", "h:1", "[::1]:1"):
            self.assertEqual(self.check(host=host), ())
        for host in ("h/", "joe@h", "h:99999", ""):
            self.assertEqual(len(self.check(host=host)), 1, host)
