"""What the delta cache keeps of one query."""

from __future__ import annotations

from attrs import Factory, field, frozen

from trickster.messages import NO_HEADERS, Headers
from trickster.timeseries.dataset import Dataset


@frozen(slots=True)
class Entry:
    """
    What is kept of one query.

    :ivar dataset: the samples, and what they cover.
    :ivar headers: the origin's header fields that go with every answer.
    :ivar span: the most timestamps before now that a client asked for.
    :ivar nbytes: octets that it counts for, in a store and on its way to clients.
    """

    dataset: Dataset
    headers: Headers = NO_HEADERS
    span: int = 0
    nbytes: int = field(init=False, eq=False, default=Factory(
        lambda self: _octets_of(self), takes_self=True))


def _octets_of(entry: Entry) -> int:
    fields = sum(len(name) + len(value) + 100 for name, value in entry.headers.pairs)
    return entry.dataset.nbytes + fields + 256
