"""Hit-for-pass: keys whose answers could be neither kept nor shared a moment ago."""

from __future__ import annotations

from attrs import define, field
from cachetools import TTLCache
from twisted.internet.interfaces import IReactorTime

from trickster.errors import Reason


@define(eq=False)
class HitForPass:
    """
    Marks keys of which an answer could not be kept or shared, so that for a short time requests
    for them neither wait for one another nor have the origin asked twice.  The term is that of
    Varnish, whose marks end by themselves too.

    :ivar _ttl: seconds for which a mark stands.
    :ivar _most: marks; the one that was set or asked for longest ago goes first.
    """

    _clock: IReactorTime
    _ttl: float = 15.0
    _most: int = 4096
    _marks: TTLCache[str, Reason] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._marks = TTLCache(self._most, self._ttl, self._clock.seconds)

    def mark(self, key: str, reason: Reason) -> None:
        """
        Have requests for a key passed for a while, from now on.

        :param reason: why the answer could not be kept or shared.
        """
        self._marks[key] = reason

    def clear(self, key: str) -> None:
        """
        Have requests for a key looked up again: an answer could be kept and shared after all.

        :param key: need not be marked.
        """
        self._marks.pop(key, None)

    def reason(self, key: str) -> Reason | None:
        """:return: why requests for a key are to be passed; None where they are not."""
        # Hardly any key is marked, and this look is a quarter of the other's work.
        return self._marks.get(key) if key in self._marks else None
