"""YAML text to a tree in which every key and value knows its place."""

from __future__ import annotations

import re

from attrs import define, field, frozen
from yaml import (
    AliasEvent,
    CSafeLoader,
    MappingEndEvent,
    MappingNode,
    MappingStartEvent,
    Node,
    ScalarEvent,
    ScalarNode,
    SequenceEndEvent,
    SequenceNode,
    SequenceStartEvent,
    YAMLError,
    compose_all,
    parse,
)
from yaml._yaml import Mark as CMark
from yaml.error import Mark

from trickster.config.document.problems import Place, Problems
from trickster.config.document.tree import Entry, Listing, Scalar, Table, Tree, is_null

MAX_OCTETS = 16 << 20
MAX_NODES = 200_000
MAX_DEPTH = 64

_Path = tuple[str, ...]

# The original's first generation.
_TOML = re.compile(r"^[ \t]*\[[\w.]+\][ \t]*(?:#.*)?\n(?:[ \t]*#.*\n)*[ \t]*\w+[ \t]*=",
                   re.MULTILINE)
_WITH_TABS = "; tabs cannot indent, use spaces"
_IS_TOML = "; it looks like TOML, expected YAML with backends: and the like"

# What each kind of event does to the depth; other events are no nodes.
_DEEPER = {MappingStartEvent: 1, SequenceStartEvent: 1, ScalarEvent: 0, AliasEvent: 0,
           MappingEndEvent: -1, SequenceEndEvent: -1}

_PREFIX = "tag:yaml.org,2002:"
_SCALARS = frozenset(("str", "int", "float", "bool", "null", "timestamp", "merge", "value"))


def read_yaml(octets: bytes, source: str, problems: Problems) -> Table | None:
    """
    :param octets: of the file: UTF-8, with or without a byte order mark, and bounded in size,
        depth and number of values.
    :param source: what the file is called in problems.
    :param problems: is told why it cannot be read, and of keys that are given twice.
    :return: the mapping that the file holds; an empty one where it holds nothing; None
        where it cannot be read at all.
    """
    start = Place(source, 1, 1)
    text = _decoded(octets, start, problems)
    nodes = None if text is None else _composed(text, start, problems)
    if not nodes:
        return None if nodes is None else Table({}, start)
    tree = _Builder(source, problems).build(nodes[0])
    if tree is None or isinstance(tree, Table):
        return tree
    if is_null(tree):
        return Table({}, start)
    problems.add(tree.place, "", "the file is no mapping; expected keys such as backends:")
    return None


def _decoded(octets: bytes, start: Place, problems: Problems) -> str | None:
    if len(octets) > MAX_OCTETS:
        problems.add(start, "", f"the file is larger than {MAX_OCTETS} octets")
        return None
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        column = error.start - octets.rfind(b"\n", 0, error.start)
        problems.add(Place(start.source, line, column), "", "the file is not UTF-8")
        return None


def _composed(text: str, start: Place, problems: Problems) -> list[Node] | None:
    try:
        # The composer recurses in C: depth has to be bounded before it sees the file.
        excess = _excess(text)
        documents = [] if excess else list(compose_all(text, Loader=CSafeLoader))
    except YAMLError as error:
        excess, documents = _excess_before(error, text), []
        if excess is None:
            _tell_error(error, text, start, problems)
            return None
    if excess:
        problems.add(_place(start.source, excess.mark), "", excess.text)
        return None
    if len(documents) > 1:
        problems.add(_place(start.source, documents[1].start_mark), "",
                     "a second YAML document begins; expected one document in a file")
    return documents


@frozen
class _Excess:
    """Where a file is more than we read, and why."""

    mark: Mark | CMark | None
    text: str


def _excess(text: str) -> _Excess | None:
    """
    :return: where the nesting, or the number of keys and values, first exceeds the limit;
        None: nowhere.
    :raises YAMLError: it is no YAML before that.
    """
    depth = nodes = 0
    for event in parse(text, Loader=CSafeLoader):
        change = _DEEPER.get(type(event))
        if change is None:
            continue
        depth += change
        nodes += change >= 0
        if depth > MAX_DEPTH:
            return _Excess(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        if nodes > MAX_NODES:
            return _Excess(event.start_mark, f"more than {MAX_NODES} keys and values; expected "
                           "a configuration of Trickster")
    return None


def _excess_before(error: YAMLError, text: str) -> _Excess | None:
    # The scanner is some hundred characters ahead of the events, and some of its releases
    # bound the nesting by themselves: what it refuses may be too deep for us before that.
    mark = _mark(error)
    if mark is None:
        return None
    try:
        return _excess(text[:mark.index])
    except YAMLError:
        return None


def _mark(error: YAMLError) -> Mark | CMark | None:
    return getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)


