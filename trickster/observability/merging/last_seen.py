"""What processes have told last, so that no counter goes down when one of them is gone."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from math import isnan
from threading import Lock

from attrs import define, evolve, field

from trickster.observability.merging.families import Child, Families, Family
from trickster.observability.merging.merged import added_exactly

# Samples of processes that are gone: some tens of octets each.
_MOST = 100_000
# Processes of which a late answer is known to be one: it is late by seconds.
_REMEMBERED = 1000


@define(eq=False)
class LastSeen:
    """
    What each worker has told last, and the counters of all that are gone.

    A worker that does not answer for once stands as it was.  One that is started in the place of
    another is another one, with a name of its own.  L{seen} may be called in a thread.

    :ivar most: samples that are kept of those that are gone; where there would be more, those go
        that no other worker has.
    """

    most: int = _MOST
    _living: dict[Hashable, Families] = field(factory=dict, init=False)
    _departed: Families = field(factory=dict, init=False)
    _gone: deque[Hashable] = field(factory=lambda: deque(maxlen=_REMEMBERED), init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def seen(self, worker: Hashable, families: Families) -> None:
        """
        :param worker: that tells this now, and is not forgotten until it is L{gone}.
        :param families: that it tells.  Counters that it has told before, and does not now, stand
            as they were.
        """
        told = _carried_on(self._living.get(worker, {}), families)
        with self._lock:
            if worker not in self._gone:
                self._living[worker] = told

    def gone(self, worker: Hashable) -> None:
        """
        :param worker: that has ended.  What it may yet be L{seen} to have told does not count.
        """
        with self._lock:
            told = self._living.pop(worker, {})
            self._gone.append(worker)
            self._departed = self._bounded(added_exactly(self._departed, told))

    def told(self) -> Sequence[Families]:
        """:return: what there is to be merged: of each worker, and of all that are gone."""
        with self._lock:
            return [*self._living.values(), self._departed]

    def _bounded(self, families: Families) -> Families:
        if sum(map(_size, families.values())) <= self.most:
            return families
        told = {(name, labels) for each in self._living.values()
                for name, family in each.items() for labels in family.children}
        return {name: evolve(family, children={
                    labels: child for labels, child in family.children.items()
                    if (name, labels) in told})
                for name, family in families.items()}


def _size(family: Family) -> int:
    return sum(map(len, family.children.values()))


def _carried_on(before: Families, now: Families) -> Families:
    kept = {name: _grown(family, now.get(name)) for name, family in before.items()
            if family.is_cumulative}
    return {**now, **kept}


def _grown(before: Family, now: Family | None) -> Family:
    if now is None or now.kind != before.kind:
        return before
    children = {labels: _known(before.children.get(labels), child)
                for labels, child in now.children.items()}
    return evolve(now, children={**before.children, **children})


def _known(before: Child | None, now: Child) -> Child:
    if before is None:
        return now
    return {key: before.get(key, values) if isnan(values[0]) else values
            for key, values in now.items()}
