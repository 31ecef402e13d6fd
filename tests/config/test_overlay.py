"""Tests of L{trickster.config.overlay}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, loaded, problems_of
from trickster.config.document.parsing import read_yaml
from trickster.config.document.problems import Place, Problems
from trickster.config.document.tree import Scalar, Table
from trickster.config.overlay import FLAGS, overlaid

TWO = """\
backends:
  a: {provider: reverseproxy, origin_url: 'http://a'}
  b: {provider: reverseproxy, origin_url: 'http://b', is_default: true}
"""


class PrecedenceTests(SynchronousTestCase):
    """Flags win over the environment, that over the file, and the file over defaults."""

    def test_ports(self) -> None:
        """A port is the flag's, else the variable's, else the file's, else the default."""
        text = ONE + "frontend: {listen_port: 1}"
        environ, flags = {"TRK_PROXY_PORT": "2"}, {"proxy-port": "3"}
        ports = [each.listeners["default"].port for each in (
            loaded(ONE), loaded(text), loaded(text, environ), loaded(text, environ, flags))]
        self.assertEqual(ports, [8480, 1, 2, 3])

    def test_all_variables(self) -> None:
        """Every variable of the original has its effect."""
        configuration = loaded("", {
            "TRK_ORIGIN_URL": "http://x", "TRK_ORIGIN_TYPE": "prometheus",
            "TRK_PROXY_PORT": "1", "TRK_METRICS_PORT": "2", "TRK_LOG_LEVEL": "DEBUG"})
        backend = configuration.backends["default"]
        self.assertEqual((backend.origin_url, backend.provider, backend.is_default),
                         ("http://x", "prometheus", True))
        self.assertEqual((configuration.listeners["default"].port,
                          configuration.listeners["metrics"].port), (1, 2))
        self.assertEqual(configuration.logging.log_level, "debug")

    def test_instance(self) -> None:
        """The instance number is given by a flag only."""
        self.assertEqual(loaded(ONE, {}, {"instance-id": "4"}).main.instance_id, 4)

    def test_workers(self) -> None:
        """The number of processes is the flag's, else the variable's, else the file's."""
        text, environ, flags = ONE + "main: {workers: 2}", {"TRK_WORKERS": "3"}, {"workers": "auto"}
        self.assertEqual([each.main.workers for each in (
            loaded(ONE), loaded(text), loaded(text, environ), loaded(text, environ, flags))],
            ["1", "2", "3", "auto"])

    def test_empty_variable(self) -> None:
        """An empty variable counts as unset; an empty flag does not."""
        self.assertEqual(loaded(ONE, {"TRK_ORIGIN_URL": ""}).backends["one"].origin_url,
                         "http://prom:9090")
        self.assertIn("origin_url: is missing", problems_of(ONE, {}, {"origin-url": ""})[0])

    def test_which_backend(self) -> None:
        """Backend flags go to the one called default, else the marked one, else the only one."""
        flags = {"origin-url": "http://x"}
        self.assertEqual(loaded(ONE, {}, flags).backends["one"].origin_url, "http://x")
        marked = loaded(TWO, {}, flags).backends
        self.assertEqual([marked["a"].origin_url, marked["b"].origin_url],
                         ["http://a", "http://x"])

    def test_place(self) -> None:
        """A problem of a variable or a flag is reported with its name."""
        self.assertEqual(
            problems_of(ONE, {"TRK_PROXY_PORT": "a"}, {"metrics-port": "99999"}), (
                ("environment variable TRK_PROXY_PORT: listeners.default.port: 'a' is not a "
                "whole number; expected a whole number from 0 to 65535"),
                ("flag -metrics-port: listeners.metrics.port: 99999 is out of range; "
                "expected from 0 to 65535")))


class TreeTests(SynchronousTestCase):
    """The tree of a file with the values of variables and flags."""

    def overlaid(self, text: bytes, environ: dict[str, str], flags: dict[str, str]) -> Table:
        """:return: the tree of a file with these laid over it."""
        problems = Problems()
        tree = read_yaml(text, "t.yaml", problems)
        assert tree is not None
        return overlaid(tree, environ, flags, problems)

    def value(self, tree: Table, *path: str) -> Scalar:
        """:return: what is at a path of the tree."""
        value = tree
        for name in path:
            value = value.entries[name].value  # type: ignore[assignment]
        assert isinstance(value, Scalar)
        return value

    def test_places(self) -> None:
        """A value of a variable or a flag has it as its place; a number is read as one."""
        tree = self.overlaid(b"", {"TRK_METRICS_PORT": "2"}, {"proxy-port": "3"})
        self.assertEqual(self.value(tree, "listeners", "metrics", "port"), Scalar(
            "2", "int", Place("environment variable TRK_METRICS_PORT")))
        self.assertEqual(self.value(tree, "listeners", "default", "port"), Scalar(
            "3", "int", Place("flag -proxy-port")))

    def test_empty(self) -> None:
        """An empty variable leaves the tree as it is; an empty flag sets an empty value."""
        tree = self.overlaid(b"", {"TRK_LOG_LEVEL": ""}, {})
        self.assertEqual(tree.entries, {})
        tree = self.overlaid(b"", {"TRK_LOG_LEVEL": "warn"}, {"log-level": ""})
        self.assertEqual(self.value(tree, "logging", "log_level").text, "")

    def test_nothing(self) -> None:
        """Without variables and flags, the tree is the very tree of the file."""
        problems = Problems()
        tree = read_yaml(TWO.encode(), "t.yaml", problems)
        assert tree is not None
        self.assertIs(overlaid(tree, {}, {}, problems), tree)
        self.assertIn("origin-url", FLAGS)
