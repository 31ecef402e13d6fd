"""Paths that servers read in different ways, and targets that are not quite URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.end_to_end.echoing import EchoCase
from tests.end_to_end.servers import Answer
from tests.end_to_end.talking import Talk

PROVIDERS = ("prometheus", "reverseproxycache", "reverseproxy")
VERBS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE")
ODD = ("//api/v1/query?query=1", "/a/./b", "/a/../b", "/a//b", "/%2e/x", "/a%2fb", "/a%5c..%5cb",
       "/x;y=z/b", "/a%00b", "/%252e%252e/x", "/a/b/..", "/.", "//", "/..//..")
ADMIN = ("//api/v1/admin/tsdb/snapshot", "/api/v1/./admin/tsdb/snapshot",
         "/api/v1/%61dmin/tsdb/snapshot", "/x/../api/v1/admin/tsdb/delete_series",
         "/%2e%2e/api/v1/admin", "/api%2Fv1%2Fadmin/tsdb/snapshot", "/api/v1//admin",
         "/api\\v1\\admin", "/api/v1;x/admin", "/api/v1/%2561dmin", "/../api/v1/admin")


class OddPathCase(EchoCase):
    """The same origin behind each provider; Prometheus is the default one."""

    backends: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **{name: {"provider": name, "is_default": name == "prometheus"} for name in PROVIDERS},
        "within": {"provider": "reverseproxy", "origin_url": "/team-a"},
        "local": {"provider": "reverseproxycache", "paths": [
            {"path": "/secret", "match_type": "prefix", "handler": "localresponse",
             "methods": ["GET", "POST"], "response_code": 451}]},
        "split": {"provider": "reverseproxycache", "paths": [
            {"path": "/d", "match_type": "prefix", "handler": "proxycache",
             "methods": ["GET", "HEAD"], "cache_key_params": ["a", "h"]},
            {"path": "/d", "match_type": "prefix", "handler": "proxycache",
             "methods": ["PUT", "POST"]}]},
    }

    def asked(self, target: bytes | str, verb: str = "GET") -> Answer:
        octets = target if isinstance(target, bytes) else target.encode()
        with Talk(self.trickster.port) as talk:
            talk._method = verb
            talk.send(b"%b %b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" % (
                verb.encode(), octets))
            return talk.answer()

    @property
    def targets(self) -> list[bytes]:
        return [head.split(b" ")[1] for head in self.origin.heads]


class PassedTests(OddPathCase):
    """Odd paths that the origin would answer."""

    def test_as_it_is(self) -> None:
        """Every provider passes odd paths on as they came, with any method."""
        for name in PROVIDERS:
            for path in ODD:
                for verb in VERBS:
                    self.origin.heads.clear()
                    answer = self.asked(f"/{name}{path}", verb)
                    self.assertEqual(answer.status, 200, (name, path, verb))
                    self.assertEqual(self.targets, [path.encode()], (name, path, verb))

    def test_default_backend(self) -> None:
        """The default backend passes odd paths on as they came, without its name in the path."""
        for path in ODD:
            self.origin.heads.clear()
            self.assertEqual(self.asked(path).status, 200, path)
            self.assertEqual(self.targets, [path.encode()], path)

    def test_told(self) -> None:
        """A response to an odd path says each time why it was not cached."""
        for path in ("//api/v1/query?query=1", "/prometheus//api/v1/query?query=1",
                     "/prometheus/api/v1/./query_range?query=1&start=1&end=2&step=1",
                     "/reverseproxycache/a/../b?h=Cache-Control:max-age=60"):
            for _ in range(2):
                answer = self.asked(path)
                self.assertIn("reason=ambiguous-path", answer.result, path)
                self.assertEqual(answer.lookup, "proxy-only")
        self.assertEqual(len(self.origin.heads), 8)

    def test_never_out_of_a_prefix(self) -> None:
        """A path outside of the origin's prefix is not reached."""
        for path in ("/../team-b", "/x/../../team-b", "/%2e%2e/team-b", "/..%2fteam-b", "/..;/b",
                     "/%252e%252e/b", "/..\\b"):
            for verb in VERBS:
                self.assertEqual(self.asked(f"/within{path}", verb).status, 400, path)
        self.assertEqual(self.targets, [])
        self.assertEqual(self.asked("/within/x/../y").status, 200)
        self.assertEqual(self.targets, [b"/team-a/x/../y"])


class BlockedTests(OddPathCase):
    """Paths that are blocked in every spelling."""

    def test_admin(self) -> None:
        """
        The admin API of Prometheus is blocked for every method, with and without the backend's
        name.
        """
        for path in ADMIN:
            for verb in VERBS:
                for name in ("", "/prometheus"):
                    answer = self.asked(name + path, verb)
                    self.assertEqual(answer.status, 400, (name, path, verb))
                    self.assertIn("reason=blocked", answer.result)
        self.assertEqual(self.targets, [])

    def test_local(self) -> None:
        """A path with a static response gives that one, and 405 for other methods."""
        for path in ("/secret/x", "//secret", "/x/../secret", "/%73ecret", "/secret%2Fx", "/./secret"):
            for verb in VERBS:
                expected = 451 if verb in ("GET", "HEAD", "POST") else 405
                answer = self.asked(f"/local{path}", verb)
                self.assertEqual(answer.status, expected, (path, verb))
                if expected == 405:
                    self.assertEqual(answer.headers["Allow"], "GET, HEAD, POST")
        self.assertEqual(self.targets, [])


