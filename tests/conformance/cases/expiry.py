"""Expires: when it counts, and how it is read."""

from __future__ import annotations

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
    not_reused,
    required,
    reused,
)

_COUNTED = (
    reused("an answer is fresh until Expires", "Expires: {+3600}"),
    not_reused("an answer is stale after Expires", "Expires: {-3600}"),
    not_reused("an answer whose Expires is its Date is stale", "Expires: {0}", "Date: {0}"),
    not_reused("an Expires before a Date that is ahead is stale",
               "Expires: {+3600}", "Date: {+7200}"),
    reused("an Expires later than a Date that is ahead is fresh",
           "Expires: {+7200}", "Date: {+3600}"),
    reused("a Date in the past takes its part of the lifetime only",
           "Expires: {+3600}", "Date: {-3600}"),
    not_reused("an Expires in the past is stale, with any Date", "Expires: {-10}",
               "Date: {-3600}"),
    not_reused("an Age as great as Expires minus Date is stale", "Expires: {+3600}",
               "Age: 3600"),
    not_reused("an Age above Expires minus Date is stale", "Expires: {+3600}", "Age: 7200"),
    reused("an Age below Expires minus Date is fresh", "Expires: {+3600}", "Age: 1000"),
    reused("an invalid Date counts as the time of arrival", "Expires: {+3600}", "Date: soon"),
    not_reused("Expires: 0 means already expired", "Expires: 0"),
    not_reused("Expires: -1 means already expired", "Expires: -1"),
    not_reused("an empty Expires means already expired", "Expires:"),
    not_reused("a word is no date", "Expires: tomorrow", "Last-Modified: {-864000}"),
    required("Expires counts from arrival where there is no Date",
             Step(Source.FETCHED, gets=Answer(("Expires: {+3600}",), is_dated=False)), cached()),
    required("Expires in the past is stale where there is no Date",
             Step(Source.FETCHED, gets=Answer(("Expires: {-3600}",), is_dated=False)), fetched()),
    not_reused("several Expires are invalid", "Expires: {+3600}", "Expires: {+7200}"),
    not_reused("several Expires in one line are invalid", "Expires: {+3600}, {+7200}"),
)


def _read(form: str, words: str) -> Case:
    return reused(f"an Expires is read {words}", f"Expires: {{+86400:{form}}}")


def _unread(form: str, words: str) -> Case:
    return not_reused(f"an Expires is invalid {words}", f"Expires: {{+86400:{form}}}")


_PARSED = (
    _read("imf", "in the preferred form"),
    _read("rfc850", "in the form of RFC 850"),
    _read("asctime", "in the form of asctime"),
    _read("lower", "in lower case"),
    _read("upper", "in upper case"),
    reused("an Expires after 2038 is read", "Expires: Thu, 18 Aug 2050 02:01:18 GMT"),
    reused("an Expires after 2106 is read", "Expires: Fri, 31 Dec 2199 23:59:59 GMT"),
    reused("an Expires in the year 9999 is read", "Expires: Fri, 31 Dec 9999 23:59:59 GMT"),
    not_reused("an Expires before 1970 is read", "Expires: Mon, 01 Jan 1900 00:00:00 GMT"),
    not_reused("an Expires of 1970 is read", "Expires: Thu, 01 Jan 1970 00:00:00 GMT"),
    _unread("utc", "with the zone UTC"),
    _unread("est", "with another zone"),
    _unread("offset", "with a numeric zone"),
    _unread("zoneless", "without a zone"),
    _unread("two_digit_year", "with a year of two digits"),
    _unread("no_comma", "without its comma"),
    _unread("many_spaces", "with two spaces each"),
    _unread("dashes", "with dashes in it"),
    _unread("periods", "with periods in its time"),
    _unread("short_hour", "with an hour of one digit"),
    _unread("iso", "in the form of ISO 8601"),
    _unread("epoch", "as a number of seconds"),
    not_reused("an Expires is invalid with a day that does not exist",
               "Expires: Wed, 31 Feb 2066 00:00:00 GMT"),
    not_reused("an Expires is invalid with an hour that does not exist",
               "Expires: Thu, 18 Aug 2050 25:01:18 GMT"),
    informative("an Expires with the wrong weekday is read all the same",
                first("Expires: Mon, 18 Aug 2050 02:01:18 GMT"), cached()),
)

GROUPS = (
    Group("expires", "RFC 9111 sections 4.2.1 and 5.3", _COUNTED),
    Group("expires as a date", "RFC 9110 section 5.6.7", _PARSED),
)
