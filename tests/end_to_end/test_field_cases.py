"""What users of caching proxies have reported from the field, as statements that hold here."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, urlencode

from tests.end_to_end.obeying import Asked, ObeyingOrigin
from tests.end_to_end.servers import Answer, Trickster
from tests.end_to_end.standing import Standing
from tests.end_to_end.talking import PATIENCE, Talk, request

IDENTITY = (
    ("X-Scope-OrgID", "a"), ("THANOS-TENANT", "a"), ("X-Grafana-User", "a"),
    ("X-WEBAUTH-USER", "a"), ("X-Tenant", "a"), ("X-Forwarded-User", "a"), ("X-Api-Key", "a"),
    ("X-ClickHouse-User", "a"), ("Authorization", "Basic YTph"), ("Cookie", "sid=a"),
)
OVERRIDES = (
    ("X-Original-URL", "/admin"), ("X-Rewrite-URL", "/admin"), ("X-Host", "evil.test"),
    ("X-HTTP-Method-Override", "DELETE"), ("X-HTTP-Method", "DELETE"),
    ("X-Method-Override", "DELETE"), ("X-Forwarded-Scheme", "http"),
    ("X-Forwarded-Prefix", "/evil"), ("Forwarded", "host=evil.test"),
    ("X-Forwarded-Host", "evil.test"), ("X-Forwarded-Proto", "gopher"),
    ("X-Forwarded-Anything", "evil"), ("X-Proto", "gopher"),
)
NOT_KEPT = ("no-store", "private", "private, max-age=60", "no-store, max-age=60")
STREAMS = 20


class EchoCase(Standing):
    """Backends of every cached kind in front of an origin that echoes."""

    origin: ClassVar[ObeyingOrigin]
    trickster: ClassVar[Trickster]
    _numbers = itertools.count()

    @classmethod
    def started(cls, root: Path) -> None:
        """Start the origin and Trickster."""
        cls.origin = cls.kept(ObeyingOrigin())
        url = cls.origin.url
        web = {"provider": "reverseproxycache", "origin_url": url}
        cls.trickster = cls.kept(Trickster(root / "trickster", {
            "prom": {"provider": "prometheus", "origin_url": url, "is_default": True},
            "web": web,
            "progressive": {**web, "paths": [
                {"path": "/", "match_type": "prefix", "collapsed_forwarding": "progressive"}]},
            "neg": {**web, "negative_cache_name": "n"},
            "counted": {**web, "paths": [
                {"path": "/", "match_type": "prefix", "cache_key_params": ["a", "cc"]}]},
            "plain": {"provider": "reverseproxy", "origin_url": url},
            **cls.more(url),
        }, {"negative_caches": {"n": {"400": "20s", "404": "20s"}}}))

    @classmethod
    def more(cls, url: str) -> dict[str, dict[str, object]]:
        """:return: further backends in front of the origin."""
        return {}

    def setUp(self) -> None:
        """Have a target of its own for each test."""
        self.mark = f"m{next(self._numbers)}"
        self.now = int(time.time()) // 60 * 60

    def asked(self, target: str, *headers: tuple[str, str], method: str = "GET",
              body: bytes = b"") -> Answer:
        """:return: what Trickster answers."""
        return request(self.trickster.url + target, headers, method, body)

    def seen(self) -> list[Asked]:
        """:return: what of this test has come to the origin."""
        return [one for one in self.origin.asked if self.mark in one.target + str(one.body)]

    def range_target(self, seconds: int = 3600, **more: str) -> str:
        """:return: a range query that ended ten minutes ago."""
        end = self.now - 600
        return "/api/v1/query_range?" + urlencode({
            "query": self.mark, "start": end - seconds, "end": end, "step": 60, **more})


class WhoMaySeeTests(EchoCase):
    """Which responses are stored, and for which clients."""

    def test_origins_word_on_ranges(self) -> None:
        """A range response that the origin forbids to store is fetched each time."""
        for control in NOT_KEPT:
            target = self.range_target(cc=control, x=control)
            for count in (1, 2):
                answer = self.asked(target)
                self.assertEqual(answer.status, 200)
                self.assertEqual(len([a for a in self.seen() if quote(control, "") in
                                      a.target.replace("+", "%20")]), count, control)

    def test_origins_word_on_every_api_path(self) -> None:
        """
        A response that the origin forbids to store is fetched each time, on every cached path.
        """
        for path in ("query", "series", "labels", "label/job/values", "metadata", "targets",
                     "query_exemplars", "format_query", "status/config"):
            for control in NOT_KEPT:
                before = len(self.seen())
                target = f"/api/v1/{path}?" + urlencode({"query": self.mark, "cc": control})
                self.asked(target)
                self.asked(target)
                self.assertEqual(len(self.seen()), before + 2, (path, control))

    def test_vary_on_api_paths(self) -> None:
        """A response with Vary is given only to requests with equal fields."""
        for target in (self.range_target(h="Vary:X-Way"),
                       "/api/v1/query?" + urlencode({"query": self.mark, "h": "Vary:X-Way"})):
            before = len(self.seen())
            self.asked(target, ("X-Way", "1"))
            self.asked(target, ("X-Way", "2"))
            self.assertEqual(len(self.seen()), before + 2, target)

    def test_identity(self) -> None:
        """
        A response for one user or tenant is not given to another, nor to a request without one.
        """
        for path, (name, value) in itertools.product((
                "/web/b/", "/progressive/b/", "/api/v1/query", "/api/v1/series",
                "/api/v1/label/job/values", "/api/v1/metadata", "/api/v1/query_range"), IDENTITY):
            end = self.now - 600
            target = f"{path}?" + urlencode({
                "cc": "max-age=60", "query": f"{self.mark}{name}", "match[]": "a",
                "start": end - 600, "end": end, "step": 60})
            for own in (((name, value),), (), ((name, value + "b"),)):
                before = len(self.seen())
                self.asked(target, *own)
                self.assertEqual(len(self.seen()), before + 1, (path, name, own))
                if name == "Authorization" and own and "/b/" in path:
                    continue  # not stored at all (RFC 9111 section 3.5)
                self.assertEqual(self.asked(target, *own).lookup, "hit", (path, name, own))

    def test_override(self) -> None:
        """A response to a request with an overriding field is not given to others."""
        for backend, (name, value) in itertools.product(("web", "progressive"), OVERRIDES):
            target = f"/{backend}/b/{self.mark}{name}?cc=max-age=60"
            self.asked(target, (name, value))
            other = self.asked(target).body.lower()
            self.assertNotIn(f"{name}: {value}".lower().encode(), other)

    def test_cookies_are_not_kept(self) -> None:
        """A response with Set-Cookie is for one client."""
        for backend in ("web", "progressive"):
            target = f"/{backend}/b/{self.mark}?cc=max-age=60&h=Set-Cookie:sid=1"
            before = len(self.seen())
            self.asked(target)
            self.asked(target)
            self.assertEqual(len(self.seen()), before + 2)

    def test_cookies_are_not_given_to_waiters(self) -> None:
        """Each of several simultaneous clients gets a Set-Cookie response of its own."""
        target = f"/web/b/{self.mark}?cc=max-age=60&h=Set-Cookie:sid=1&delay=300"
        threads = [threading.Thread(target=self.asked, args=(target,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(self.seen()), 8)

    def test_cloaked_parameters(self) -> None:
        """A parameter that an origin may find where we see none is part of the key."""
        for cloak in ("b=1;a=evil", "a%00=evil", "+a=evil", "%20a=evil", "b=1%26a=evil"):
            path = f"/counted/{self.mark}{len(cloak)}{ord(cloak[0])}"
            self.asked(f"{path}?a=good&{cloak}&cc=max-age=60")
            self.assertNotIn(b"evil", self.asked(f"{path}?a=good&cc=max-age=60").body, cloak)

    def test_errors_of_ones_own(self) -> None:
        """A 400 that one request's fields cause is not given to other requests."""
        target = f"/neg/b/{self.mark}?hmax=2000"
        self.assertEqual(self.asked(target, ("X-Long", "x" * 4000)).status, 400)
        self.assertEqual(self.asked(target).status, 200)


