"""Tests of L{trickster.config.document.parsing}."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.config.document.parsing import MAX_NODES, read_yaml
from trickster.config.document.problems import Place, Problems
from trickster.config.document.tree import Listing, Scalar, Table, Tree
from trickster.errors import ConfigurationError


def read(text: str | bytes) -> Table | None:
    """:raises ConfigurationError: there were problems."""
    problems = Problems()
    octets = text.encode() if isinstance(text, str) else text
    tree = read_yaml(octets, "f", problems)
    problems.raise_any()
    return tree


def plain(tree: Tree | None) -> object:
    """:return: dicts, lists and texts."""
    if isinstance(tree, Table):
        return {name: plain(entry.value) for name, entry in tree.entries.items()}
    if isinstance(tree, Listing):
        return [plain(item) for item in tree.items]
    return tree.text if isinstance(tree, Scalar) else None


class ReadTests(SynchronousTestCase):
    """Files that can be read."""

    def test_places(self) -> None:
        """Every key and value knows line and column, counted from 1."""
        tree = read("a:\n  b: 1\n")
        assert tree is not None
        inner = tree.entries["a"].value
        assert isinstance(inner, Table)
        self.assertEqual(inner.entries["b"].place, Place("f", 2, 3))
        self.assertEqual(inner.entries["b"].value.place, Place("f", 2, 6))

    def test_empty(self) -> None:
        """A file of nothing, of comments or of null is an empty mapping."""
        for text in ("", "# nothing\n", "---\n", "null\n", "\ufeff"):
            self.assertEqual(plain(read(text)), {}, text)

    def test_byte_order_mark(self) -> None:
        """A byte order mark is no part of the first key."""
        self.assertEqual(plain(read(b"\xef\xbb\xbfa: 1\n")), {"a": "1"})

    def test_texts_as_written(self) -> None:
        """Numbers, switches and dates keep the text that they were written with."""
        tree = read("{off: on, 404: 1_000, d: 2024-01-01, v: 8.10, q: '5'}")
        self.assertEqual(plain(tree), {
            "off": "on", "404": "1_000", "d": "2024-01-01", "v": "8.10", "q": "5"})

    def test_merge_keys(self) -> None:
        """Merged keys yield to a mapping's own, and earlier sources win over later ones."""
        tree = read("x: &x {p: 1, q: 1}\ny: &y {q: 2, r: 2}\n"
                    "z: {<<: [*x, *y], p: 3}\nw: {p: 4, <<: *x}\n")
        assert isinstance(tree, Table)
        self.assertEqual(plain(tree.entries["z"].value), {"p": "3", "q": "1", "r": "2"})
        self.assertEqual(plain(tree.entries["w"].value), {"p": "4", "q": "1"})

    @settings(max_examples=60)
    @given(st.recursive(
        st.text(alphabet="abc 1:-#'\"\n", max_size=6),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.text(alphabet="abcd", min_size=1, max_size=3), inner, max_size=3),
        max_leaves=12))
    def test_as_pyyaml(self, value: object) -> None:
        """Trees of texts are read as PyYAML reads them."""
        text = yaml.safe_dump({"top": value})
        self.assertEqual(plain(read(text)), {"top": value})


