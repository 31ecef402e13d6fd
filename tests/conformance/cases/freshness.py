"""How long answers are fresh by Cache-Control, and how its directives are read."""

from __future__ import annotations

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
    not_reused,
    required,
    reused,
)

CC = "Cache-Control: "
PAST, FUTURE = "Expires: {-7200}", "Expires: {+7200}"

_LIFETIMES = (
    reused("an answer with max-age is fresh", CC + "max-age=3600"),
    reused("an answer with s-maxage is fresh", CC + "s-maxage=3600"),
    not_reused("an answer that says neither how long it is fresh nor when it changed is not"),
    not_reused("max-age=0 is stale at once", CC + "max-age=0"),
    not_reused("a negative max-age is stale", CC + "max-age=-3600"),
    not_reused("s-maxage=0 is stale at once", CC + "s-maxage=0"),
    not_reused("an Age as great as max-age is stale", CC + "max-age=3600", "Age: 3600"),
    not_reused("an Age above max-age is stale", CC + "max-age=3600", "Age: 12000"),
    reused("an Age below max-age leaves the rest", CC + "max-age=3600", "Age: 1800"),
    not_reused("an Age above s-maxage is stale", CC + "s-maxage=3600", "Age: 12000"),
    reused("a Date in the future takes nothing from max-age", CC + "max-age=3600",
           "Date: {+7200}"),
    required("an answer without a Date is fresh from its arrival on",
             Step(Source.FETCHED, gets=Answer((CC + "max-age=3600",), is_dated=False)), cached()),
    informative("a Date longer ago than max-age makes an answer stale",
                first(CC + "max-age=3600", "Date: {-7200}"), fetched()),
    required("the time that an answer is kept counts",
             first(CC + "max-age=1"), evolve(fetched(), after=2.2)),
    required("the time that an answer is kept counts on top of its Age",
             first(CC + "max-age=3600", "Age: 3599"), evolve(fetched(), after=2.2)),
    required("an answer that is fetched anew is fresh anew",
             first(CC + "max-age=0"), first(CC + "max-age=3600"), cached()),
)

# In the order of their fields, and with what must come of it.
_BEATEN = (
    reused("max-age beats an Expires that has passed", CC + "max-age=3600", PAST),
    reused("max-age beats an Expires that has passed, which comes first",
           PAST, CC + "max-age=3600"),
    not_reused("max-age=0 beats an Expires in the future", CC + "max-age=0", FUTURE),
    not_reused("max-age=0 beats an Expires in the future, which comes first",
               FUTURE, CC + "max-age=0"),
    reused("max-age beats an invalid Expires", CC + "max-age=3600", "Expires: 0"),
    not_reused("a max-age that has passed beats an Expires in the future",
               CC + "max-age=3600", "Age: 4000", FUTURE),
    reused("a longer s-maxage beats max-age", CC + "max-age=1, s-maxage=3600", "Age: 2"),
    reused("a longer s-maxage beats max-age, which follows", CC + "s-maxage=3600, max-age=1",
           "Age: 2"),
    reused("a longer s-maxage beats max-age on another line", CC + "max-age=1",
           CC + "s-maxage=3600", "Age: 2"),
    not_reused("a shorter s-maxage beats max-age", CC + "max-age=3600, s-maxage=1", "Age: 2"),
    not_reused("a shorter s-maxage beats max-age, which follows",
               CC + "s-maxage=1, max-age=3600", "Age: 2"),
    not_reused("a shorter s-maxage beats max-age on another line", CC + "max-age=3600",
               CC + "s-maxage=1", "Age: 2"),
    not_reused("s-maxage=0 beats max-age", CC + "max-age=3600, s-maxage=0"),
    not_reused("s-maxage=0 beats Expires", CC + "s-maxage=0", FUTURE),
    reused("s-maxage beats an Expires that has passed", CC + "s-maxage=3600", PAST),
    reused("an unknown directive does no harm", CC + "max-age=3600, x-other=1"),
    reused("Expires counts beside directives that say nothing of freshness",
           CC + "public, x-other", FUTURE),
)


def _great(seconds: str) -> Case:
    return reused(f"max-age={seconds} is long, not a mistake", CC + f"max-age={seconds}")


_GREAT = tuple(map(_great, (
    "2147483646", "2147483647", "2147483648", "4294967295", "4294967296", "99999999999",
    "9223372036854775808", "9" * 40)))

_PARSED = (
    reused("leading zeros are no octal", CC + "max-age=003600"),
    not_reused("many zeros are still zero", CC + "max-age=000"),
    reused("upper case is the same", CC + "MAX-AGE=3600"),
    reused("mixed case is the same", CC + "mAx-AgE=3600"),
    not_reused("upper case is the same for zero", CC + "MAX-AGE=0"),
    reused("white space around commas means nothing", CC + "public ,\tmax-age=3600  , x"),
    reused("empty members mean nothing", CC + ", ,max-age=3600,,"),
    reused("the name of the field may have any case", "cAcHe-cOnTrOl: max-age=3600"),
    reused("an unknown directive with a value does no harm", CC + "x=y, max-age=3600"),
    reused("an unknown directive with a quoted comma does no harm",
           CC + 'x="a,b", max-age=3600'),
    not_reused("max-age in the quoted value of another directive is none",
               CC + 'x="max-age=3600"'),
    not_reused("max-age behind a quoted comma is none", CC + 'x="a, max-age=3600, b"'),
    not_reused("max-age behind an escaped quote is none", CC + r'x="\", max-age=3600, b"'),
    reused("no-store in the quoted value of another directive is none",
           CC + 'x="a, no-store", max-age=3600'),
    not_reused("a name that ends with max-age is another", CC + "x-max-age=3600"),
    not_reused("a name that begins with max-age is another", CC + "max-ages=3600"),
    not_reused("single quotes are no quotes", CC + "max-age='3600'"),
    not_reused("max-age without a value is no lifetime", CC + "max-age"),
    not_reused("max-age with an empty value is no lifetime", CC + "max-age="),
    not_reused("a word is no number", CC + "max-age=forever"),
    informative("a number in double quotes is one", first(CC + 'max-age="3600"'), cached()),
    informative("of two unlike max-age, no fresh answer is made: the shorter first",
                first(CC + "max-age=1, max-age=3600", "Age: 2"), fetched()),
    informative("of two unlike max-age, no fresh answer is made: the longer first",
                first(CC + "max-age=3600, max-age=1", "Age: 2"), fetched()),
    reused("max-age twice alike is as once", CC + "max-age=3600, max-age=3600"),
    informative("a space before = makes it invalid", first(CC + "max-age =3600"), fetched()),
    informative("a space after = makes it invalid", first(CC + "max-age= 3600"), fetched()),
    informative("a fraction makes it invalid", first(CC + "max-age=3600.0"), fetched()),
    informative("a letter before makes it invalid", first(CC + "max-age=a3600"), fetched()),
    informative("a letter behind makes it invalid", first(CC + "max-age=3600a"), fetched()),
    informative("a sign makes it invalid", first(CC + "max-age=+3600"), fetched()),
)

GROUPS = (
    Group("freshness", "RFC 9111 section 4.2", _LIFETIMES + _BEATEN + _GREAT),
    Group("directives", "RFC 9111 sections 1.2.2 and 5.2", _PARSED),
)
