"""A document as a tree of mappings, lists and single values, each of which knows its place."""

from __future__ import annotations

from attrs import frozen

from trickster.config.document.problems import Place


@frozen
class Scalar:
    """
    A single value.

    :ivar text: as written, without its quotes.
    :ivar kind: what YAML takes it for: C{str}, C{int}, C{float}, C{bool}, C{null} ...
    """

    text: str
    kind: str
    place: Place


@frozen
class Listing:
    """A list."""

    items: tuple[Tree, ...]
    place: Place


@frozen
class Entry:
    """A key of a mapping, where it stands, and its value."""

    place: Place
    value: Tree


@frozen
class Table:
    """A mapping."""

    entries: dict[str, Entry]
    place: Place

    def without(self, *names: str) -> Table:
        """:return: the same without those keys."""
        return Table({k: v for k, v in self.entries.items() if k not in names}, self.place)

    def with_entry(self, name: str, entry: Entry) -> Table:
        """:return: the same with that key, replaced or at the end."""
        return Table({**self.entries, name: entry}, self.place)


Tree = Scalar | Listing | Table


def is_null(tree: Tree) -> bool:
    """:return: whether a key is given with nothing after it, or with C{null}."""
    return isinstance(tree, Scalar) and tree.kind == "null"


def with_value(tree: Table, path: tuple[str, ...], value: Tree) -> Table:
    """
    :param tree: the outermost mapping, which stays as it is.
    :param path: of a key in nested mappings; made where they are not there.
    :param value: whose place that of the key becomes.
    :return: the tree with that value in the place of the value that was there.
    """
    name, rest = path[0], path[1:]
    if not rest:
        return tree.with_entry(name, Entry(value.place, value))
    inner = tree.entries.get(name)
    if inner is None or not isinstance(inner.value, Table):
        inner = Entry(value.place, Table({}, value.place))
    within = with_value(inner.value, rest, value)  # type: ignore[arg-type]
    return tree.with_entry(name, Entry(inner.place, within))
