"""The object cache in front of Debian's nginx: what it stores, validates, varies and forgets."""

from __future__ import annotations

import gzip
from typing import ClassVar

from tests.end_to_end.servers import Answer
from tests.end_to_end.talking import Field, Talk, request
from tests.end_to_end.webfiles import LAST_MODIFIED, WebCase, octets_of

GZIP = [("Accept-Encoding", "gzip")]


class _NginxCase(WebCase):

    more: ClassVar = {"negative_caches": {"default": {404: "600s", 405: "0s"}}}

    def ask(self, target: str, *headers: Field, method: str = "GET", body: bytes = b"") -> Answer:
        return request(self.trickster.url + target, headers, method, body)

    def lookups(self, target: str, *headers: Field, times: int = 2) -> list[str]:
        """:return: what the cache made of the same request, asked again and again."""
        return [self.ask(target, *headers).lookup for _ in range(times)]


class StoringTests(_NginxCase):
    """What is stored of nginx's responses, and for how long."""

    backend: ClassVar = {"paths": [{"path": "/cookie-kept/", "match_type": "prefix",
                                    "handler": "proxycache", "cache_set_cookie": True}]}

    def test_hit(self) -> None:
        """A stored answer is the origin's, field for field, and says how old it is."""
        first, second = self.ask("/fresh/a.bin?hit"), self.ask("/fresh/a.bin?hit")
        self.assertEqual((first.lookup, second.lookup), ("kmiss", "hit"))
        self.assertEqual(first.body, octets_of("a.bin"))
        self.assertEqual(second.body, first.body)
        for name in ("ETag", "Last-Modified", "X-Made", "Content-Type", "Date"):
            self.assertEqual(second.headers[name], first.headers[name], name)
        self.assertIsNone(first.headers["Age"])
        self.assertIsNotNone(second.headers["Age"])
        self.assertIn("hit", second.headers["Cache-Status"])

    def test_every_kind(self) -> None:
        """
        Responses with explicit and heuristic freshness, chunked, empty and redirecting, are stored.
        """
        for target in ("/heuristic/a.bin", "/chunked/text.txt", "/moved/x", "/fresh/empty.bin",
                       "/fresh/one.bin", "/fresh/big.bin", "/cookie-kept/a.bin"):
            self.assertEqual(self.lookups(target), ["kmiss", "hit"], target)
            direct, cached = request(self.nginx.url + target), self.ask(target)
            self.assertEqual((cached.status, cached.body), (direct.status, direct.body), target)

    def test_not_stored(self) -> None:
        """Responses without a lifetime, and those with Set-Cookie, are not stored."""
        for target in ("/plain/a.bin", "/cookie/a.bin"):
            first, second = self.ask(target), self.ask(target)
            self.assertEqual((first.lookup, second.lookup), ("kmiss", "kmiss"), target)
            self.assertNotEqual(first.headers["X-Made"], second.headers["X-Made"], target)

    def test_cookies(self) -> None:
        """A response with Set-Cookie is not stored unless the path lets it be shared."""
        first, second = (self.ask("/cookie/one.bin").headers["Set-Cookie"] for _ in range(2))
        self.assertNotEqual(first, second)
        kept = [self.ask("/cookie-kept/one.bin").headers["Set-Cookie"] for _ in range(2)]
        self.assertEqual(kept[0], kept[1])

    def test_too_large(self) -> None:
        """A response above max_object_size_bytes is streamed each time anew."""
        for _ in range(2):
            answer = self.ask("/fresh/huge.bin")
            self.assertEqual((answer.lookup, answer.body), ("kmiss", octets_of("huge.bin")))
            self.assertIn("reason=too-large", answer.result)

    def test_query_is_part_of_the_key(self) -> None:
        """Requests with different parameters are different objects."""
        self.assertEqual(self.ask("/said/x?a=1").body, b"GET /said/x?a=1  ")
        self.assertEqual(self.ask("/said/x?a=2").body, b"GET /said/x?a=2  ")
        self.assertEqual(self.lookups("/said/x?a=1", times=1), ["hit"])

    def test_negative(self) -> None:
        """Failures are stored as configured by status, also with a HEAD."""
        self.assertEqual(self.lookups("/fresh/none", times=3), ["kmiss", "nchit", "nchit"])
        answer = self.ask("/fresh/none", method="HEAD")
        self.assertEqual((answer.status, answer.lookup, answer.body), (404, "nchit", b""))

    def test_head(self) -> None:
        """A HEAD is answered from what a GET has stored."""
        self.ask("/fresh/a.bin?head")
        before = self.asked_of_origin()
        answer = self.ask("/fresh/a.bin?head", method="HEAD")
        self.assertEqual((answer.status, answer.lookup, answer.body), (200, "hit", b""))
        self.assertEqual(answer.headers["Content-Length"], "10000")
        self.assertEqual(self.asked_of_origin(), before)

    def test_head_first(self) -> None:
        """A HEAD without a stored response is forwarded as one."""
        self.assertEqual(self.ask("/said/head", method="HEAD").status, 200)
        self.assertEqual(self.ask("/said/head").body, b"GET /said/head  ")

    def test_one_connection(self) -> None:
        """Hits, misses, empty and chunked responses follow each other on one connection."""
        with Talk(self.trickster.port) as talk:
            for _ in range(2):
                for target, size in (("/fresh/a.bin?one", 10_000), ("/chunked/text.txt?one", 10_500),
                                     ("/fresh/empty.bin?one", 0), ("/fresh/huge.bin", 3_000_000)):
                    self.assertEqual(len(talk.asked(target).body), size)
                    self.assertEqual(talk.asked(target, method="HEAD").body, b"")


