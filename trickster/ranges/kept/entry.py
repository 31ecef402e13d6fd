"""What the delta cache keeps of one query."""

from __future__ import annotations

from attrs import Factory, field, frozen

from trickster.messages import NO_HEADERS, Headers
from trickster.purging.label import NO_LABEL, Label
from trickster.timeseries.dataset import Dataset


@frozen(slots=True)
class Entry:
    """
    What is kept of one query.

    :ivar dataset: the samples, and what they cover.
    :ivar headers: the origin's header fields that go with every answer.
    :ivar span: the most timestamps before now that a client asked for.
    :ivar label: what purges know it by.
    :ivar mark: the number of the newest purge that it has survived.
    :ivar token: of the newest lease under which some of it was fetched; 0 for none
        (L{trickster.collapsing.leases}).
    :ivar is_stale: whether it was purged softly: it serves where the origin has no answer.
    :ivar nbytes: octets that it counts for, in a store and on its way to clients.
    """

    dataset: Dataset
    headers: Headers = NO_HEADERS
    span: int = 0
    label: Label = NO_LABEL
    mark: int = 0
    is_stale: bool = False
    token: int = 0
    nbytes: int = field(init=False, eq=False, default=Factory(
        lambda self: _octets_of(self), takes_self=True))


def _octets_of(entry: Entry) -> int:
    fields = sum(len(name) + len(value) + 100 for name, value in entry.headers.pairs)
    return entry.dataset.nbytes + fields + entry.label.nbytes + 256
