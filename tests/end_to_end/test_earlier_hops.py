"""What proxies in front say, and what the configuration says for all requests of a backend."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar

from tests.end_to_end.echoing import EchoCase
from tests.end_to_end.servers import Answer, fetch
from tests.end_to_end.talking import eventually

CHAIN = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "dash.example",
         "X-Forwarded-For": "203.0.113.9"}
NOW = int(time.time()) // 60 * 60
RANGE = f"api/v1/query_range?query=up&start={NOW - 3600}&end={NOW - 600}&step=60"
TENANT = {"Authorization": "Basic eA==", "X-Scope-OrgID": "team-a"}


class HopCase(EchoCase):
    """Asks with the header fields that hops add."""

    def asked(self, target: str, headers: Mapping[str, str] | None = None,
              data: bytes | None = None) -> Answer:
        return fetch(f"{self.trickster.url}/{target}", data, headers)


class TrustedTests(HopCase):
    """Proxies on private addresses, which are trusted by default."""

    backends: ClassVar = {
        "standard": {"provider": "reverseproxy"},
        "x": {"provider": "reverseproxy", "forwarded_headers": "x"},
        "both": {"provider": "reverseproxy", "forwarded_headers": "both"},
        "none": {"provider": "reverseproxy", "forwarded_headers": "none"},
        "cached": {"provider": "reverseproxycache", "forwarded_headers": "x"},
        "prom": {"provider": "prometheus", "forwarded_headers": "x", "is_default": True},
        "progressive": {"provider": "reverseproxy", "forwarded_headers": "x", "paths": [
            {"path": "/", "match_type": "prefix", "collapsed_forwarding": "progressive"}]},
    }

    def test_standard(self) -> None:
        """Forwarded lists the hops in their order (RFC 7239 section 7.4)."""
        self.asked("standard/c", CHAIN)
        said = (self.origin.values(b"forwarded")[0] or b"").split(b", ")
        self.assertEqual(said[0], b"for=203.0.113.9;host=dash.example;proto=https")
        self.assertIn(b"for=127.0.0.1;", said[1])
        self.assertTrue(said[1].endswith(b";proto=http"), said)

    def test_x(self) -> None:
        """X-Forwarded-Proto and X-Forwarded-Host are those of the first hop."""
        for name in ("x", "both"):
            self.origin.heads.clear()
            self.asked(f"{name}/c", CHAIN)
            for field, value in ((b"for", b"203.0.113.9, 127.0.0.1"), (b"host", b"dash.example"),
                                 (b"proto", b"https"), (b"port", b"443")):
                self.assertEqual(self.origin.values(b"x-forwarded-" + field), [value])

    def test_none(self) -> None:
        """In mode none the fields of earlier hops are forwarded, and nothing is added."""
        self.asked("none/c", CHAIN)
        for name, value in CHAIN.items():
            self.assertEqual(self.origin.values(name.lower().encode()), [value.encode()])
        self.assertEqual(self.origin.values(b"forwarded"), [None])

    def test_answers_are_not_mixed(self) -> None:
        """A response made for one host is given only to requests for that host."""
        for path in ("cached/p?h=Cache-Control:max-age=60", f"prom/{RANGE}",
                     "prom/api/v1/query?query=1", "prom/api/v1/labels"):
            self.origin.heads.clear()
            for evil in ({"X-Forwarded-Host": "evil.test"}, {"Forwarded": "host=evil.test"},
                         {"X-Forwarded-Proto": "https"}, {"X-Forwarded-Port": "1"}):
                self.asked(path, evil)
            self.assertEqual(len(self.origin.heads), 4, path)
            plain = self.asked(path)
            self.assertNotIn(b"evil", plain.body, path)
            again = self.asked(path, {"X-Forwarded-Host": "evil.test"})
            self.assertEqual((again.lookup, b"evil.test" in again.body), ("hit", True),
                             (path, again.result))
            self.assertEqual(self.asked(path).lookup, "hit", path)

    def test_log(self) -> None:
        """The access log has the address of the client, as far as trusted hops tell."""
        self.asked("x/logged", {"X-Forwarded-For": "1.1.1.1, 203.0.113.77, 10.0.0.1"})
        self.asked("x/logged")
        log = self.trickster.log
        self.assertTrue(eventually(lambda: log.read_text().count("uri=/logged") == 2))
        first, second = (line for line in log.read_text().splitlines() if "uri=/logged" in line)
        self.assertIn(" client=203.0.113.77 ", first)
        self.assertIn(" client=127.0.0.1 ", second)

    def test_clients_share(self) -> None:
        """Requests that differ in the client's address only share a response."""
        target = "cached/shared?h=Cache-Control:max-age=60"
        for number in range(3):
            self.asked(target, {"X-Forwarded-For": f"203.0.113.{number}"})
            self.asked(target, {"Forwarded": f"for=203.0.113.{number}"})
        self.assertEqual(len(self.origin.heads), 1)