class ProblemTests(SynchronousTestCase):
    """Files that cannot be read."""

    def assertProblem(self, text: str | bytes, place: str, words: str) -> None:
        """One problem is told, at that place and with those words."""
        error = self.assertRaises(ConfigurationError, read, text)
        self.assertEqual(len(error.problems), 1, error.problems)
        self.assertIn(words, error.problems[0])
        self.assertTrue(error.problems[0].startswith(place + ":"), error.problems[0])

    def test_no_yaml(self) -> None:
        """A file that is no YAML is refused with the place of the error."""
        self.assertProblem("a: [1\nb: 2", "f:2:2", "not YAML")
        self.assertProblem("a: *b\n", "f:1:4", "not YAML")
        self.assertProblem("a: \x00", "f:1:1", "not YAML")

    def test_tabs(self) -> None:
        """A tab for indentation is named as what it is."""
        for text in ("a:\n\tb: 1\n", "a:\n  - b\n\t- c\n", "\ta: 1\n"):
            self.assertProblem(text, f"f:{text.count(chr(10), 0, text.index(chr(9))) + 1}:1",
                               "use spaces")

    def test_no_end(self) -> None:
        """A construct without its end is reported with the line in which it begins."""
        self.assertProblem("a: 1\nb: 'c\nd: 2\n", "f:4:1", "that begins in line 2, ")
        self.assertProblem("a: [1]\nb: {c: 1\nd: 2", "f:3:2", "that begins in line 2, ")

    def test_toml(self) -> None:
        """A file of the original's first generation is named as what it is."""
        text = "# a comment\n[frontend]\nlisten_port = 8480\n"
        self.assertProblem(text, "f:3:1", "it looks like TOML, expected YAML")

    def test_encoding(self) -> None:
        """A file that is not UTF-8 is refused with the place of the first bad octet."""
        self.assertProblem(b"a: 1\nb: x\xff\n", "f:2:5", "not UTF-8")

    def test_no_mapping(self) -> None:
        """A list or a text is no configuration."""
        self.assertProblem("- a\n", "f:1:1", "no mapping")
        self.assertProblem("hello\n", "f:1:1", "no mapping")

    def test_documents(self) -> None:
        """A second document is refused, not ignored."""
        self.assertProblem("a: 1\n---\nb: 2\n", "f:3:1", "second YAML document")

    def test_duplicates(self) -> None:
        """A key given twice is refused with its path and the line of the first."""
        self.assertProblem("a:\n  b: 1\n  b: 2\n", "f:3:3", "a.b: the key is given twice; "
                           "the first is in line 2")

    def test_keys(self) -> None:
        """A key is a name, not a list and not null."""
        self.assertProblem("? [a]\n: 1\n", "f:1:3", "must be a name")
        self.assertProblem("~: 1\n", "f:1:1", "must be a name")

    def test_tags(self) -> None:
        """Tags of anything but plain values are refused."""
        self.assertProblem("a: !!python/name:os.system x", "f:1:4", "not understood")
        self.assertProblem("a: !mine {b: 1}", "f:1:4", "not understood")

    def test_merging_no_mapping(self) -> None:
        """Only mappings can be merged."""
        self.assertProblem("a: {<<: 5}", "f:1:9", "only mappings")

    def test_depth(self) -> None:
        """Deep nesting of every kind is refused, before anything recurses into it."""
        for level, place in (("[", "f:1:65"), ("{a: ", "f:1:257"), ("- ", "f:1:129"),
                             ("? ", "f:1:129"), ("[{a: ", "f:1:161")):
            for times in (70, 1000, 100_000):
                self.assertProblem(level * times, place, "nested deeper than 64 levels")

    def test_too_many(self) -> None:
        """More keys and values than any configuration has are refused, where they are too many."""
        lines = [f"k{i}: 1\n" for i in range(MAX_NODES // 2)]
        self.assertIsNotNone(read("".join(lines[1:])))
        self.assertProblem("".join(lines), f"f:{len(lines)}:{len(lines[-1]) - 1}",
                           f"more than {MAX_NODES}")
        self.assertProblem(f"[{'a,' * MAX_NODES}]", f"f:1:{2 * MAX_NODES}",
                           f"more than {MAX_NODES}")

    def test_aliases(self) -> None:
        """Aliases of aliases and aliases of themselves are bounded."""
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        for n in range(1, 12):
            lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")
        self.assertProblem("\n".join(lines), "f:1:1", "aliases")
        self.assertProblem("a: &a [*a]", "f:1:1", "aliases")

    def test_size(self) -> None:
        """A huge file is refused unread."""
        self.assertProblem(b"#" * (17 << 20), "f:1:1", "larger than")
