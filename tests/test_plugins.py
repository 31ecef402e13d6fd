"""Tests of L{trickster.plugins}."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.entrypoints import Dist, Entry, Graphite
from trickster.errors import BrokenPlugin, UnknownPlugin
from trickster.interfaces import IOriginType
from trickster.plugins import ORIGINS, STORES, Plugins, installed, load


@frozen
class NoDefaults:
    """A key without a default."""

    step: float


def _refuse(*_: object) -> None:
    raise ValueError("no such step")


@frozen
class BadDefault:
    """A key whose default its own validator refuses."""

    step: float = field(default=0.0, validator=_refuse)


@frozen
class Derived:
    """A key, and what is derived from it, which has no default to be given."""

    step: float = 0.0
    double: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "double", 2 * self.step)


class NotOne:
    """Provides nothing."""


@implementer(IOriginType)
class HalfOne:
    """Says that it is an origin type, and has half of what that takes."""

    name = "half"

    def routes(self) -> list[Any]:
        """:return: none."""
        return []


def plugins(*entries: Entry) -> Plugins:
    """:return: as if these were installed as origin types."""
    return Plugins(lambda group: entries if group == ORIGINS else ())  # type: ignore[arg-type,return-value]


def raising(error: BaseException) -> Callable[[], Any]:
    """:return: an import that fails."""
    def imported() -> Any:
        raise error
    return imported


class LoadTests(SynchronousTestCase):
    """Plugins that are loaded by name."""

    def assertRefused(self, error: type[Exception], *entries: Entry, name: str = "graphite") -> str:
        """:return: what is said; the plugin is not loaded."""
        caught = self.assertRaises(error, plugins(*entries).load, ORIGINS, name, IOriginType)
        text = str(caught)
        self.assertNotIn("\n", text)
        return text

    def test_good(self) -> None:
        """A plugin that provides the interface is given as it is."""
        self.assertEqual(
            plugins(Entry("graphite")).load(ORIGINS, "graphite", IOriginType), Graphite())

    def test_lazy(self) -> None:
        """Only the requested plugin is imported, and a list of names imports none."""
        known = plugins(Entry("graphite"), Entry("other", raising(AssertionError())))
        known.load(ORIGINS, "graphite", IOriginType)
        self.assertEqual(known.names(ORIGINS), ["graphite", "other"])
        self.assertEqual(known.names(STORES), [])

    def test_looked_up_once(self) -> None:
        """The installed distributions are read once for each group."""
        asked: list[str] = []
        known = Plugins(lambda group: asked.append(group) or [Entry("graphite")])  # type: ignore[func-returns-value,list-item]
        for _ in range(3):
            known.load(ORIGINS, "graphite", IOriginType)
        self.assertEqual(asked, [ORIGINS])

    def test_unknown(self) -> None:
        """An unknown name is refused with the known names and the near ones."""
        self.assertEqual(
            self.assertRefused(UnknownPlugin, Entry("graphite"), Entry("zabbix"), name="graphit"),
            "no origin type 'graphit' is installed; expected one of graphite, zabbix; "
            "did you mean 'graphite'?")
        self.assertIn("expected one of none", self.assertRefused(UnknownPlugin))

    def test_case(self) -> None:
        """Names are case-sensitive, and a name in another case is a near one."""
        text = self.assertRefused(UnknownPlugin, Entry("graphite"), name="Graphite")
        self.assertIn("did you mean 'graphite'?", text)

    def test_twice(self) -> None:
        """A name that two distributions give, in either case, is refused."""
        other = Entry("Graphite", dist=Dist("elsewhere", "2"))
        for name in ("graphite", "Graphite"):
            text = self.assertRefused(UnknownPlugin, Entry("graphite"), other, name=name)
            self.assertIn("installed more than once: 'Graphite' of elsewhere 2 and "
                          "'graphite' of trickster-graphite 1.2", text)

    def test_built_in_too(self) -> None:
        """A name that a distribution shares with a built-in plugin is refused."""
        ours = Entry("graphite", dist=Dist("txtrickster", "1"))
        self.assertIn("txtrickster 1", self.assertRefused(UnknownPlugin, Entry("graphite"), ours))

    def test_same_twice(self) -> None:
        """A plugin that is found by two ways counts as one."""
        known = plugins(Entry("graphite"), Entry("graphite"))
        self.assertEqual(known.load(ORIGINS, "graphite", IOriginType), Graphite())

    def test_import_error(self) -> None:
        """A plugin that cannot be imported is reported with distribution, place and error."""
        broken = Entry("graphite", raising(ModuleNotFoundError("No module named 'x'")))
        self.assertEqual(
            self.assertRefused(BrokenPlugin, broken),
            "origin type 'graphite' of trickster-graphite 1.2 cannot be imported "
            "(graphite:plugin): ModuleNotFoundError: No module named 'x'")

    def test_any_error(self) -> None:
        """A plugin module may raise any error, over several lines or none."""
        for error in (ValueError("a\n  b"), SystemExit(3), SyntaxError()):
            text = self.assertRefused(BrokenPlugin, Entry("graphite", raising(error)))
            self.assertIn(type(error).__name__, text)

    def test_not_provided(self) -> None:
        """A plugin that does not provide the interface is reported in zope's words."""
        text = self.assertRefused(BrokenPlugin, Entry("graphite", NotOne))
        self.assertIn("is broken", text)
        self.assertIn("IOriginType", text)

    def test_half_provided(self) -> None:
        """All missing members of a plugin are reported at once."""
        text = self.assertRefused(BrokenPlugin, Entry("graphite", HalfOne, None))
        for missing in ("an unknown distribution", "probe", "options", "routes"):
            self.assertIn(missing, text)

    def test_options(self) -> None:
        """The options of a plugin have to be an attrs class with a default for every key."""
        text = self.assertRefused(BrokenPlugin, Entry("graphite", lambda: Graphite("g", dict)))
        self.assertIn("not an attrs class", text)
        text = self.assertRefused(
            BrokenPlugin, Entry("graphite", lambda: Graphite("g", NoDefaults)))
        self.assertIn("no default for step", text)
        text = self.assertRefused(
            BrokenPlugin, Entry("graphite", lambda: Graphite("g", BadDefault)))
        self.assertIn("its options cannot be made: ValueError: no such step", text)
        plugins(Entry("graphite", lambda: Graphite("g", Derived))).load(
            ORIGINS, "graphite", IOriginType)


class InstalledTests(SynchronousTestCase):
    """Plugins that are installed."""

    def test_nothing(self) -> None:
        """A group without entry points is empty."""
        self.assertEqual(installed("trickster.no-such-group"), ())
        self.assertRaises(UnknownPlugin, load, "trickster.no-such-group", "x", IOriginType)