class StrangerTests(HopCase):
    """Clients on addresses that are not trusted."""

    listener: ClassVar = {"trusted_proxies": ["192.0.2.1"]}
    backends: ClassVar = {name: {"provider": "reverseproxy", "forwarded_headers": name}
                for name in ("standard", "x", "both", "none")}

    def test_taken_away(self) -> None:
        """In every mode, fields of hops that are not trusted are removed."""
        said = {**CHAIN, "Forwarded": "for=203.0.113.9;host=dash.example;proto=https",
                "X-Forwarded-Server": "203.0.113.9", "X-Forwarded-By": "203.0.113.9"}
        for name in self.backends:
            self.asked(f"{name}/c", said)
            head = self.origin.heads[-1]
            for word in (b"203.0.113", b"dash", b"https"):
                self.assertNotIn(word, head, name)


class ConfiguredTests(HopCase):
    """The C{request_headers} of a backend."""

    backends: ClassVar = {
        "prom": {"provider": "prometheus", "is_default": True, "request_headers": {
            **TENANT, "X-Forwarded-Proto": "https"}, "paths": [
                {"path": "/api/v1/labels", "request_headers": {
                    "X-Scope-OrgID": "team-b", "+X-More": "1", "-Authorization": ""}}],
            "healthcheck": {"headers": {"X-Scope-OrgID": "probe"}}},
        "cached": {"provider": "reverseproxycache", "request_headers": TENANT},
        "plain": {"provider": "reverseproxy", "request_headers": TENANT},
    }

    def test_every_path(self) -> None:
        """
        Configured request headers are in every upstream request, on every path and of every
        provider.
        """
        for target in ("graph", "api/v1/query?query=1", "api/v1/series?match[]=a", RANGE,
                       "cached/x", "plain/x", "federate", "api/v1/status/flags"):
            self.origin.heads.clear()
            self.asked(target)
            self.assertTrue(self.origin.heads, target)
            self.assertEqual(set(self.origin.values(b"authorization")), {b"Basic eA=="}, target)
            self.assertEqual(set(self.origin.values(b"x-scope-orgid")), {b"team-a"}, target)

    def test_scheme(self) -> None:
        """A scheme that only the operator knows can be configured."""
        self.asked("graph")
        self.assertEqual(self.origin.values(b"x-forwarded-proto"), [b"https"])

    def test_paths_lie_over(self) -> None:
        """Request headers of a path override those of its backend, field by field."""
        self.asked("api/v1/labels")
        self.assertEqual(self.origin.values(b"x-scope-orgid"), [b"team-b"])
        self.assertEqual(self.origin.values(b"x-more"), [b"1"])
        self.assertEqual(self.origin.values(b"authorization"), [None])

    def test_clients_cannot_change_them(self) -> None:
        """Clients change no configured field by sending it or by naming it in C{Connection}."""
        self.asked("plain/x", {"X-Scope-OrgID": "evil", "Connection": "X-Scope-OrgID"})
        self.asked("graph", {"x-scope-orgid": "evil", "Authorization": "Basic evil"})
        self.assertEqual(self.origin.values(b"x-scope-orgid"), [b"team-a"] * 2)
        self.assertEqual(self.origin.values(b"authorization"), [b"Basic eA=="] * 2)

    def test_shared(self) -> None:
        """Configured request headers do not keep responses from being shared."""
        target = "cached/shared?h=Cache-Control:max-age=60"
        self.asked(target)
        self.assertEqual(self.asked(target).lookup, "hit")

    def test_health(self) -> None:
        """
        Configured request headers are in health checks, unless the check has the same field itself.
        """
        health = fetch(f"{self.trickster.metrics_url}/trickster/health/prom")
        self.assertEqual(health.status, 200)
        self.assertEqual(self.origin.values(b"authorization"), [b"Basic eA=="])
        self.assertEqual(self.origin.values(b"x-forwarded-proto"), [b"https"])
        self.assertEqual(self.origin.values(b"x-scope-orgid"), [b"probe"])

    def test_masked(self) -> None:
        """The configuration endpoint shows no value of a configured request header."""
        shown = fetch(f"{self.trickster.mgmt_url}/trickster/config").body
        self.assertIn(b"X-Scope-OrgID", shown)
        for value in (b"team-a", b"eA=="):
            self.assertNotIn(value, shown)
