"""What a process remembers of the entries of a cache that it has used."""

from __future__ import annotations

from attrs import define, field

from trickster.stores.lmdb.layout import Name

# Entries whose pages are taken to be in memory, since they were read or written not long ago.
_MOST_WARM = 50_000
# Uses that are noted before they are written.
_MOST_USES = 10_000


@define(eq=False)
class Noted:
    """
    Which keys were used not long ago, and which uses are not written down yet.

    :ivar warm: names of keys that were read, missed or written, the oldest first, and octets of
        values.
    :ivar uses: names of entries, in the order of their last use.
    """

    warm: dict[str, tuple[Name, int]] = field(factory=dict, init=False, repr=False)
    uses: dict[bytes, None] = field(factory=dict, init=False, repr=False)

    @property
    def has_many(self) -> bool:
        """:return: whether the uses are to be written now."""
        return len(self.uses) >= _MOST_USES

    def put(self, key: str, name: Name, size: int) -> None:
        """
        :param size: octets of the value that was read or put; 0 where there is none.
        """
        self.warm.pop(key, None)
        self.warm[key] = name, size
        if len(self.warm) > _MOST_WARM:
            del self.warm[next(iter(self.warm))]

    def used(self, name: Name) -> None:
        """Note a use of an entry: the last one, for the time being."""
        self.uses.pop(name.entry, None)
        self.uses[name.entry] = None

    def taken(self) -> list[bytes]:
        """:return: the uses, which are forgotten, in their order."""
        uses, self.uses = list(self.uses), {}
        return uses
