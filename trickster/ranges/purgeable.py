"""The caches of a path whose queries are answered by range, as purges know them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import frozen
from zope.interface import implementer

from trickster.errors import NotATimeRange
from trickster.interfaces import IPurgeable, IQueryDialect
from trickster.messages import MalformedParams, Request
from trickster.ranges.plan import SECOND_NS, group_key
from trickster.ranges.policy import RangePolicy


class Outdated(Protocol):
    """What fetches for clients, and keeps what it has fetched."""

    def outdate(self) -> None:
        """Have no request join what is being fetched, and do not store that."""


@implementer(IPurgeable)
@frozen
class PurgeableRanges:
    """
    What the path keeps of its queries.

    :ivar fetching: all that keep something.
    :ivar wall: seconds since the epoch: what "now" is in a query.
    """

    dialect: IQueryDialect
    policy: RangePolicy
    fetching: Sequence[Outdated]
    wall: Callable[[], float]

    def outdate(self) -> None:
        """See L{IPurgeable.outdate}."""
        for each in self.fetching:
            each.outdate()

    def keys_of(self, request: Request) -> Sequence[str]:
        """
        See L{IPurgeable.keys_of}.

        :param request: a range query, whose start and end make no difference; the dialect tells
            whether it is one.
        """
        try:
            query = self.dialect.decode_request(request, int(self.wall() * SECOND_NS))
        except (NotATimeRange, MalformedParams):
            return ()
        return (group_key(query, self.policy),)
