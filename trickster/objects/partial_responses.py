"""Incomplete responses (RFC 9111 sections 3.3 and 3.4): made of 206 answers, and combined."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from attrs import evolve, frozen

from trickster.http.byte_ranges import (
    Span,
    parse_content_range,
    parse_range,
    satisfiable,
    without,
)
from trickster.http.conditions import range_applies, strong_validator, updated
from trickster.http.freshness import FreshnessRules
from trickster.http.partial_content import (
    Part,
    PartialContent,
    boundary_of,
    merged_parts,
    read_multipart,
)
from trickster.messages import Headers, Request
from trickster.objects.stored_response import StoredResponse, revised

_MOST_RANGES = 64


@frozen
class RangeRules:
    """
    How requests for byte ranges are treated.

    :ivar multipart: whether several ranges are answered in parts, rather than with
        everything.
    """

    multipart: bool = True

    @property
    def limit(self) -> int:
        """
        :return: how many ranges one request may have; a request for more gets everything, as RFC
            9110 section 14.2 allows.
        """
        return _MOST_RANGES if self.multipart else 1


def incomplete_response(head: StoredResponse, headers: Headers, octets: bytes
                        ) -> StoredResponse | None:
    """
    :param head: the answer as a stored response without parts.
    :param headers: of the 206 answer, as they came.
    :param octets: its body, whole.
    :return: the response of status 200 of which these are parts; None where the answer
        contradicts itself, or does not tell the length of the whole.
    """
    boundary = boundary_of(headers.get(b"content-type") or b"")
    found = (_one_part(headers, octets) if boundary is None
             else _many_parts(octets, boundary))
    if found is None:
        return None
    kept = head.headers.without(b"content-range")
    if boundary is not None:
        kept = kept.without(b"content-type")
        kept = kept if found.kind is None else kept.with_added((b"Content-Type", found.kind))
    return evolve(head, status=200, phrase=b"", headers=kept, length=found.length,
                  parts=merged_parts((), found.parts))


def _one_part(headers: Headers, octets: bytes) -> PartialContent | None:
    said = parse_content_range(headers)
    if said is None or said.span is None or said.length is None:
        return None
    if said.span.length != len(octets):
        return None
    return PartialContent((Part(said.span.start, (octets,)),), said.length)


def _many_parts(octets: bytes, boundary: bytes) -> PartialContent | None:
    try:
        found = read_multipart(octets, boundary)
    except ValueError:
        return None
    return None if found.length is None or _overlap(found.parts) else found


def _overlap(parts: Sequence[Part]) -> bool:
    spans = sorted((part.span for part in parts), key=lambda span: span.start)
    return any(one.stop > other.start for one, other in pairwise(spans))


def combined(stored: StoredResponse, fresh: StoredResponse, rules: FreshnessRules
             ) -> StoredResponse | None:
    """
    :return: one stored response with the parts of both; its fields are the stored ones with the
        fresh ones in the place of those of their names.  None unless both are certainly of
        the same representation.
    """
    if not same_representation(stored, fresh):
        return None
    headers = updated(stored.headers, fresh.headers)
    return revised(evolve(fresh, headers=headers,
                          parts=merged_parts(stored.parts, fresh.parts)), rules, fresh.received)


def same_representation(stored: StoredResponse, fresh: StoredResponse) -> bool:
    """:return: whether a strong validator and the length are the same for both."""
    before = strong_validator(stored.headers, stored.received)
    after = strong_validator(fresh.headers, fresh.received)
    return before is not None and before == after and stored.length == fresh.length


def wanted_spans(stored: StoredResponse, request: Request, now: float,
                 rules: RangeRules) -> list[Span] | None:
    """
    :return: which octets a request wants of a response of known length; None for all of
        them, and none where there are no such octets.
    """
    if b"range" not in request.headers:
        return None
    if request.method != b"GET" or stored.status != 200 or stored.length is None:
        return None
    wanted = parse_range(request.headers, rules.limit)
    if not wanted or not range_applies(request.headers, stored.headers, now):
        return None
    if not stored.length:
        # The last octets of nothing exist (RFC 9110 section 14.1.2), but no Content-Range can
        # say so; and some clients ask for ranges of anything, to bound what they get.
        return None
    return satisfiable(wanted, stored.length)


def needs_all(head: StoredResponse, request: Request, rules: RangeRules) -> bool:
    """
    :param head: of an answer that is on its way.
    :return: whether a request can only be answered when all of it is here: one for several
        ranges, or for any while the length is not known.
    """
    if b"range" not in request.headers or head.status != 200:
        return False
    wanted = parse_range(request.headers, rules.limit)
    return len(wanted) > 1 or (bool(wanted) and head.length is None)


def missing_spans(stored: StoredResponse, request: Request, now: float,
                  rules: RangeRules) -> tuple[Span, ...]:
    """
    :param stored: as in L{wanted_spans}.
    :return: what of the octets that a request wants is not stored, in order.
    """
    if stored.is_whole:
        return ()
    return missing_of(stored, wanted_spans(stored, request, now, rules))


def missing_of(stored: StoredResponse, spans: Sequence[Span] | None) -> tuple[Span, ...]:
    """
    :param stored: of known length.
    :param spans: what is wanted; None for everything.
    :return: what of it is not stored, in order.
    """
    held = [part.span for part in stored.parts]
    wanted = [Span(0, stored.length or 0)] if spans is None else spans
    left = [gap for span in wanted for gap in without(span, held)]
    return tuple(sorted(left, key=lambda span: span.start))
