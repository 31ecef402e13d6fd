"""The requests that a cache sends to an origin on behalf of its clients."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from trickster.http.byte_ranges import Span, parse_range, range_field
from trickster.http.cache_control import NO_DIRECTIVES, Directives
from trickster.http.conditions import strong_validator, validators
from trickster.http.fields import CONDITIONS
from trickster.keys.cache_key import KeyRules, Merged, digest, merged
from trickster.messages import Collecting, Headers, Octets, Request
from trickster.objects.stored_response import Document

# What origins that are asked for whole answers only never see.
UNSENT_WHEN_WHOLE = (*CONDITIONS, b"range", b"accept-encoding")


@frozen
class Question:
    """
    A request that the cache may answer.

    :ivar key: of the entries that may answer it.
    :ivar body: of the request, whole; None for GET and HEAD.
    :ivar asked: the client's directives, as far as they are honoured.
    :ivar merged: its parameters, where the route has a C{form}.
    """

    key: str
    request: Request
    body: bytes | None = None
    asked: Directives = NO_DIRECTIVES
    merged: Merged | None = None


@frozen
class AskingRules:
    """
    How requests are changed on their way.

    :ivar key: what makes questions equal; equal ones are sent alike.
    :ivar range_limit: the most ranges that are asked for at once.
    :ivar wholly: whether only whole answers are of use, and not those to conditions and
        ranges.
    """

    key: KeyRules
    range_limit: int
    wholly: bool = False


def asked_alike(question: Question, rules: AskingRules) -> Request:
    """
    :return: the client's own request, conditions and all, with the parameters that its key
        is made of.
    """
    return evolve(_canonical(question, rules), method=question.request.method)


def asked_anew(question: Question, rules: AskingRules) -> Request:
    """:return: the request to send where nothing is stored."""
    request = _canonical(question, rules)
    headers = request.headers
    if rules.wholly:
        headers = headers.without(*UNSENT_WHEN_WHOLE)
    elif b"range" in headers and not parse_range(headers, rules.range_limit):
        headers = headers.without(b"range", b"if-range")
    return evolve(request, headers=headers, collecting=Collecting())


def asked_conditionally(question: Question, stored: Document, rules: AskingRules) -> Request:
    """:return: the request to send where what is stored may still be good."""
    request = asked_anew(question, rules)
    gone = CONDITIONS if not stored.is_whole else (*CONDITIONS, b"range")
    headers = request.headers.without(*gone).with_added(*validators(stored.headers))
    return evolve(request, headers=headers)


def asked_for_missing(question: Question, stored: Document, missing: Sequence[Span],
                      rules: AskingRules) -> Request | None:
    """
    :param missing: what the client wants and is not stored.
    :return: the request for exactly that, of the very representation that is stored; None
        where nothing would make sure of it (RFC 9110 section 13.1.5).
    """
    validator = strong_validator(stored.headers, stored.received)
    if validator is None:
        return None
    request = asked_anew(question, rules)
    headers = request.headers.without(*CONDITIONS, b"range").with_added(
        (b"Range", range_field(missing)), (b"If-Range", validator))
    return evolve(request, headers=headers)


def _canonical(question: Question, rules: AskingRules) -> Request:
    request = question.request
    method = b"GET" if request.method == b"HEAD" else request.method
    if rules.key.form and (rules.key.normalise is not None or rules.key.align is not None):
        return _normalised(question, method, rules)
    body = Octets(question.body) if question.body is not None else Octets()
    return evolve(request, method=method, body=body)


def _normalised(question: Question, method: bytes, rules: AskingRules) -> Request:
    request = question.request
    asked = question.merged or merged(rules.key, request, question.body)
    encoded = asked.params.encode()
    if question.body:
        return evolve(request, method=method, target=request.path, body=Octets(encoded))
    target = request.path + b"?" + encoded if encoded else request.path
    return evolve(request, method=method, target=target, body=Octets())


def slot_of(slot: str, sent: Headers) -> str:
    """
    :param slot: of the variant.
    :param sent: the fields of the request that is sent.
    :return: what is equal for requests that are answered by one exchange.
    """
    names = (*CONDITIONS, b"range")
    if not any(name in sent for name in names):
        return slot
    return slot + ".c" + digest(sent.joined(name) for name in names)


def is_more_than_reading(request: Request) -> bool:
    """
    :param request: a GET or HEAD.
    :return: whether no stored answer can be one to it.
    """
    # A body may be part of what is asked (RFC 9110 section 9.3.1), and no key has it; and
    # a connection that changes its protocol is not shared.  HTTP/2 in clear is never spoken.
    if request.body.length != 0:
        return True
    upgrade = request.headers.get(b"upgrade")
    return upgrade is not None and upgrade.strip().lower() != b"h2c"
