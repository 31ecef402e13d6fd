"""What of a query is kept once more has come: pure."""

from __future__ import annotations

from trickster.collapsing.leases.board import is_fenced
from trickster.http.dates import parse_date
from trickster.messages import Headers
from trickster.ranges.kept.entry import Entry
from trickster.ranges.plan import SECOND_NS, Plan
from trickster.ranges.policy import RangePolicy
from trickster.timeseries import planning
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extents

# Cutting every series at each refresh costs more than a few timestamps too many: one in so
# many may be kept beyond the limit.
_SLACK = 16
_MOST_BEHIND = 86400.0  # seconds; a date further off than that says nothing about clocks


def storable(plan: Plan, dataset: Dataset, date: bytes | None = None) -> Dataset | None:
    """
    :param date: the answer's C{Date}: where the origin's clock is behind ours, or a cache
        in between has answered what it said earlier, final is what was final then.
    :return: the part of an answer that will not change any more, or None.
    """
    if plan.final_ns is None:
        return None
    final = dataset.extents.up_to(plan.final_ns - _behind_ns(plan.query.now_ns, date))
    if not final:
        return None
    return dataset if final == dataset.extents else dataset.restricted(final)


def _behind_ns(now_ns: int, date: bytes | None) -> int:
    said = None if date is None else parse_date(date, now_ns / SECOND_NS)
    if said is None:
        return 0
    behind_ns = now_ns - (said + 1) * SECOND_NS  # a date is cut to its second
    return behind_ns if 0 < behind_ns <= _MOST_BEHIND * SECOND_NS else 0


def mergeable(held: Dataset, newer: Dataset, most_series: int = 0) -> bool:
    """
    :param most_series: with more, the origin would cut an answer; 0 where there is no limit.
    :return: whether two datasets can be one: they cannot where the origin has changed the
        kind of its answers, such as the type of a column, nor where both are within a limit
        that they exceed together.
    """
    old, new = held.series, newer.series
    if held.kind != newer.kind and old and new:
        return False
    return not most_series or max(len(old), len(new)) > most_series or (
        len(old.keys() | new.keys()) <= most_series)


def unfenced(new: Entry, held: Entry) -> Dataset | None:
    """
    :param new: what was fetched.
    :param held: what is stored.
    :return: what of it may be put beside, or in the place of, what is stored: where it was fetched
        under an older lease than some of that, only what is not there.  None where that is
        nothing.
    """
    if not is_fenced(new.token, held.token):
        return new.dataset
    left = new.dataset.extents - held.dataset.extents
    return new.dataset.restricted(left) if left else None


def with_more(entry: Entry | None, dataset: Dataset, headers: Headers, plan: Plan,
              policy: RangePolicy) -> Entry:
    """
    :param entry: what there is already, or None.
    :param dataset: what was fetched, storable whole.
    :return: the entry that takes its place.
    """
    step = plan.query.step_ns
    span = max((plan.query.now_ns - plan.wanted.start_ns) // step + 1, entry.span if entry else 0)
    merged = dataset
    if entry is not None and mergeable(entry.dataset, dataset, plan.query.most_series):
        merged = entry.dataset.merged(dataset)
    kept = _kept(merged.extents, plan, policy, span)
    if kept != merged.extents:
        merged = merged.restricted(kept).compacted()
    if policy.max_bytes and merged.nbytes > policy.max_bytes:
        merged = merged.restricted(merged.extents.since(_oldest_requested(plan, span))).compacted()
    return Entry(merged, headers, span)


def _kept(held: Extents, plan: Plan, policy: RangePolicy, span: int) -> Extents:
    """
    :param span: timestamps before now that a client asked for.  Keeping fewer would make
        each refresh of a long panel a partial hit for ever, so no limit cuts them.
    """
    step = plan.query.step_ns
    points = max(policy.retention, span)
    if policy.lru:
        most = max(policy.retention, plan.wanted.count(step))
        if held.count() > most:
            held = planning.least_recently_used(held, plan.uses, most)
    elif held.spans[0].start_ns < planning.oldest_kept(
            step, plan.query.now_ns, points + points // _SLACK):
        held = held.since(planning.oldest_kept(step, plan.query.now_ns, points))
    if policy.max_age:
        oldest_ns = plan.query.now_ns - int(policy.max_age * SECOND_NS)
        held = held.since(min(oldest_ns, _oldest_requested(plan, span)))
    return held


def _oldest_requested(plan: Plan, span: int) -> int:
    return min(planning.oldest_kept(plan.query.step_ns, plan.query.now_ns, span), plan.wanted.start_ns)
