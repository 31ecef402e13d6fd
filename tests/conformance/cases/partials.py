"""Byte ranges: out of what is stored whole, out of parts, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from tests.conformance.model import (
    Answer,
    Case,
    Group,
    Source,
    Step,
    cached,
    fetched,
    first,
    informative,
    optional,
    required,
)

FRESH, STALE, TAG = "Cache-Control: max-age=3600", "Cache-Control: max-age=0", 'ETag: "a"'
DIGITS = "0123456789"
WHOLE = first(FRESH, body=DIGITS)


def _cut(spec: str, text: str, content_range: str) -> Case:
    return required(
        f"a whole answer serves bytes={spec}", WHOLE,
        Step(Source.CACHED, asks=(f"Range: bytes={spec}",), status=206, text=text,
             has=(f"Content-Range: bytes {content_range}/10",
                  f"Content-Length: {len(text)}", "Age: >=0")))


def _ignored(rule: str, *asks: str) -> Case:
    return required(rule, WHOLE, Step(Source.CACHED, asks=asks, status=200, text=DIGITS))


_WHOLE = (
    _cut("0-4", "01234", "0-4"), _cut("3-3", "3", "3-3"), _cut("5-", "56789", "5-9"),
    _cut("-3", "789", "7-9"), _cut("0-", DIGITS, "0-9"), _cut("-100", DIGITS, "0-9"),
    _cut("8-100", "89", "8-9"), _cut("0-99999999999999999999", DIGITS, "0-9"),
    required("a whole answer serves several ranges in parts", WHOLE,
             Step(Source.CACHED, asks=("Range: bytes=0-1,8-9",), status=206,
                  has=("Content-Type: ~multipart/byteranges; boundary=",),
                  lacks=("Content-Range",))),
    required("a range beyond the end is answered 416", WHOLE,
             Step(Source.CACHED, asks=("Range: bytes=10-20",), status=416, text="",
                  has=("Content-Range: bytes */10",))),
    required("an empty suffix is answered 416", WHOLE,
             Step(Source.CACHED, asks=("Range: bytes=-0",), status=416, text="")),
    _ignored("a range that ends before it begins is ignored", "Range: bytes=5-3"),
    _ignored("a range in an unknown unit is ignored", "Range: lines=0-4"),
    _ignored("a malformed range is ignored", "Range: bytes=a-b"),
    _ignored("If-Range with another tag makes the range ignored", "Range: bytes=0-4",
             'If-Range: "b"'),
    _ignored("If-Range with a weak tag makes the range ignored", "Range: bytes=0-4",
             'If-Range: W/"a"'),
    _ignored("If-Range with a date makes the range ignored where there is none",
             "Range: bytes=0-4", "If-Range: {-1000}"),
    required("If-Range with the tag of what is stored is true",
             first(FRESH, TAG, body=DIGITS),
             Step(Source.CACHED, asks=("Range: bytes=0-4", 'If-Range: "a"'), status=206,
                  text="01234")),
    required("If-Range with the date of what is stored is true",
             first(FRESH, "Last-Modified: {-3000}", body=DIGITS),
             Step(Source.CACHED, asks=("Range: bytes=0-4", "If-Range: {-3000}"), status=206,
                  text="01234")),
    required("a condition that is met comes before the range",
             first(FRESH, TAG, body=DIGITS),
             Step(Source.CACHED, asks=("Range: bytes=0-4", 'If-None-Match: "a"'), status=304)),
    required("the range of a HEAD is ignored", WHOLE,
             Step(Source.CACHED, "HEAD", asks=("Range: bytes=0-4",), status=200,
                  has=("Content-Length: 10",))),
    required("the range of an answer that is no success is ignored",
             first(FRESH, status=404, body=DIGITS),
             Step(Source.CACHED, asks=("Range: bytes=0-4",), status=404, text=DIGITS)),
    required("what is stale is validated before a range of it is served",
             first(STALE, TAG, body=DIGITS),
             Step(Source.VALIDATED, asks=("Range: bytes=0-4",), gets=Answer((FRESH,), 304),
                  status=206, text="01234")),
)


def _part(start: int, stop: int, *fields: str) -> Answer:
    """:return: a 206 with the octets from start up to, but not including, stop."""
    return Answer((*fields, f"Content-Range: bytes {start}-{stop - 1}/10"), 206,
                  DIGITS[start:stop])


def _parted(start: int, stop: int, *fields: str) -> Step:
    return Step(Source.FETCHED, asks=(f"Range: bytes={start}-{stop - 1}",),
                gets=_part(start, stop, *(fields or (FRESH, TAG))), status=206,
                text=DIGITS[start:stop])


PARTED = _parted(2, 8)


def _within(spec: str, text: str) -> Case:
    return optional(f"a stored part 2-7 serves bytes={spec}", PARTED,
                    Step(Source.CACHED, asks=(f"Range: bytes={spec}",), status=206, text=text))


_PARTS = (
    _within("2-7", "234567"), _within("3-5", "345"), _within("7-7", "7"),
    optional("a stored part without a validator serves the same range", _parted(2, 8, FRESH),
             Step(Source.CACHED, asks=("Range: bytes=2-7",), status=206, text="234567")),
    optional("a stored part without a validator serves a smaller range", _parted(2, 8, FRESH),
             Step(Source.CACHED, asks=("Range: bytes=3-4",), status=206, text="34")),
    optional("a stored part to the end serves an open range", _parted(4, 10),
             Step(Source.CACHED, asks=("Range: bytes=5-",), status=206, text="56789")),
    optional("a stored part to the end serves a suffix", _parted(4, 10),
             Step(Source.CACHED, asks=("Range: bytes=-3",), status=206, text="789")),
    optional("a stored part that is everything serves a request for everything",
             _parted(0, 10), Step(Source.CACHED, status=200, text=DIGITS)),
    required("a stored part does not serve a request for everything", PARTED,
             Step(Source.FETCHED, gets=Answer((FRESH, TAG), body=DIGITS), status=200,
                  text=DIGITS)),
    required("a stored part does not serve a range beyond it", PARTED, _parted(0, 4)),
    required("a stored part without a validator does not serve a request for everything",
             _parted(2, 8, FRESH), Step(Source.FETCHED, gets=Answer((FRESH,), body=DIGITS),
                                        status=200, text=DIGITS)),
    required("a part that must not be stored is not", _parted(2, 8, "Cache-Control: no-store"),
             _parted(2, 8)),
    required("a stale part without a validator is not used", _parted(2, 8, STALE),
             _parted(2, 8)),
    required("a 206 to a request without a range is not stored", Step(
        Source.FETCHED, gets=_part(2, 8, FRESH, TAG), status=None), fetched()),
    required("a 206 that contradicts itself is not stored", Step(
        Source.FETCHED, asks=("Range: bytes=0-4",),
        gets=Answer((FRESH, TAG, "Content-Range: bytes 0-4/10"), 206, "012"), status=None),
        _parted(0, 5)),
    required("a 416 is not stored", Step(
        Source.FETCHED, asks=("Range: bytes=20-",),
        gets=Answer((FRESH, "Content-Range: bytes */10"), 416, ""), status=416), fetched()),
    optional("when the origin answers a range with everything, the range is cut from it", Step(
        Source.FETCHED, asks=("Range: bytes=0-4",), gets=Answer((FRESH, TAG), body=DIGITS),
        status=206, text="01234")),
    required("when the origin answers a range with everything, everything is stored", Step(
        Source.FETCHED, asks=("Range: bytes=0-4",), gets=Answer((FRESH, TAG), body=DIGITS),
        status=206), Step(Source.CACHED, text=DIGITS, status=200)),
)

_COMBINED = (
    optional("what is missing of everything is asked for by range", PARTED,
             Step(Source.ANY, gets=Answer((FRESH, TAG), body=DIGITS, on_range=Answer(
                 (FRESH, TAG, "Content-Type: multipart/byteranges; boundary=B"), 206,
                 "--B\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n"
                 "--B\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--B--\r\n")),
                  seen=("Range: *",), status=200, text=DIGITS)),
    optional("the rest of a beginning is asked for by range", _parted(0, 5),
             Step(Source.ANY, gets=Answer((FRESH, TAG), body=DIGITS,
                                          on_range=_part(5, 10, FRESH, TAG)),
                  seen=("Range: bytes=5-9", 'If-Range: "a"'), status=200, text=DIGITS)),
    optional("the rest is asked for on the condition of a date",
             _parted(0, 5, FRESH, "Last-Modified: {-3000}"),
             Step(Source.ANY, gets=Answer((FRESH,), body=DIGITS,
                                          on_range=_part(5, 10, FRESH, "Last-Modified: {-3000}")),
                  seen=("Range: bytes=5-9", "If-Range: {-3000}"), status=200, text=DIGITS)),
    optional("two parts together serve everything", _parted(0, 5), _parted(5, 10),
             Step(Source.CACHED, status=200, text=DIGITS)),
    optional("two parts together serve a range over both", _parted(0, 5), _parted(5, 10),
             Step(Source.CACHED, asks=("Range: bytes=3-6",), status=206, text="3456")),
    optional("two parts apart are both kept", _parted(0, 3), _parted(7, 10),
             Step(Source.CACHED, asks=("Range: bytes=1-2",), status=206, text="12"),
             Step(Source.CACHED, asks=("Range: bytes=7-8",), status=206, text="78")),
    required("parts with different tags are not combined", _parted(0, 5),
             _parted(5, 10, FRESH, 'ETag: "b"'),
             Step(Source.FETCHED, gets=Answer((FRESH, 'ETag: "b"'), body="abcdefghij"),
                  status=200, text="abcdefghij")),
    required("parts with weak tags are not combined", _parted(0, 5, FRESH, 'ETag: W/"a"'),
             _parted(5, 10, FRESH, 'ETag: W/"a"'),
             Step(Source.FETCHED, gets=Answer((FRESH,), body="abcdefghij"),
                  status=200, text="abcdefghij")),
    required("parts without validators are not combined", _parted(0, 5, FRESH),
             _parted(5, 10, FRESH),
             Step(Source.FETCHED, gets=Answer((FRESH,), body="abcdefghij"),
                  status=200, text="abcdefghij")),
    required("when the origin has something else, all of that is served", _parted(0, 5),
             Step(Source.ANY, gets=Answer((FRESH, 'ETag: "b"'), body="abcdefghij"),
                  status=200, text="abcdefghij")),
    optional("new fields of a part replace those stored", _parted(0, 5, FRESH, TAG, "X-A: 1"),
             _parted(5, 10, FRESH, TAG, "X-A: 2"),
             Step(Source.CACHED, status=200, text=DIGITS, has=("X-A: 2",))),
    optional("fields that a new part has not stay", _parted(0, 5, FRESH, TAG, "X-A: 1"),
             _parted(5, 10, FRESH, TAG),
             Step(Source.CACHED, status=200, text=DIGITS, has=("X-A: 1",))),
    required("what parts became has no Content-Range", _parted(0, 5), _parted(5, 10),
             Step(Source.ANY, gets=Answer((FRESH, TAG), body=DIGITS), status=200, text=DIGITS,
                  lacks=("Content-Range",), has=("Content-Length: 10",))),
    informative("a HEAD is answered from a part", PARTED,
                Step(Source.CACHED, "HEAD", has=("Content-Length: 10",))),
)


def _bounded() -> Iterator[Case]:
    many = ",".join(f"{n}-{n}" for n in range(10)) + ",0-0" * 190
    yield required("a request for hundreds of ranges is not answered in hundreds of parts", WHOLE,
                   evolve(cached(f"Range: bytes={many}"), status=200, text=DIGITS))


GROUPS = (
    Group("ranges of whole answers", "RFC 9110 section 14", (*_WHOLE, *_bounded())),
    Group("parts", "RFC 9111 section 3.3", _PARTS),
    Group("combined parts", "RFC 9111 section 3.4", _COMBINED),
)
