"""Conditional requests: asking an origin, answering a client, updating what is stored."""

from __future__ import annotations

import re
from enum import Enum

from trickster.http.dates import parse_date
from trickster.http.fields import OF_READING, PRECONDITIONS, VALIDATORS
from trickster.http.grammar import split_list
from trickster.messages import Headers, Pair

_ENTITY_TAG = re.compile(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


class Verdict(Enum):
    """What a request's preconditions make of it."""

    PASS = "pass"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"


def has_conditions(request: Headers) -> bool:
    """:return: whether there is anything for L{evaluate} to do."""
    return request.has_any(PRECONDITIONS)


def is_conditional(request: Headers) -> bool:
    """:return: whether the answer may be a 304."""
    return b"if-none-match" in request or b"if-modified-since" in request


def is_strong(tag: bytes | None) -> bool:
    """:return: whether there is an entity tag, and it is a strong one."""
    return tag is not None and tag.startswith(b'"')


def weakly_equal(one: bytes, other: bytes) -> bool:
    """:return: whether two entity tags match by the weak comparison (RFC 9110 8.8.3.2)."""
    return one.removeprefix(b"W/") == other.removeprefix(b"W/")


def entity_tags(value: bytes) -> list[bytes]:
    """
    :param value: of C{If-Match} or C{If-None-Match}.
    :return: its entity tags; members that are none are left out.
    """
    return [tag for tag in split_list(value) if _ENTITY_TAG.fullmatch(tag)]


def validators(stored: Headers) -> tuple[Pair, ...]:
    """
    :return: the conditions that ask whether a stored response is still good
        (RFC 9111 section 4.3.1).
    """
    found = []
    tag, modified = stored.get(b"etag"), stored.get(b"last-modified")
    if tag is not None:
        found.append((b"If-None-Match", tag))
    if modified is not None:
        found.append((b"If-Modified-Since", modified))
    return tuple(found)


def strong_validator(stored: Headers, now: float) -> bytes | None:
    """
    :return: a value for C{If-Range}: a strong entity tag, or a C{Last-Modified} that is at
        least a second before C{Date} (RFC 9110 section 8.8.2.2); None where there is none.
    """
    tag = stored.get(b"etag")
    if tag is not None:
        return tag if is_strong(tag) else None
    modified = stored.get(b"last-modified")
    date = stored.get(b"date")
    if modified is None or date is None:
        return None
    changed, made = parse_date(modified, now), parse_date(date, now)
    return modified if changed is not None and made is not None and made > changed else None


def evaluate(request: Headers, is_read: bool, stored: Headers, now: float) -> Verdict:
    """
    Evaluate all preconditions but C{If-Range}, in the order of RFC 9110 section 13.2.2.

    :param is_read: whether the method is GET or HEAD.
    :param stored: the fields of the selected representation.
    """
    # Caches may ignore these two (RFC 9110 sections 13.1.1 and 13.1.4), and without what they
    # are compared with have to: the origin has judged them, or would know better.
    if b"if-match" in request:
        if b"etag" in stored and not _tag_listed(
                request.joined(b"if-match"), stored, strongly=True):
            return Verdict.FAILED
    elif b"last-modified" in stored \
            and _is_modified(request.get(b"if-unmodified-since"), stored, now) is True:
        return Verdict.FAILED
    if b"if-none-match" in request:
        if _tag_listed(request.joined(b"if-none-match"), stored, strongly=False):
            return Verdict.NOT_MODIFIED if is_read else Verdict.FAILED
    elif is_read and _is_modified(request.get(b"if-modified-since"), stored, now) is False:
        return Verdict.NOT_MODIFIED
    return Verdict.PASS


def _tag_listed(value: bytes | None, stored: Headers, strongly: bool) -> bool:
    if value is None or value.strip() == b"*":
        return value is not None
    tag = stored.get(b"etag")
    if tag is None or (strongly and not is_strong(tag)):
        return False
    if strongly:
        return tag in entity_tags(value)
    return any(weakly_equal(tag, one) for one in entity_tags(value))


def _is_modified(since: bytes | None, stored: Headers, now: float) -> bool | None:
    if since is None:
        return None
    moment = parse_date(since, now)
    # A response without Last-Modified cannot have changed since it was made.
    changed = stored.get(b"last-modified") or stored.get(b"date")
    last = parse_date(changed, now) if changed is not None else None
    return None if moment is None or last is None else last > moment


def range_applies(request: Headers, stored: Headers, now: float) -> bool:
    """
    :return: whether C{If-Range} is absent or true (RFC 9110 section 13.1.5); if not, the
        C{Range} is to be ignored.
    """
    condition = request.get(b"if-range")
    if condition is None:
        return True
    if condition.startswith((b'"', b"W/")):
        return is_strong(condition) and condition == stored.get(b"etag")
    if condition != stored.get(b"last-modified"):
        return False
    return strong_validator(stored.without(b"etag"), now) is not None


def still_selects(stored: Headers, update: Headers) -> bool:
    """
    :param update: the fields of a 304, or of the answer to a HEAD.
    :return: whether it speaks of the stored response, and not of another one
        (RFC 9111 section 4.3.4).
    """
    old, new = stored.get(b"etag"), update.get(b"etag")
    if old is not None and new is not None:
        return old == new or (not (is_strong(new) and is_strong(old)) and weakly_equal(old, new))
    if new is None and old is None:
        before, after = stored.get(b"last-modified"), update.get(b"last-modified")
        return before is None or after is None or before == after
    return True


def confirms(stored: Headers, nbytes: int, update: Headers) -> bool:
    """
    :param stored: the fields of a stored response.
    :param nbytes: octets of its body.
    :param update: the fields of a 200 answer to a HEAD.
    :return: whether the stored response is the one that a GET would give
        (RFC 9111 section 4.3.5).
    """
    length = update.get(b"content-length")
    if length is not None and length != b"%d" % nbytes:
        return False
    return still_selects(stored, update) and all(
        stored.get(name) == update.get(name) for name in VALIDATORS if name in update)


def updated(stored: Headers, update: Headers) -> Headers:
    """
    :return: the stored fields, each that occurs in the update replaced by it
        (RFC 9111 section 3.2); those that the octets of the body depend on stay.
    """
    fresh = tuple(p for p in update.pairs if p[0].lower() not in OF_READING)
    names = {name.lower() for name, _ in fresh}
    return Headers((*stored.without(*names, b"age").pairs, *fresh))


def not_modified_headers(stored: Headers) -> Headers:
    """
    :return: what a 304 says of a stored response (RFC 9110 section 15.4.5): everything but
        what describes the body it does not have.
    """
    return Headers(tuple(
        p for p in stored.pairs
        if not p[0].lower().startswith(b"content-") or p[0].lower() == b"content-location"))