class ValidatingTests(_NginxCase):
    """Conditional requests, to nginx and from clients."""

    def test_revalidated(self) -> None:
        """A stale response is validated with its validator, and a 304 freshens it."""
        first, second, third = (self.ask("/stale/a.bin?r") for _ in range(3))
        self.assertEqual([a.lookup for a in (first, second, third)], ["kmiss", "rhit", "rhit"])
        self.assertEqual(third.body, octets_of("a.bin"))
        self.assertNotEqual(third.headers["X-Made"], first.headers["X-Made"])

    def test_changed(self) -> None:
        """A validation that finds another representation answers with that one."""
        self.write("stale/changing.bin", b"before")
        self.assertEqual(self.ask("/stale/changing.bin").body, b"before")
        self.write("stale/changing.bin", b"afterwards", LAST_MODIFIED + 9)
        answer = self.ask("/stale/changing.bin")
        self.assertEqual((answer.lookup, answer.body), ("kmiss", b"afterwards"))
        self.assertEqual(self.ask("/stale/changing.bin").body, b"afterwards")

    def test_gone(self) -> None:
        """A validation that finds the resource gone answers with the 404."""
        self.write("stale/going.bin", b"here")
        self.ask("/stale/going.bin")
        (self.www / "stale/going.bin").unlink()
        self.assertEqual([self.ask("/stale/going.bin").status for _ in range(2)], [404, 404])

    def test_clients_conditions(self) -> None:
        """A client whose copy is good gets a 304, from fresh, stale and missing entries alike."""
        stored = self.ask("/fresh/a.bin").headers
        conditions = [("If-None-Match", stored["ETag"]), ("If-None-Match", "W/" + stored["ETag"]),
                      ("If-None-Match", '"x", ' + stored["ETag"]), ("If-None-Match", "*"),
                      ("If-Modified-Since", stored["Last-Modified"])]
        for number, condition in enumerate(conditions):
            for target in ("/fresh/a.bin", "/stale/a.bin?c", f"/fresh/a.bin?new{number}"):
                answer = self.ask(target, condition)
                told = f"{target} {condition}"
                self.assertEqual((answer.status, answer.body), (304, b""), told)
                self.assertIn(stored["ETag"], answer.headers["ETag"], told)  # perhaps a weak one
                self.assertIsNone(answer.headers["Content-Length"], told)

    def test_clients_conditions_that_fail(self) -> None:
        """A client whose copy is out of date gets a whole answer."""
        for condition in (("If-None-Match", '"other"'),
                          ("If-Modified-Since", "Mon, 13 Nov 2023 22:13:20 GMT")):
            for target in ("/fresh/a.bin", "/stale/a.bin?c", f"/fresh/a.bin?{condition[0]}"):
                answer = self.ask(target, condition)
                self.assertEqual((answer.status, len(answer.body)), (200, 10_000))

    def test_preconditions(self) -> None:
        """If-Match and If-Unmodified-Since that fail give a 412, stored or not."""
        for condition in (("If-Match", '"other"'),
                          ("If-Unmodified-Since", "Mon, 13 Nov 2023 22:13:20 GMT")):
            for target in ("/fresh/a.bin", f"/fresh/a.bin?p{condition[0]}"):
                self.assertEqual(self.ask(target, condition).status, 412, f"{target} {condition}")

    def test_conditions_store_nothing_wrong(self) -> None:
        """After a 304 to one client's condition, other clients get the whole response."""
        tag = request(self.nginx.url + "/fresh/a.bin").headers["ETag"]
        self.assertEqual(self.ask("/fresh/a.bin?304", ("If-None-Match", tag)).status, 304)
        self.assertEqual(self.ask("/fresh/a.bin?304").body, octets_of("a.bin"))


