"""Tests of L{trickster.http.h1.requests}."""

from __future__ import annotations

import contextlib

import httptools
from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.h1.faults import Malformed
from trickster.http.h1.head_reader import HeadLimits, HeadReader
from trickster.http.h1.requests import (
    Fields,
    RequestHead,
    RequestLine,
    is_authority,
    parse_fields,
    parse_request_line,
)
from trickster.messages import Headers


def line(octets: bytes) -> RequestLine:
    parsed = parse_request_line(octets)
    assert isinstance(parsed, RequestLine), parsed
    return parsed


def line_status(octets: bytes) -> int:
    parsed = parse_request_line(octets)
    assert isinstance(parsed, Malformed), parsed
    return parsed.status


def head(octets: bytes) -> RequestHead | Malformed | None:
    return HeadReader(HeadLimits()).feed(octets)


def good(octets: bytes) -> RequestHead:
    found = head(octets)
    assert isinstance(found, RequestHead), found
    return found


def status(octets: bytes) -> int:
    found = head(octets)
    assert isinstance(found, Malformed), found
    return found.status


def get(*fields: bytes, version: bytes = b"HTTP/1.1", host: bool = True) -> bytes:
    """A request with these field lines."""
    lines = [b"GET / " + version, *([b"Host: h"] if host else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


class RequestLineTests(SynchronousTestCase):
    """RFC 9112 section 3."""

    def test_origin_form(self) -> None:
        """A target in origin form is kept as it is."""
        self.assertEqual(line(b"GET /a?b={c=\"d\"}|e HTTP/1.1"),
                         RequestLine(b"GET", b"/a?b={c=\"d\"}|e", b"", b"HTTP/1.1"))

    def test_absolute_form(self) -> None:
        """A target in absolute form is brought to origin form."""
        self.assertEqual(line(b"GET http://h:80/a?b HTTP/1.1"),
                         RequestLine(b"GET", b"/a?b", b"h:80", b"HTTP/1.1"))

    def test_absolute_form_without_path(self) -> None:
        """An absolute target with an empty path is C{/}, but for OPTIONS, where it is C{*}."""
        self.assertEqual(line(b"GET HTTPS://h HTTP/1.1").target, b"/")
        self.assertEqual(line(b"GET http://h?q HTTP/1.1").target, b"/?q")
        self.assertEqual(line(b"OPTIONS http://h HTTP/1.1").target, b"*")

    def test_minor_versions(self) -> None:
        """A later minor version is served as 1.1 (RFC 9110 section 2.5)."""
        self.assertEqual(line(b"GET / HTTP/1.2").version, b"HTTP/1.1")
        self.assertEqual(line(b"GET / HTTP/1.0").version, b"HTTP/1.0")

    def test_unknown_methods(self) -> None:
        """Any token is a method."""
        self.assertEqual(line(b"M-SEARCH|x / HTTP/1.1").method, b"M-SEARCH|x")

    def test_refused(self) -> None:
        """A malformed request line is refused, with a status of its own where there is one."""
        for octets, expected in [
            (b"GET /", 400), (b"GET", 400), (b"", 400), (b"GET  / HTTP/1.1", 400),
            (b"GET / HTTP/1.1 ", 400), (b" GET / HTTP/1.1", 400), (b"GET\t/\tHTTP/1.1", 400),
            (b"GET / x HTTP/1.1", 400), (b"G(T / HTTP/1.1", 400), (b"G\xc3\x89T / HTTP/1.1", 400),
            (b"GET / http/1.1", 400), (b"GET / HTTP/1,1", 400), (b"GET / HTTP/1.10", 400),
            (b"GET / HTTP/11", 400), (b"GET / HTTP/1.", 400), (b"GET / HTTPS/1.1", 400),
            (b"GET / HTTP/+1.1", 400), (b"GET / HTTP/1.\xb9", 400), (b"GET / 1.1", 400),
            (b"GET / HTTP/0.9", 505), (b"GET / HTTP/2.0", 505), (b"PRI * HTTP/2.0", 505),
            (b"GET / HTTP/3.0", 505), (b"GET /\x00 HTTP/1.1", 400), (b"GET /\xe9\x7f HTTP/1.1", 400),
            (b"GET /\xe9\t HTTP/1.1", 400), (b"GET /\xe9# HTTP/1.1", 400),
            (b"GET /\x7f HTTP/1.1", 400), (b"GET /#a HTTP/1.1", 400), (b"GET a HTTP/1.1", 400),
            (b"GET * HTTP/1.1", 400), (b"GET h:80 HTTP/1.1", 400), (b"GET ftp://h/ HTTP/1.1", 400),
            (b"GET http:/// HTTP/1.1", 400), (b"GET http://u@h/ HTTP/1.1", 400),
            (b"GET http://h:x/ HTTP/1.1", 400), (b"GET http://h:99999/ HTTP/1.1", 400),
            (b"CONNECT h:443 HTTP/1.1", 501), (b"CONNECT /x HTTP/1.1", 501),
            (b"X" * 65 + b" / HTTP/1.1", 501),
        ]:
            self.assertEqual(line_status(octets), expected, octets)


class FieldTests(SynchronousTestCase):
    """RFC 9112 section 5."""

    def test_order_and_case(self) -> None:
        """Fields stay as they came, without the white space around values."""
        fields = parse_fields(b"B: 1\r\na:2 \t\r\nB:\t 3 4\r\nc:\r\n")
        assert isinstance(fields, Fields)
        self.assertEqual(fields.headers,
                         Headers(((b"B", b"1"), (b"a", b"2"), (b"B", b"3 4"), (b"c", b""))))

    def test_obs_text(self) -> None:
        """Octets above ASCII are opaque (RFC 9110 section 5.5)."""
        self.assertEqual(good(get(b"X: \xe9\xff")).headers.get(b"x"), b"\xe9\xff")

    def test_refused(self) -> None:
        """What is no field line is refused."""
        for octets in (b"X : 1", b" X: 1", b"X: 1\r\n 2", b"X: 1\r\n\t2", b": 1", b"X", b"X\x00: 1",
                       b"X: a\x00b", b"X: a\x0bb", b"X: \x7f", b"X(: 1", b"X\xe9: 1", b"X y: 1",
                       b"X: a\rb", b"X: a\nb", b"\"X\": 1", b"X:1\r\n:", b"X\t: 1"):
            self.assertEqual(status(get(octets)), 400, octets)

    def test_first_line_folded(self) -> None:
        """A field block that begins with white space is refused."""
        self.assertEqual(status(b"GET / HTTP/1.1\r\n Host: h\r\n\r\n"), 400)


class HostTests(SynchronousTestCase):
    """RFC 9112 section 3.2."""

    def test_authority(self) -> None:
        """The authority of a request comes from C{Host}."""
        self.assertEqual(good(get()).authority, b"h")

    def test_missing(self) -> None:
        """Only a request of HTTP/1.0 may have no C{Host}."""
        self.assertEqual(status(get(host=False)), 400)
        self.assertEqual(good(get(host=False, version=b"HTTP/1.0")).authority, b"")

    def test_twice(self) -> None:
        """A request with more than one C{Host} is malformed, whether they are equal or not."""
        self.assertEqual(status(get(b"Host: h")), 400)
        self.assertEqual(status(get(b"Host: i", version=b"HTTP/1.0")), 400)

    def test_absolute_form_wins(self) -> None:
        """The target's authority replaces a C{Host} that differs (section 3.2.2)."""
        found = good(b"GET http://a/x HTTP/1.1\r\nHost: b\r\n\r\n")
        self.assertEqual((found.authority, found.headers.get_all(b"host")), (b"a", [b"a"]))

    def test_absolute_form_needs_host(self) -> None:
        """A request with an absolute target needs a C{Host} all the same."""
        self.assertEqual(status(b"GET http://a/x HTTP/1.1\r\n\r\n"), 400)

    def test_syntax(self) -> None:
        """C{Host} is a host with or without a port, and nothing else."""
        for value in (b"h", b"h:80", b"h:", b"1.2.3.4:1", b"[::1]", b"[::1]:80", b"a_b.c-d", b"a."):
            self.assertTrue(is_authority(value), value)
        for value in (b"", b":80", b"a b", b"a/b", b"http://a", b"u@h", b"h:x", b"h:65536", b"h:-1",
                      b"a,b", b"[::1", b"::1", b"h:80:80", b"h?x", b"h#x", b"\xe9", b"[::1]x"):
            self.assertFalse(is_authority(value), value)
            self.assertEqual(status(get(b"Host: " + value, host=False)), 400, value)


class FramingTests(SynchronousTestCase):
    """RFC 9112 section 6."""

    def test_lengths(self) -> None:
        """C{Content-Length} is digits, and nothing else."""
        for value, expected in [(b"0", 0), (b"5", 5), (b"007", 7), (b"0" * 400, 0)]:
            self.assertEqual(good(get(b"Content-Length: " + value)).length, expected)
        self.assertEqual(good(get()).length, 0)

    def test_malformed_lengths(self) -> None:
        """What one server takes for a length and another does not is refused."""
        for value in (b"", b"+5", b"-5", b"0x5", b"5 5", b"5,5", b"5, 6", b"5;", b"5.0", b"1e3",
                      b"\xb2", b"five", b"5_0", b",5", b"5,"):
            self.assertEqual(status(get(b"Content-Length: " + value)), 400, value)

    def test_several_lengths(self) -> None:
        """A request with several C{Content-Length} fields is malformed, even with equal ones."""
        self.assertEqual(status(get(b"Content-Length: 5", b"content-length: 5")), 400)

    def test_huge_length(self) -> None:
        """A C{Content-Length} of too many digits is refused as too large, and raises nothing."""
        self.assertEqual(status(get(b"Content-Length: " + b"9" * 5000)), 413)

    def test_chunked(self) -> None:
        """C{chunked} is the one transfer coding that is known, in any case."""
        for value in (b"chunked", b"Chunked", b" \tCHUNKED "):
            self.assertIsNone(good(get(b"Transfer-Encoding:" + value)).length, value)

    def test_malformed_codings(self) -> None:
        """Where chunked is not the last coding, the length cannot be known (section 6.3)."""
        for value in (b"", b"identity", b"identity, chunked", b"chunked, identity", b"gzip",
                      b"chunked, chunked", b"chunked, gzip", b"xchunked", b"chunked;a=b",
                      b"chunked,", b",chunked", b"\"chunked\"", b"chunke", b"chu nked",
                      b"x y, chunked"):
            self.assertEqual(status(get(b"Transfer-Encoding: " + value)), 400, value)

    def test_several_coding_fields(self) -> None:
        """Several C{Transfer-Encoding} fields are one list."""
        self.assertEqual(status(get(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x")), 400)
        self.assertEqual(status(get(*[b"Transfer-Encoding: chunked"] * 2)), 400)

    def test_unknown_coding(self) -> None:
        """Another coding before chunked is one that we do not know (section 6.1)."""
        self.assertEqual(status(get(b"Transfer-Encoding: gzip, chunked")), 501)

    def test_coding_in_old_version(self) -> None:
        """HTTP/1.0 has no transfer codings."""
        self.assertEqual(status(get(b"Transfer-Encoding: chunked", version=b"HTTP/1.0")), 400)

    def test_both(self) -> None:
        """Length and coding together are an attempt at smuggling."""
        for fields in ([b"Content-Length: 5", b"Transfer-Encoding: chunked"],
                       [b"Transfer-Encoding: chunked", b"Content-Length: 0"],
                       [b"Transfer-Encoding: identity", b"Content-Length: 5"]):
            self.assertEqual(status(get(*fields)), 400)


class ConnectionTests(SynchronousTestCase):
    """RFC 9112 section 9, and expectations."""

    def test_persistent(self) -> None:
        """HTTP/1.1 keeps connections without C{close} in C{Connection}, in any case or list."""
        for fields, expected in [([], True), ([b"Connection: close"], False),
                                 ([b"Connection: foo, CLOSE ,x"], False),
                                 ([b"Connection: x", b"Connection: close"], False),
                                 ([b"Connection: closed"], True)]:
            self.assertEqual(good(get(*fields)).persistent, expected, fields)

    def test_old_version(self) -> None:
        """HTTP/1.0 does not keep connections."""
        found = good(get(b"Connection: keep-alive", version=b"HTTP/1.0"))
        self.assertFalse(found.persistent)

    def test_expectation(self) -> None:
        """C{100-continue} is the one expectation; without a body, or in HTTP/1.0, it is void."""
        self.assertTrue(good(get(b"Expect: 100-Continue", b"Content-Length: 1")).expects_continue)
        self.assertFalse(good(get(b"Expect: 100-continue")).expects_continue)
        old = get(b"Expect: 100-continue", b"Content-Length: 1", version=b"HTTP/1.0")
        self.assertFalse(good(old).expects_continue)

    def test_unknown_expectation(self) -> None:
        """An unknown expectation is a 417 (RFC 9110 section 10.1.1)."""
        self.assertEqual(status(get(b"Expect: 200-ok")), 417)
        self.assertEqual(status(get(b"Expect: 100-continue, x")), 417)


class NeverRaisesTests(SynchronousTestCase):
    """Any octets are a head, malformed, or not complete."""

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=80))
    @example(b"\r")
    @example(b"\r\n\r\n")
    @example(b"\r\nGET / HTTP/1.0\r\n\r\n")
    def test_any_octets(self, octets: bytes) -> None:
        """No octets make the reader of requests raise."""
        self.assertIsInstance(head(octets), RequestHead | Malformed | None)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.sampled_from(
        [b"GET", b" ", b"/", b"HTTP/1.1", b"\r\n", b"\r", b"\n", b"Host", b":", b"h", b"a",
         b"Content-Length", b"Transfer-Encoding", b"chunked", b"5", b",", b"\t", b"\x00"]
    ), max_size=24))
    def test_nearly_requests(self, pieces: list[bytes]) -> None:
        """A request that is taken has no control characters, and one host at most."""
        found = head(b"".join(pieces))
        if isinstance(found, RequestHead):
            text = b"".join(name + value for name, value in found.headers)
            self.assertFalse(any(octet < 0x20 and octet != 9 for octet in text))
            self.assertLessEqual(len(found.headers.get_all(b"host")), 1)


class Reference:
    """What llhttp makes of a request head."""

    def __init__(self) -> None:
        self.target = b""
        self.pairs: list[tuple[bytes, bytes]] = []
        self.is_head = False

    def on_url(self, octets: bytes) -> None:
        self.target += octets

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.is_head = True


class ReferenceTests(SynchronousTestCase):
    """Requests held against an independent reading of HTTP."""

    @settings(max_examples=500, deadline=None)
    @given(st.sampled_from([b"GET", b"POST", b"DELETE", b"M-SEARCH", b"G ET"]),
           st.sampled_from([b"/", b"/a?b=%20", b"*", b"http://a/b", b"/a b", b"a"]),
           st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"http/1.1"]),
           st.lists(st.sampled_from([
               b"Host: a", b"host:a", b"A: b", b"A:", b"A : b", b" A: b", b"A: \x00", b"A: b\tc",
               b"Content-Length: 5", b"Content-Length: 05", b"Content-Length: 5, 5",
               b"Content-Length: +5", b"Transfer-Encoding: chunked",
               b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip, chunked",
               b"Connection: close", b"Expect: 100-continue", b"A: \xff", b"A\x00: b", b": b"]),
               max_size=5))
    def test_stricter_than_the_reference(self, method: bytes, target: bytes, version: bytes,
                                         fields: list[bytes]) -> None:
        """A request that is taken is taken by llhttp as the same request."""
        octets = b"\r\n".join([b" ".join((method, target, version)), *fields, b"", b""])
        head = HeadReader(HeadLimits()).feed(octets)
        if not isinstance(head, RequestHead):
            return
        reference = Reference()
        parser = httptools.HttpRequestParser(reference)
        with contextlib.suppress(httptools.HttpParserUpgrade):
            parser.feed_data(octets)
        self.assertTrue(reference.is_head)
        self.assertEqual(parser.get_method(), head.method)
        self.assertEqual(reference.pairs, [tuple(line.split(b":", 1)[:1]) + (
            line.split(b":", 1)[1].strip(b" \t"),) for line in fields])
        self.assertEqual(reference.target, target)
