"""When to leave something alone that keeps failing."""

from __future__ import annotations

from attrs import define, field


@define(eq=False)
class Circuit:
    """
    Opens after failures in a row, and lets one try through after a pause.

    :ivar most: failures in a row after which it opens.
    :ivar pause: seconds until it is worth another try.
    """

    most: int = 5
    pause: float = 10.0
    failures: int = field(default=0, init=False)
    _next_try: float = field(default=0.0, init=False)

    @property
    def is_open(self) -> bool:
        """:return: whether nothing gets through but one try after each pause (L{allows})."""
        return self.failures >= self.most

    def allows(self, now: float) -> bool:
        """
        :param now: in the clock's seconds.
        :return: whether to go ahead.  While the circuit is open, who is allowed is the one
            try; if it never reports, another is allowed after another pause.
        """
        if self.failures < self.most:
            return True
        # A clock set back must not lengthen the pause.
        if now < self._next_try <= now + self.pause:
            return False
        self._next_try = now + self.pause
        return True

    def succeeded(self) -> bool:
        """
        Report that it works.

        :return: whether that is news.
        """
        was_open = self.is_open
        self.failures = 0
        return was_open

    def failed(self, now: float, is_hopeless: bool = False) -> None:
        """
        Report that it does not work.

        :param now: in the clock's seconds; the next try is a pause later.
        :param is_hopeless: whether to open at once, however few failures there were.
        """
        self.failures = max(self.failures + 1, self.most if is_hopeless else 0)
        self._next_try = now + self.pause

    def partly_failed(self) -> None:
        """
        Report that a part of it does not work: however often, that alone does not open it, and
        where it was open, the other parts are worth being tried.
        """
        self.failures = min(self.failures + 1, self.most - 1)
