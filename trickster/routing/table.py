"""What stands at which path: the exact path first, then the longest prefix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from attrs import frozen

T = TypeVar("T")


@frozen
class PathTable(Generic[T]):
    """
    Values by path.

    A lookup by exact path takes one hash; one by prefix takes a comparison for each prefix.
    """

    _exact: Mapping[bytes, T]
    _prefixes: tuple[tuple[bytes, T], ...]

    @classmethod
    def of(cls, exact: Mapping[bytes, T], prefixes: Mapping[bytes, T]) -> PathTable[T]:
        """
        :param exact: what stands at whole paths.
        :param prefixes: what stands at every path that begins so, segments or not.
        :return: the table.
        """
        longest_first = sorted(prefixes.items(), key=lambda item: -len(item[0]))
        return cls(dict(exact), tuple(longest_first))

    def best(self, path: bytes) -> T | None:
        """:return: what stands at the path, else at its longest prefix; None for nothing."""
        found = self._exact.get(path)
        if found is not None:
            return found
        for prefix, value in self._prefixes:
            if path.startswith(prefix):
                return value
        return None

    def matching(self, path: bytes) -> Iterator[T]:
        """:return: everything that stands at the path or at a prefix of it, the best first."""
        found = self._exact.get(path)
        if found is not None:
            yield found
        for prefix, value in self._prefixes:
            if path.startswith(prefix):
                yield value
