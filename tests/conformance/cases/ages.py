"""How old answers are: what upstream says of it, and what this cache says."""

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

FRESH = "Cache-Control: max-age=3600"


def _ignored(value: str) -> Case:
    return reused(f"an Age that is no number means nothing: {value}", FRESH, f"Age: {value}")


def _old(*values: str) -> Case:
    return not_reused(f"an Age above the lifetime counts: {' and '.join(values)}", FRESH,
                      *(f"Age: {value}" for value in values))


def _young(*values: str) -> Case:
    return reused(f"the first member of Age counts: {' and '.join(values)}", FRESH,
                  *(f"Age: {value}" for value in values))


_READ = (
    *map(_ignored, ("abc", "-7200", "7200.0", "", "7200s", "+7200", "0x7200")),
    *map(_old, ("7200", "2147483647", "2147483648", "2147483649", "99999999999", "9" * 40,
                "007200", "7200, 0", "7200,7200")),
    _old("7200", "0"),
    *map(_young, ("0", "0, 7200", "0, 0")),
    _young("0", "7200"),
    informative("a parameter spoils Age", first(FRESH, "Age: 7200;foo=bar"), cached()),
    informative("a parameter with a number spoils Age", first(FRESH, "Age: 7200;foo=111"),
                cached()),
)

_COUNTED = (
    required("a reused answer has an Age", first(FRESH), evolve(cached(), has=("Age: >=0",))),
    required("Age goes on from that of upstream", first(FRESH, "Age: 1000"),
             evolve(cached(), has=("Age: >=1000",))),
    required("Age grows while an answer is kept", first(FRESH),
             evolve(cached(), after=2.1, has=("Age: >=2",)),
             evolve(cached(), after=1.1, has=("Age: >=3",))),
    required("Age grows on from that of upstream", first(FRESH, "Age: 1000"),
             evolve(cached(), after=2.1, has=("Age: >=1002",))),
    required("an answer of the origin's own has no Age added",
             evolve(first(FRESH), lacks=("Age",))),
    required("an Age of upstream is passed on with the first answer",
             evolve(first(FRESH, "Age: 1000"), has=("Age: >=1000",))),
    required("there is one Age only", first(FRESH, "Age: 5, 6"),
             evolve(cached(), has=("Age: >=5",))),
    required("a Date in the past counts as Age", first(FRESH, "Date: {-600}"),
             evolve(cached(), has=("Age: >=600",))),
    required("the time that the origin takes counts as Age",
             Step(Source.FETCHED, gets=Answer((FRESH,), delay=1.2)),
             evolve(cached(), has=("Age: >=1",))),
    required("the greater of Age and time since Date counts",
             first(FRESH, "Date: {-600}", "Age: 1000"),
             evolve(cached(), has=("Age: >=1000",))),
    required("Date stays as it was", first(FRESH, "Date: {-60}"),
             evolve(cached(), after=1.1, has=("Date: {-60}",))),
    required("Expires stays as it was", first(FRESH, "Expires: {+60}"),
             evolve(cached(), after=1.1, has=("Expires: {+60}",))),
    required("Cache-Control stays as it was", first(FRESH),
             evolve(cached(), after=1.1, has=(FRESH,))),
    required("an answer without a Date gets one when it is stored",
             Step(Source.FETCHED, gets=Answer((FRESH,), is_dated=False)),
             evolve(cached(), has=("Date: *",))),
    required("a validated answer is young again",
             first("Cache-Control: max-age=3600", "Age: 4000", 'ETag: "a"'),
             Step(Source.VALIDATED, gets=Answer((FRESH,), 304)),
             evolve(cached(), has=("Age: >=0",))),
    required("the Age in a 304 counts for what it validates",
             first("Cache-Control: max-age=3600", "Age: 4000", 'ETag: "a"'),
             Step(Source.VALIDATED, gets=Answer((FRESH, "Age: 1000"), 304)),
             evolve(cached(), has=("Age: >=1000",))),
    required("a 304 that is too old itself refreshes nothing",
             first("Cache-Control: max-age=3600", "Age: 4000", 'ETag: "a"'),
             Step(Source.VALIDATED, gets=Answer((FRESH, "Age: 5000"), 304)), fetched()),
)

GROUPS = (
    Group("age", "RFC 9111 sections 4.2.3 and 5.1", _READ),
    Group("age of answers", "RFC 9111 sections 4 and 4.2.3", _COUNTED),
)
