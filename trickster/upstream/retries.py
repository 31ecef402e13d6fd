"""When a request may be sent a second time, and how often that may happen."""

from __future__ import annotations

from attrs import define, field

# Retries for each request, in the long run, and at most at once.
_RATIO = 0.2
_MOST_SAVED = 10.0


@define(eq=False)
class RetryBudget:
    """
    A token bucket: each request pays in a part, each retry takes one out, so that an origin
    in trouble does not get twice the load.
    """

    _saved: float = field(default=_MOST_SAVED, init=False)

    def pay_in(self) -> None:
        """A request was made."""
        self._saved = min(_MOST_SAVED, self._saved + _RATIO)

    def take(self) -> bool:
        """:return: whether one may be made again now."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
