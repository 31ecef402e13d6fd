"""Brings every accepted way to write a configuration into one form."""

from __future__ import annotations

from attrs import define

from trickster.config.document.problems import BUILT_IN, Problems, meant, one_of
from trickster.config.document.reading import joined
from trickster.config.document.tree import Entry, Scalar, Table, Tree, is_null, with_value
from trickster.config.leftovers import MOVED
from trickster.config.options.listeners import BUILT_IN_ADDRESSES, BUILT_IN_PORTS

_SAME = ("connections_limit", "read_header_timeout", "max_request_body_size_bytes",
         "truncate_request_body_too_large")
_LISTEN = {"listen_address": "address", "listen_port": "port"}
_FRONTEND = {
    **_LISTEN,
    "tls_listen_address": "tls_address",
    "tls_listen_port": "tls_port",
    **{name: name for name in _SAME},
}

_MOVED = (("frontend", "default", _FRONTEND), ("metrics", "metrics", _LISTEN),
          ("mgmt", "mgmt", _LISTEN))

# Every older name, and the one that it is read as.
OLDER_NAMES = {
    "origins": "backends",
    "backends.<name>.origin_type": "backends.<name>.provider",
    "caches.<name>.cache_type": "caches.<name>.provider",
    **{f"{block}.{old}": f"listeners.{listener}.{new}"
       for block, listener, names in _MOVED for old, new in names.items()},
}


def shaped(tree: Table, problems: Problems) -> Table:
    """
    Move what has an older name to its present one, and write down what is built in.

    :param tree: as the file has it.
    :param problems: learns how paths were spelled, and is told of what is said twice.
    :return: a tree with C{listeners}, C{backends} and C{caches} in their present form.
    """
    # Where YAML's anchors are put down, as Compose files do it too.
    extensions = [name for name in tree.entries if name.startswith("x-")]
    shaper = _Shaper(tree.without(*extensions), problems)
    shaper.rename("origins", "backends")
    shaper.rename_within("backends", "origin_type", "provider")
    shaper.rename_within("caches", "cache_type", "provider")
    for block, listener, names in _MOVED:
        shaper.move(block, listener, names)
    for (block, old), new in MOVED.items():
        shaper.move_leftover(block, old, new)
    shaper.forget("reloading")
    shaper.tree = shaper.tree.without("frontend", "metrics")
    shaper.add_listeners()
    shaper.add_cache()
    return shaper.tree


