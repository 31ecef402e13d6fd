"""What the demo origin was asked for, by whom."""

from __future__ import annotations

from attrs import define, field


@define
class Account:
    """
    What one kind of client has asked for so far.

    :ivar queries: requests answered with data.
    :ivar points: instants times series for which samples were read.
    :ivar octets: of the bodies of all answers.
    """

    queries: int = 0
    points: int = 0
    octets: int = 0


@define
class Ledger:
    """
    One account for each kind of client; kinds are few, and named by the listener.
    """

    accounts: dict[str, Account] = field(factory=dict)

    def account(self, kind: str) -> Account:
        """
        :param kind: of client.
        :return: its account, opened now if there was none.
        """
        return self.accounts.setdefault(kind, Account())

    @property
    def points(self) -> int:
        """Points that were asked for by all kinds of clients together."""
        return sum(account.points for account in self.accounts.values())