class LoadTests(EchoCase):
    """Lasting exchanges beside short ones."""

    def test_streams_do_not_starve_queries(self) -> None:
        """Twenty silent streams leave connections for queries."""
        waiting = [Talk(self.trickster.port) for _ in range(STREAMS)]
        for talk in waiting:
            self.addCleanup(talk.close)
            talk.ask(f"/api/v1/notifications/live?x={self.mark}")
            talk.until(b"data: 1")
        self.assertEqual(self.asked(f"/api/v1/query?query={self.mark}").status, 200)


class AskedAsItIsTests(EchoCase):
    """Requests that the origin has to judge."""

    @classmethod
    def more(cls, url: str) -> dict[str, dict[str, object]]:
        """:return: a backend that obeys clients."""
        return {"obeying": {"provider": "prometheus", "origin_url": url,
                            "honour_request_directives": True}}

    def test_repeated_slashes(self) -> None:
        """A path with a doubled slash is passed on for the origin to judge."""
        for target in (f"//api/v1/query?query={self.mark}", f"/prom//api/v1/query?query={self.mark}",
                       f"/web//a//{self.mark}", f"/web/a/./{self.mark}",
                       f"/web/a/../{self.mark}"):
            self.assertEqual(self.asked(target).status, 200, target)

    def test_admin_stays_closed_in_any_spelling(self) -> None:
        """A path that is refused is refused in every spelling that an origin may resolve."""
        for path in ("/api/v1/admin/tsdb/snapshot", "//api/v1/admin/tsdb/snapshot",
                     "/api//v1/admin/tsdb/snapshot", "/api/v1/./admin/tsdb/snapshot",
                     "/api/v1/x/../admin/tsdb/snapshot", "/api/v1/%61dmin/tsdb/snapshot",
                     "/api/v1%2Fadmin/tsdb/snapshot", "/api/v1/%2e/admin/tsdb/snapshot",
                     "/x/%2e%2e/api/v1/admin/tsdb/snapshot"):
            before = len(self.origin.asked)
            for method in ("POST", "PUT", "GET"):
                self.asked(path, method=method)
            self.assertEqual(len(self.origin.asked), before, path)

    def test_raw_utf8(self) -> None:
        """Octets above 127 in a query reach the origin, raw or encoded."""
        raw = f'/api/v1/query?query={self.mark}{{city="köln"}}'.encode().decode("latin-1")
        self.assertEqual(self.asked(raw).status, 200)
        self.assertEqual(len(self.seen()), 1)

    def test_wish_for_a_fresh_answer(self) -> None:
        """
        A no-cache request for five minutes leaves the other samples of a range of six hours stored.
        Requests for a fresh response are C{no-cache} and C{no-store}; where clients are obeyed,
        also the others of RFC 9111 section 5.2.1.
        """
        for backend, wish, times in (
                ("prom", "no-cache", 1), ("prom", "no-store", 1), ("prom", "max-age=0", 0),
                ("obeying", "no-cache", 1), ("obeying", "no-store", 0), ("obeying", "max-age=0", 1)):
            query = {"step": "60", "query": f"{self.mark}{backend}{wish[:5]}"}
            end = self.now - 600
            path = f"/{backend}/api/v1/query_range?"
            long = path + urlencode({**query, "start": end - 21000, "end": end})
            short = path + urlencode({**query, "start": end - 300, "end": end})
            self.asked(long)
            before = len(self.seen())
            self.assertEqual(self.asked(short, ("Cache-Control", wish)).status, 200)
            self.assertEqual(len(self.seen()), before + times, (backend, wish))
            self.assertEqual(self.asked(long).lookup, "hit", (backend, wish))

    def test_reload_of_an_object(self) -> None:
        """A no-cache request renews the stored response for all clients."""
        target = f"/web/b/{self.mark}?cc=max-age=60"
        self.asked(target)
        self.asked(target, ("Cache-Control", "no-cache"))
        self.assertEqual(len(self.seen()), 2)
        self.assertEqual(self.asked(target).lookup, "hit")

    def test_instants_are_not_rounded_in_silence(self) -> None:
        """The result header names the instant that was answered where it was rounded."""
        for spelling in ("1795000014", "1795000014.0", "1.795000014e9"):
            before = len(self.seen())
            answer = self.asked(f"/api/v1/query?query={self.mark}{spelling}&time={spelling}")
            if f"time={spelling}" not in self.seen()[before].target:
                self.assertIn("aligned=[1795000005000", answer.result, spelling)

    def test_expectations_reach_the_origin(self) -> None:
        """
        An expectation is sent to the origin before the client sends its body (RFC 9110 section
        10.1.1).
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            origin = listening.getsockname()[1]
            directory = Path(self.mktemp())
            directory.parent.mkdir(parents=True, exist_ok=True)
            trickster = Trickster(directory, {"o": {
                "provider": "reverseproxy", "origin_url": f"http://127.0.0.1:{origin}"}})
            self.addCleanup(trickster.stop)
            with Talk(trickster.port) as talk:
                talk.send(b"PUT /k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                          b"Content-Length: 5000000\r\n\r\n")
                listening.settimeout(PATIENCE)
                peer, _ = listening.accept()
                with peer:
                    head = peer.recv(65536)
                    self.assertIn(b"expect: 100-continue", head.lower())
                    peer.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
                    self.assertTrue(talk.until(b"\r\n").startswith(b"HTTP/1.1 401"))


class RequestHeadersTests(EchoCase):
    """Request headers that a backend adds."""

    @classmethod
    def more(cls, url: str) -> dict[str, dict[str, object]]:
        """:return: a backend that adds credentials and a tenant."""
        return {"secret": {"provider": "prometheus", "origin_url": url, "request_headers": {
            "Authorization": "Basic eA==", "X-Scope-OrgID": "team-a"}}}

    def test_backend_wide_request_headers(self) -> None:
        """Request headers of a backend reach every path, and its health check."""
        for target in ("/graph", "/api/v1/query", "/api/v1/labels", "/api/v1/query_range"):
            end = self.now - 600
            self.asked(f"/secret{target}?query={self.mark}&start={end - 60}&end={end}&step=60")
        self.assertEqual({one.header("Authorization") for one in self.seen()}, {"Basic eA=="})
        self.assertEqual({one.header("X-Scope-OrgID") for one in self.seen()}, {"team-a"})
        before = len(self.origin.asked)
        request(f"{self.trickster.metrics_url}/trickster/health/secret")
        self.assertEqual({one.header("Authorization") for one in self.origin.asked[before:]},
                         {"Basic eA=="})


class SloppyOriginTests(Standing):
    """Responses that are odd, and end unambiguously only with their connection."""

    ANSWERS: ClassVar[dict[str, bytes]] = {
        "lines end with LF": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        "an equal length twice":
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "a length beside chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "padded chunk sizes": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5  \r\nhello\r\n0\r\n\r\n",
        "status 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 5\r\n\r\nhello",
    }

    root: ClassVar[Path]

    @classmethod
    def started(cls, root: Path) -> None:
        """Remember where to write."""
        cls.root = root

    def test_sloppy_answers(self) -> None:
        """A sloppy response is passed on, and its connection is not used again."""
        for name, octets in self.ANSWERS.items():
            with socket.create_server(("127.0.0.1", 0)) as listening:
                origin = listening.getsockname()[1]
                trickster = Trickster(self.root / name.replace(" ", "-"), {"o": {
                    "provider": "reverseproxy", "origin_url": f"http://127.0.0.1:{origin}"}})
                self.addCleanup(trickster.stop)
                with Talk(trickster.port) as talk:
                    talk.ask("/x")
                    listening.settimeout(PATIENCE)
                    peer, _ = listening.accept()
                    with peer:
                        peer.recv(65536)
                        peer.sendall(octets)
                        answer = talk.answer()
                        self.assertEqual(answer.body, b"hello", name)
                        peer.settimeout(10)
                        with contextlib.suppress(ConnectionResetError):
                            self.assertEqual(peer.recv(1), b"", name)
