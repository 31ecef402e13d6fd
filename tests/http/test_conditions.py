"""Tests of C{trickster.http.conditions}: conditional requests, RFC 9110 section 13."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.conditions import (
    Verdict,
    confirms,
    entity_tags,
    evaluate,
    has_conditions,
    is_conditional,
    is_strong,
    not_modified_headers,
    range_applies,
    still_selects,
    strong_validator,
    updated,
    validators,
    weakly_equal,
)
from trickster.messages import Headers

NOW = 1_700_000_000.0
OLD = b"Mon, 13 Nov 2023 10:00:00 GMT"
NEW = b"Tue, 14 Nov 2023 10:00:00 GMT"
TAGS = st.sampled_from([b'"a"', b'W/"a"', b'"b"', b'W/"b"', b'""'])


def fields(**values: bytes) -> Headers:
    """:return: header fields; underscores in their names are dashes."""
    return Headers(tuple((name.replace("_", "-").encode(), value)
                         for name, value in values.items()))


class EntityTagTests(SynchronousTestCase):
    """Entity tags (RFC 9110 section 8.8.3)."""

    def test_strong(self) -> None:
        """A tag is strong where it does not begin with W/."""
        self.assertEqual([is_strong(tag) for tag in (b'"a"', b'W/"a"', None)],
                         [True, False, False])

    def test_weakly_equal(self) -> None:
        """The weak comparison does not look at W/ (RFC 9110 section 8.8.3.2)."""
        self.assertTrue(weakly_equal(b'W/"a"', b'"a"'))
        self.assertFalse(weakly_equal(b'W/"a"', b'W/"b"'))

    def test_list(self) -> None:
        """Of a list, those members count that are entity tags; a comma may be in one."""
        self.assertEqual(entity_tags(b'"a,b" , W/"c", d, "e'), [b'"a,b"', b'W/"c"'])

    @given(TAGS, TAGS)
    def test_symmetric(self, one: bytes, other: bytes) -> None:
        """The weak comparison has no first and second."""
        self.assertEqual(weakly_equal(one, other), weakly_equal(other, one))


class AskingTests(SynchronousTestCase):
    """Which conditions a request has, and which a stored response gives rise to."""

    def test_has_conditions(self) -> None:
        """Every precondition is one; If-Range is judged with the range."""
        for name in (b"If-Match", b"If-None-Match", b"If-Modified-Since", b"If-Unmodified-Since"):
            self.assertTrue(has_conditions(Headers(((name, b"x"),))))
        self.assertFalse(has_conditions(fields(Accept=b"x")))

    def test_is_conditional(self) -> None:
        """A 304 answers those conditions that ask for what has changed."""
        self.assertTrue(is_conditional(fields(If_None_Match=b"*")))
        self.assertTrue(is_conditional(fields(If_Modified_Since=OLD)))
        self.assertFalse(is_conditional(fields(If_Match=b"*")))

    def test_validators(self) -> None:
        """A revalidation asks with all the validators that there are (RFC 9111 4.3.1)."""
        self.assertEqual(validators(fields(ETag=b'"a"', Last_Modified=OLD)),
                         ((b"If-None-Match", b'"a"'), (b"If-Modified-Since", OLD)))
        self.assertEqual(validators(fields(Date=OLD)), ())

    def test_strong_validator(self) -> None:
        """A weak tag is no value for If-Range, and no date takes its place."""
        self.assertEqual(strong_validator(fields(ETag=b'"a"'), NOW), b'"a"')
        self.assertIsNone(strong_validator(
            fields(ETag=b'W/"a"', Last_Modified=OLD, Date=NEW), NOW))

    def test_strong_date(self) -> None:
        """A date is strong where the answer was made later (RFC 9110 section 8.8.2.2)."""
        self.assertEqual(strong_validator(fields(Last_Modified=OLD, Date=NEW), NOW), OLD)
        for stored in (fields(Last_Modified=OLD, Date=OLD), fields(Last_Modified=OLD),
                       fields(Last_Modified=b"soon", Date=NEW)):
            self.assertIsNone(strong_validator(stored, NOW))


class EvaluateTests(SynchronousTestCase):
    """Preconditions, in their order (RFC 9110 section 13.2.2)."""

    stored = fields(ETag=b'"a"', Last_Modified=OLD, Date=NEW)

    def verdict(self, is_read: bool = True, stored: Headers | None = None,
                **request: bytes) -> Verdict:
        """:return: what becomes of a request with these fields."""
        return evaluate(fields(**request), is_read, stored or self.stored, NOW)

    def test_none(self) -> None:
        """A request without preconditions passes."""
        self.assertIs(self.verdict(), Verdict.PASS)

    def test_if_match(self) -> None:
        """If-Match fails where the strong comparison finds no tag."""
        self.assertIs(self.verdict(If_Match=b'"a", "b"'), Verdict.PASS)
        self.assertIs(self.verdict(If_Match=b"*"), Verdict.PASS)
        self.assertIs(self.verdict(If_Match=b'"b"'), Verdict.FAILED)
        self.assertIs(self.verdict(If_Match=b'W/"a"'), Verdict.FAILED)

    def test_if_unmodified_since(self) -> None:
        """If-Unmodified-Since fails where there was a change after it."""
        self.assertIs(self.verdict(If_Unmodified_Since=NEW), Verdict.PASS)
        self.assertIs(self.verdict(stored=fields(Last_Modified=NEW), If_Unmodified_Since=OLD),
                      Verdict.FAILED)

    def test_if_match_first(self) -> None:
        """If-Unmodified-Since does not count beside If-Match."""
        stored = fields(ETag=b'"a"', Last_Modified=NEW)
        self.assertIs(self.verdict(stored=stored, If_Match=b'"a"', If_Unmodified_Since=OLD),
                      Verdict.PASS)

    def test_if_none_match(self) -> None:
        """If-None-Match compares weakly; a write fails where a read is not modified."""
        self.assertIs(self.verdict(If_None_Match=b'W/"a"'), Verdict.NOT_MODIFIED)
        self.assertIs(self.verdict(is_read=False, If_None_Match=b'"a"'), Verdict.FAILED)
        self.assertIs(self.verdict(If_None_Match=b'"b"'), Verdict.PASS)

    def test_if_modified_since(self) -> None:
        """If-Modified-Since counts for reads, and without If-None-Match only."""
        self.assertIs(self.verdict(If_Modified_Since=OLD), Verdict.NOT_MODIFIED)
        self.assertIs(self.verdict(is_read=False, If_Modified_Since=OLD), Verdict.PASS)
        self.assertIs(self.verdict(If_None_Match=b'"b"', If_Modified_Since=OLD), Verdict.PASS)

    def test_invalid_date(self) -> None:
        """A date that is none is ignored (RFC 9110 section 13.1.3)."""
        self.assertIs(self.verdict(If_Modified_Since=b"yesterday"), Verdict.PASS)

    def test_no_last_modified(self) -> None:
        """A response without Last-Modified has not changed since it was made."""
        stored = fields(Date=OLD)
        self.assertIs(self.verdict(stored=stored, If_Modified_Since=NEW), Verdict.NOT_MODIFIED)

    def test_nothing_to_compare_with(self) -> None:
        """A precondition on a validator that is not stored is left to the origin."""
        stored = fields(Date=OLD)
        self.assertIs(self.verdict(stored=stored, If_Match=b'"x"'), Verdict.PASS)
        self.assertIs(self.verdict(stored=stored, If_Unmodified_Since=OLD), Verdict.PASS)


class RangeTests(SynchronousTestCase):
    """If-Range (RFC 9110 section 13.1.5)."""

    def test_absent(self) -> None:
        """Without a condition, a range applies."""
        self.assertTrue(range_applies(fields(), fields(), NOW))

    def test_tag(self) -> None:
        """A tag has to be strong, and the very one of the stored response."""
        stored = fields(ETag=b'"a"')
        self.assertTrue(range_applies(fields(If_Range=b'"a"'), stored, NOW))
        for tag in (b'"b"', b'W/"a"'):
            self.assertFalse(range_applies(fields(If_Range=tag), stored, NOW))
        self.assertFalse(range_applies(fields(If_Range=b'W/"a"'), fields(ETag=b'W/"a"'), NOW))

    def test_date(self) -> None:
        """A date has to be a strong validator, and the very one of the stored response."""
        stored = fields(Last_Modified=OLD, Date=NEW)
        self.assertTrue(range_applies(fields(If_Range=OLD), stored, NOW))
        self.assertFalse(range_applies(fields(If_Range=NEW), stored, NOW))
        self.assertFalse(range_applies(
            fields(If_Range=OLD), fields(Last_Modified=OLD, Date=OLD), NOW))


class UpdateTests(SynchronousTestCase):
    """What a 304, or the answer to a HEAD, does to a stored response (RFC 9111 section 4.3.4)."""

    def test_selects_by_tag(self) -> None:
        """Two tags decide; two strong ones have to be the same to the octet."""
        for old, new, expected in ((b'"a"', b'"a"', True), (b'"a"', b'"b"', False),
                                   (b'W/"a"', b'"a"', True), (b'"a"', b'W/"b"', False)):
            self.assertIs(still_selects(fields(ETag=old), fields(ETag=new)), expected)

    def test_selects_by_date(self) -> None:
        """Without tags, two dates decide; what is absent decides nothing."""
        self.assertFalse(still_selects(fields(Last_Modified=OLD), fields(Last_Modified=NEW)))
        self.assertTrue(still_selects(fields(Last_Modified=OLD), fields(Date=NEW)))
        self.assertTrue(still_selects(fields(ETag=b'"a"'), fields(Last_Modified=NEW)))

    def test_confirms(self) -> None:
        """The answer to a HEAD confirms what agrees with it in length and validators."""
        stored = fields(ETag=b'"a"', Last_Modified=OLD)
        self.assertTrue(confirms(stored, 5, fields(Content_Length=b"5", ETag=b'"a"')))
        self.assertFalse(confirms(stored, 5, fields(Content_Length=b"6", ETag=b'"a"')))
        self.assertFalse(confirms(stored, 5, fields(ETag=b'"a"', Last_Modified=NEW)))

    def test_updated(self) -> None:
        """Fields of the update take the place of stored ones, and a stored Age goes."""
        stored = fields(ETag=b'"a"', Age=b"9", X_A=b"1", X_B=b"1")
        self.assertEqual(set(updated(stored, fields(X_B=b"2", X_C=b"3")).pairs), {
            (b"ETag", b'"a"'), (b"X-A", b"1"), (b"X-B", b"2"), (b"X-C", b"3")})

    def test_octets_stay(self) -> None:
        """What the octets of the body depend on is not changed by an update."""
        stored = fields(Content_Encoding=b"gzip", Content_Type=b"a/b", Content_Range=b"bytes 0-1/2")
        new = updated(stored, fields(Content_Encoding=b"br", Content_Range=b"bytes 0-0/2"))
        self.assertEqual((new.get(b"content-encoding"), new.get(b"content-range")),
                         (b"gzip", b"bytes 0-1/2"))

    def test_not_modified(self) -> None:
        """A 304 does not describe a body, but says where the representation is."""
        stored = fields(Content_Type=b"a/b", Content_Length=b"5", Content_Location=b"/x",
                        ETag=b'"a"', Cache_Control=b"no-cache")
        self.assertEqual({name for name, _ in not_modified_headers(stored).pairs},
                         {b"Content-Location", b"ETag", b"Cache-Control"})