@define
class _Shaper:
    tree: Table
    problems: Problems

    def rename(self, old: str, new: str) -> None:
        self.tree = self._renamed(self.tree, "", old, new)

    def rename_within(self, block: str, old: str, new: str) -> None:
        outer = self.tree.entries.get(block)
        if outer is None or not isinstance(outer.value, Table):
            return
        entries = {name: self._entry_renamed(entry, f"{block}.{name}", old, new)
                   for name, entry in outer.value.entries.items()}
        table = Table(entries, outer.value.place)
        self.tree = self.tree.with_entry(block, Entry(outer.place, table))

    def _entry_renamed(self, entry: Entry, path: str, old: str, new: str) -> Entry:
        if not isinstance(entry.value, Table):
            return entry
        return Entry(entry.place, self._renamed(entry.value, path, old, new))

    def _renamed(self, table: Table, path: str, old: str, new: str) -> Table:
        entry = table.entries.get(old)
        if entry is None:
            return table
        if new in table.entries:
            self._told_twice(entry, joined(path, old), joined(path, new), table.entries[new])
            return table.without(old)
        spelled = self.problems.spelled(joined(path, old))
        self.problems.spellings[joined(path, new)] = spelled
        return table.without(old).with_entry(new, entry)

    def move(self, block: str, listener: str, names: dict[str, str]) -> None:
        """
        Move a block's listening keys to a listener; report unknown keys.

        :param block: of the older form, such as C{frontend}.
        :param listener: to which it speaks.
        :param names: of its keys, and their present ones.
        """
        entry = self.tree.entries.get(block)
        if entry is None or not isinstance(entry.value, Table):
            self._refuse_block(block, entry)
            return
        for old, found in entry.value.entries.items():
            if old in names:
                self._move(f"{block}.{old}", ("listeners", listener, names[old]), found)
            elif block != "mgmt":
                near = meant(old, names) or f"; expected one of {one_of(names)}"
                self.problems.add(found.place, f"{block}.{old}", f"unknown key{near}")
        self.tree = self.tree.with_entry(block, Entry(entry.place, entry.value.without(*names)))

    def _refuse_block(self, block: str, entry: Entry | None) -> None:
        if entry is not None and not is_null(entry.value) and block != "mgmt":
            self.problems.add(entry.value.place, block, "expected a mapping of keys")

    def _move(self, old: str, new: tuple[str, ...], entry: Entry) -> None:
        table: Tree = self.tree
        for name in new[:-1]:
            inner = table.entries.get(name) if isinstance(table, Table) else None
            table = inner.value if inner else Table({}, entry.place)
        if isinstance(table, Table) and new[-1] in table.entries:
            self._give_way(entry, old, ".".join(new), table.entries[new[-1]])
            return
        self.problems.spellings[".".join(new)] = old
        self.tree = with_value(self.tree, new, entry.value)

    def move_leftover(self, block: str, old: str, new: tuple[str, ...]) -> None:
        """
        Move a key that the original has given up to its present place, and say so.

        :param block: in which it stands.
        :param new: path of its present place.
        """
        outer = self.tree.entries.get(block)
        if outer is None or not isinstance(outer.value, Table) or old not in outer.value.entries:
            return
        entry, path = outer.value.entries[old], f"{block}.{old}"
        self.tree = self.tree.with_entry(block, Entry(outer.place, outer.value.without(old)))
        self.problems.places[path] = entry.place
        self.problems.remark(path, f"is read as {'.'.join(new)}; write that")
        self._move(path, new, entry)

    def forget(self, block: str) -> None:
        """
        Take a block away, if it is empty by now.

        :param block: of the older form; what is left in it is told as unknown.
        """
        entry = self.tree.entries.get(block)
        if entry is not None and isinstance(entry.value, Table) and not entry.value.entries:
            self.tree = self.tree.without(block)

    def _give_way(self, entry: Entry, old: str, new: str, other: Entry) -> None:
        """
        Have the present name win, and say so where that makes a difference.

        :param entry: at the older name.
        :param old: path of the older name.
        :param new: path of the present name.
        :param other: at the present name.
        """
        if _text(entry.value) is None or _text(entry.value) != _text(other.value):
            self.problems.places[old] = entry.place
            self.problems.remark(old, f"is an older name of {new}, which is given too "
                                 f"({other.place}) and wins; leave it out")

    def _told_twice(self, entry: Entry, old: str, new: str, other: Entry) -> None:
        self.problems.add(
            entry.place, old, f"is an older name of {new}, which is given too ({other.place}); "
            "keep one of them")

    def add_listeners(self) -> None:
        for name, port in BUILT_IN_PORTS.items():
            self._add_default(name, "port", str(port), "int")
            self._add_default(name, "address", BUILT_IN_ADDRESSES.get(name, ""), "str")

    def _add_default(self, listener: str, key: str, text: str, kind: str) -> None:
        inner = self._inner("listeners", listener)
        if isinstance(inner, Table) and key not in inner.entries:
            value = Scalar(text, kind, inner.place)
            self.tree = with_value(self.tree, ("listeners", listener, key), value)

    def add_cache(self) -> None:
        inner = self._inner("caches", "default")
        if isinstance(inner, Table):
            self.tree = with_value(self.tree, ("caches", "default"), inner)

    def _inner(self, block: str, name: str) -> Tree:
        outer = _value(self.tree, block)
        return _value(outer, name) if isinstance(outer, Table) else outer


def _text(tree: Tree) -> str | None:
    return tree.text if isinstance(tree, Scalar) else None


def _value(table: Table, name: str) -> Tree:
    """:return: what is under a key; an empty mapping where that is nothing."""
    entry = table.entries.get(name)
    if entry is None:
        return Table({}, BUILT_IN)
    return Table({}, entry.place) if is_null(entry.value) else entry.value