class MethodTests(OddPathCase):
    """Methods of paths that exist."""

    def test_wrong_method(self) -> None:
        """A method that a path does not have gets 405 with Allow, and does not reach the origin."""
        reading, asking = "GET, HEAD, OPTIONS", "GET, HEAD, OPTIONS, POST"
        for path, allowed in (("query_range", asking), ("query", asking), ("labels", asking),
                              ("label/a/values", reading), ("metadata", reading),
                              ("status/flags", reading)):
            for verb in ("PUT", "DELETE", "PATCH", "PURGE", "TRACE"):
                for name in ("", "/prometheus"):
                    answer = self.asked(f"{name}/api/v1/{path}", verb)
                    self.assertEqual(answer.status, 405, (path, verb))
                    self.assertEqual(answer.headers["Allow"], allowed)
                    self.assertIn("reason=method-not-allowed", answer.result)
        self.assertEqual(self.targets, [])

    def test_all_methods(self) -> None:
        """A path without configured methods has all methods."""
        for path in ("/graph", "/reverseproxycache/x", "/reverseproxy/x", "/api/v1/alerts"):
            for verb in VERBS:
                self.assertEqual(self.asked(path, verb).status, 200, (path, verb))

    def test_methods_apart(self) -> None:
        """
        What one method makes invalid is forgotten, though another path of the configuration
        has the cache for it (RFC 9111 section 4.4).
        """
        target = "/split/d?a=1&b=2&h=Cache-Control:max-age=600"
        for verb in ("PUT", "POST"):
            self.assertEqual([self.asked(target).lookup for _ in range(2)], ["kmiss", "hit"])
            self.assertEqual(self.asked(target, verb).status, 200)
            self.assertEqual(self.asked(target).lookup, "kmiss")
            self.assertEqual(self.asked("/split/e", verb).status, 200)
            self.assertEqual(self.asked(target).lookup, "hit")
            self.asked(target, verb)

    def test_preflight(self) -> None:
        """A preflight request is passed to the origin on every path."""
        for path in ("/api/v1/query", "/prometheus/api/v1/labels", "/reverseproxycache/x"):
            self.assertEqual(self.asked(path, "OPTIONS").status, 200)
        self.assertEqual(len(self.origin.heads), 3)


class RawTests(OddPathCase):
    """Targets with octets that are not ASCII, as C{curl -g} sends them."""

    RAW = '/api/v1/query?query=up{city="köln"}'.encode()
    ENCODED = b'/api/v1/query?query=up{city="k%C3%B6ln"}'

    def test_encoded(self) -> None:
        """
        Octets that are not ASCII reach the origin percent-encoded, for every provider and method.
        """
        for name in (b"/prometheus", b"/reverseproxycache", b"/reverseproxy"):
            for verb in VERBS:
                if name == b"/prometheus" and verb not in ("GET", "HEAD", "POST", "OPTIONS"):
                    continue
                self.origin.heads.clear()
                self.assertEqual(self.asked(name + self.RAW + verb.encode(), verb).status, 200)
                if name == b"/prometheus" and verb != "OPTIONS":
                    self.assertIn(b"%C3%B6", self.origin.heads[0])
                else:
                    self.assertEqual(self.targets, [self.ENCODED + verb.encode()])

    def test_any_octet(self) -> None:
        """An octet that is not ASCII is accepted in a path too, whether it is UTF-8 or not."""
        self.assertEqual(self.asked(b"/reverseproxy/\xff\xe4?\x80=\xc3").status, 200)
        self.assertEqual(self.targets, [b"/%FF%E4?%80=%C3"])

    def test_one_key(self) -> None:
        """A raw octet and its percent-encoding have one cache key; other octets have other keys."""
        target = b"/reverseproxycache/p?h=Cache-Control:max-age=60&q="
        self.asked(target + b"\xc3\xb6")
        self.assertEqual(self.asked(target + b"%C3%B6").lookup, "hit")
        self.assertEqual(self.asked(target + b"%25C3%25B6").lookup, "kmiss")
        self.assertEqual(self.asked(target + b"\xf6").lookup, "kmiss")

    def test_control_octets(self) -> None:
        """A control octet that could end a line or a target is refused."""
        for octet in (b"\0", b"\x01", b"\t", b"\x0b", b"\x7f", b"\x1b"):
            self.assertEqual(self.asked(b"/reverseproxy/\xc3\xb6" + octet).status, 400)
        self.assertEqual(self.targets, [])