class VaryingTests(_NginxCase):
    """Variants of one resource."""

    backend: ClassVar = {"compressible_types": []}

    def test_variants(self) -> None:
        """
        Both variants of a resource are stored, compressed once, and given to clients that accept
        them.
        """
        target = "/zip/text.txt"
        plain, coded = self.ask(target), self.ask(target, *GZIP)
        self.assertEqual(coded.headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(coded.body), plain.body)
        for _ in range(2):
            again = self.ask(target, *GZIP)
            self.assertEqual((again.lookup, again.body), ("hit", coded.body))
            self.assertEqual(again.headers["X-Made"], coded.headers["X-Made"])
            self.assertEqual(again.headers["Vary"], "Accept-Encoding")
            again = self.ask(target)
            self.assertEqual((again.lookup, again.body), ("hit", plain.body))
            self.assertEqual(again.headers["X-Made"], plain.headers["X-Made"])

    def test_validators_of_variants(self) -> None:
        """Each variant has its own validator, and a weak one does not allow a range."""
        target = "/zip/text.txt?tags"
        plain, coded = self.ask(target).headers["ETag"], self.ask(target, *GZIP).headers["ETag"]
        self.assertEqual(coded, "W/" + plain)
        for headers in ((), GZIP):
            self.assertEqual(self.ask(target, *headers, ("If-None-Match", coded)).status, 304)
        part = [("Range", "bytes=0-4"), ("If-Range", coded)]
        self.assertEqual(self.ask(target, *GZIP, *part).status, 200)


class ForgettingTests(_NginxCase):
    """Requests that invalidate what is stored."""

    def test_put_and_delete(self) -> None:
        """A GET after a PUT or DELETE shows the change."""
        self.assertEqual(self.ask("/dav/new", method="PUT", body=b"one").status, 201)
        self.assertEqual([self.ask("/dav/new").body for _ in range(2)], [b"one", b"one"])
        self.assertEqual(self.ask("/dav/new", method="PUT", body=b"two!").status, 204)
        self.assertEqual(self.ask("/dav/new").body, b"two!")
        self.assertEqual(self.ask("/dav/new", method="DELETE").status, 204)
        self.assertEqual(self.ask("/dav/new").status, 404)

    def test_a_refused_change(self) -> None:
        """A PUT or DELETE that the origin refuses invalidates nothing."""
        self.ask("/fresh/a.bin?kept")
        for method in ("POST", "PUT", "DELETE", "BREW"):
            answer = self.ask("/fresh/a.bin?kept", method=method, body=b"x")
            self.assertEqual(answer.status, 405, method)
        self.assertEqual(self.ask("/fresh/a.bin?kept").lookup, "hit")

    def test_no_cache(self) -> None:
        """A client's no-cache validates the stored response for all clients."""
        self.assertEqual(self.lookups("/fresh/a.bin?anew"), ["kmiss", "hit"])
        answer = self.ask("/fresh/a.bin?anew", ("Cache-Control", "no-cache"))
        self.assertEqual((answer.lookup, answer.body), ("rhit", octets_of("a.bin")))
        self.assertIn("reason=request-no-cache", answer.result)
        self.assertEqual(self.lookups("/fresh/a.bin?anew"), ["hit", "hit"])
