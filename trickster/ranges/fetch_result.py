"""What a fetch of a part of a range has brought."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import ReferenceType

from attrs import frozen

from trickster.errors import Reason, TricksterError
from trickster.messages import Headers
from trickster.ranges.kept.entry import Entry
from trickster.ranges.kept.retention import mergeable
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent


@frozen(slots=True)
class FetchResult:
    """
    The result of one fetch.

    :ivar entry: what the store was given to keep, with it; None where nothing of it is kept.
    :ivar unstorable: why it may not; None where it may.
    :ivar asked: what the origin was asked for; other processes had the rest fetched.
    """

    dataset: Dataset
    headers: Headers
    entry: ReferenceType[Entry] | None
    unstorable: Reason | None = None
    asked: tuple[Extent, ...] = ()


class FailedElsewhere(TricksterError):
    """
    Another process has fetched, and had no dataset for an answer.

    :ivar error: what it had.
    """

    def __init__(self, error: TricksterError) -> None:
        super().__init__(str(error))
        self.error = error


def combined(parts: Sequence[FetchResult], most_series: int) -> FetchResult | None:
    """
    :param parts: at least one, which overlap nowhere.
    :param most_series: as for L{mergeable}.
    :return: all of them in one; None where they are no parts of one whole.
    """
    whole, *others = parts
    dataset = whole.dataset
    for part in others:
        if not mergeable(dataset, part.dataset, most_series):
            return None
        dataset = dataset.merged(part.dataset)
    return FetchResult(
        dataset, parts[-1].headers,
        next((part.entry for part in reversed(parts) if part.entry is not None), None),
        next((part.unstorable for part in parts if part.unstorable), None),
        tuple(extent for part in parts for extent in part.asked))