def _tell_error(error: YAMLError, text: str, start: Place, problems: Problems) -> None:
    mark = _mark(error)
    hint = _WITH_TABS if mark and text[mark.index:mark.index + 1] == "\t" else ""
    hint += _IS_TOML if _TOML.search(text) else ""
    place = _place(start.source, mark) if mark else start
    problems.add(place, "", _explained(error, mark) + hint)


def _explained(error: YAMLError, mark: Mark | CMark | None) -> str:
    what = getattr(error, "problem", None) or str(error).replace("\n", " ")
    context = (getattr(error, "context", None) or "") + _since(error, mark)
    return f"not YAML: {context + ', ' if context else ''}{what}"


def _since(error: YAMLError, mark: Mark | CMark | None) -> str:
    """
    :param mark: where the error was noticed.
    :return: where something began that has no end, if that is in another line; else nothing.
    """
    begun = getattr(error, "context_mark", None)
    if begun is None or mark is None or begun.line == mark.line:
        return ""
    return f" that begins in line {begun.line + 1}"


def _place(source: str, mark: Mark | CMark | None) -> Place:
    if mark is None:
        return Place(source)
    return Place(source, mark.line + 1, mark.column + 1)


class _TooLarge(Exception):
    """Aliases make the tree larger than any configuration is."""


@define
class _Builder:
    """Makes our tree of PyYAML's: merge keys applied, duplicate keys told."""

    _source: str
    _problems: Problems
    _left: int = field(default=MAX_NODES, init=False)

    def build(self, node: Node) -> Tree | None:
        try:
            return self._tree(node, ())
        except _TooLarge:
            place = _place(self._source, node.start_mark)
            self._problems.add(
                place, "", "aliases are nested without end, or make the file too large")
            return None

    def _tree(self, node: Node, path: _Path) -> Tree:
        self._left -= 1
        if self._left < 0 or len(path) > MAX_DEPTH:
            raise _TooLarge
        place = _place(self._source, node.start_mark)
        if isinstance(node, MappingNode):
            self._check_tag(node, "map", path)
            return Table(self._entries(node, path), place)
        if isinstance(node, SequenceNode):
            self._check_tag(node, "seq", path)
            items = enumerate(node.value)
            return Listing(tuple(self._tree(v, (*path, f"[{n}]")) for n, v in items), place)
        assert isinstance(node, ScalarNode)
        return self._scalar(node, path)

    def _check_tag(self, node: Node, kind: str, path: _Path) -> None:
        if node.tag != _PREFIX + kind:
            self._refuse(node, path, f"tag {node.tag} is not understood; leave it out")

    def _scalar(self, node: ScalarNode, path: _Path) -> Scalar:
        kind = node.tag.removeprefix(_PREFIX)
        if kind not in _SCALARS:
            self._refuse(node, path, f"tag {node.tag} is not understood; leave it out")
            kind = "str"
        return Scalar(node.value, kind, _place(self._source, node.start_mark))

    def _refuse(self, node: Node, path: _Path, text: str) -> None:
        dotted = ".".join(path).replace(".[", "[")
        self._problems.add(_place(self._source, node.start_mark), dotted, text)

    def _entries(self, node: MappingNode, path: _Path) -> dict[str, Entry]:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in node.value:
            place = _place(self._source, key.start_mark)
            if key.tag == _PREFIX + "merge":
                merged = {**self._merged(value, path), **merged}
            elif self._is_key(key, path, own):
                own[key.value] = Entry(place, self._tree(value, (*path, key.value)))
        return {**merged, **own}

    def _is_key(self, key: Node, path: _Path, before: dict[str, Entry]) -> bool:
        if not isinstance(key, ScalarNode) or key.tag == _PREFIX + "null":
            self._refuse(key, path, "a key must be a name")
            return False
        if key.value in before:
            line = before[key.value].place.line
            self._refuse(key, (*path, key.value),
                         f"the key is given twice; the first is in line {line}")
            return False
        return True

    def _merged(self, value: Node, path: _Path) -> dict[str, Entry]:
        sources = value.value if isinstance(value, SequenceNode) else [value]
        found: dict[str, Entry] = {}
        for each in sources:
            tree = self._tree(each, (*path, "<<"))
            if isinstance(tree, Table):
                # Of several sources, the earlier one wins.
                found = {**tree.entries, **found}
            else:
                self._refuse(each, (*path, "<<"), "only mappings can be merged")
        return found
