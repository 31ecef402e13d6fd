"""What is wrong with a configuration, and where: gathered, so that all is said at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice

from attrs import Factory, define, field, frozen

from trickster.config.document.masking import masked_text
from trickster.errors import ConfigurationError

MAX_REPORTED = 100
_MAX_SHOWN = 60
_MAX_MASKED = 1000
_MAX_NEAR = 1000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# What is said of a problem; a function, where it takes work that few problems are worth.
Text = str | Callable[[], str]


@frozen(order=True)
class Place:
    """
    Where a part of the configuration was said.

    :ivar source: a file, an environment variable or a flag.
    :ivar line: counted from 1; 0 where there are no lines.
    :ivar column: counted from 1.
    """

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


# Where a default is said that a file leaves out.
BUILT_IN = Place("built in")


@define
class Problems:
    """
    Gathers problems.

    :ivar places: where each key of the configuration was said, by its path.
    :ivar unused: paths of keys that were given, but are not yet effective.
    :ivar exposed: the same for keys that protect something: what is open meanwhile, by path.
    :ivar masked: places and paths of values that are no values, but masks of secrets.
    :ivar remarks: what should be said, and is no problem.
    :ivar spellings: how a path was written in the file, where that is not its present name.
    """

    places: dict[str, Place] = field(default=Factory(dict))
    unused: list[str] = field(default=Factory(list))
    exposed: dict[str, str] = field(default=Factory(dict))
    spellings: dict[str, str] = field(default=Factory(dict))
    masked: list[tuple[Place, str]] = field(default=Factory(list))
    remarks: list[str] = field(default=Factory(list))
    _unread: set[str] = field(default=Factory(set))
    _found: list[tuple[Place, str, Text]] = field(default=Factory(list))

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, place: Place, path: str, text: Text) -> None:
        """
        :param place: of the key, or of its value.
        :param path: of the key, dotted; empty for the whole file.
        :param text: what is wrong, what was expected.
        """
        self._found.append((place, self.spelled(path), text))

    def unread(self, place: Place, path: str, text: Text) -> None:
        """
        Add a problem because of which a default stands where a value should: what else would be
        said of that value is not.

        :param place: of the value.
        :param path: of the key, dotted.
        :param text: what is wrong, what was expected.
        """
        self._unread.add(path)
        self.add(place, path, text)

    def is_unread(self, path: str) -> bool:
        """:return: whether the value there, or what contains it, is not what was said."""
        return bool(self._unread) and any(
            outer in self._unread for outer in containers(path) if outer)

    def remark(self, path: str, text: str) -> None:
        """
        Say something of a key that is no problem.

        :param path: of the key, dotted.
        :param text: what is said after the path, without a full stop.
        """
        self.remarks.append(_on_one_line(f"{self.place_of(path)}: {self.spelled(path)} {text}"))

    def forget_unused(self, path: str) -> None:
        """
        Forget what was just noted within a block that is noted as a whole, or not at all.

        :param path: of the block, dotted.
        """
        while self.unused and path in containers(self.unused[-1]):
            self.unused.pop()

    def spelled(self, path: str) -> str:
        """:return: the path as it was written in the file."""
        for outer in containers(path) if self.spellings else ():
            if outer in self.spellings:
                return self.spellings[outer] + path[len(outer):]
        return path

    def at(self, path: str, text: Text) -> None:
        """
        Add a problem at the place where that path, or what contains it, was said; but not of
        a value that could not be read, which would be told twice.

        :param path: of the key, dotted.
        :param text: what is wrong, what was expected.
        """
        if not self.is_unread(path):
            self.add(self.place_of(path), path, text)

    def place_of(self, path: str) -> Place:
        """:return: where that path, or the nearest that contains it, was said."""
        known = (self.places[each] for each in containers(path) if each in self.places)
        return next(known, Place("configuration"))

    def raise_any(self) -> None:
        """
        :raises ConfigurationError: there are problems; they are in the order of the file.
        """
        if not self._found:
            return
        # What a line says is worked out for those only that are told.
        ordered = sorted(self._found, key=_order)
        lines = list(islice(dict.fromkeys(map(_line, ordered[:2 * MAX_REPORTED])), MAX_REPORTED))
        more = len(ordered) - MAX_REPORTED if len(ordered) > 2 * MAX_REPORTED else (
            len(set(map(_line, ordered))) - MAX_REPORTED)
        raise ConfigurationError((*lines, *_more(more)))


def _order(found: tuple[Place, str, Text]) -> tuple[Place, str]:
    return found[:2]


def _line(found: tuple[Place, str, Text]) -> str:
    place, path, text = found
    where = f"{place}: {path}" if path else str(place)
    return _on_one_line(f"{where}: {text if isinstance(text, str) else text()}")


def _on_one_line(line: str) -> str:
    """:return: the line with escapes for control characters, of which names may consist."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], line)


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"... and {count} more"


def bounded(lines: Sequence[str]) -> list[str]:
    """:return: as many of the lines as can be read, and how many more there are."""
    return [*lines[:MAX_REPORTED], *_more(len(lines) - MAX_REPORTED)]


def containers(path: str) -> Iterator[str]:
    """:return: the path, and every path that contains it, the nearest first."""
    yield path
    for end in range(len(path) - 1, 0, -1):
        if path[end] in ".[":
            yield path[:end]
    yield ""


def meant(name: str, known: Iterable[str]) -> str:
    """
    :param name: that is none of those that are known.
    :param known: of which not more than the first thousand are looked at.
    :return: C{"; did you mean 'x'?"} where a known name is near, else nothing.
    """
    by_lower = {each.lower(): each for each in islice(known, _MAX_NEAR) if each}
    if len(name) > _MAX_SHOWN:
        return ""
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""


def one_of(names: Iterable[str]) -> str:
    """:return: the names for "expected one of ...", in their order, forty at most."""
    known = [each or "''" for each in islice(names, 41)]
    return ", ".join(known[:40]) + (", ..." if len(known) > 40 else "") if known else "(none)"


def shown(text: str) -> str:
    """:return: a text from a file, quoted and short, without credentials."""
    if len(text) > _MAX_MASKED:
        # A part of it could be the part of a secret.
        return f"a text of {len(text)} characters"
    visible = masked_text(text)
    return repr(visible if len(visible) <= _MAX_SHOWN else visible[:_MAX_SHOWN] + "...")
