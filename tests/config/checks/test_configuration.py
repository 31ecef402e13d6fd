"""Tests of what is checked across the keys of a configuration."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, CheckCase, loaded, problems_of, told_by
from trickster.config.checks.configuration import check
from trickster.config.options.model import Configuration, MainOptions


class MainTests(CheckCase):
    """Keys of C{main}."""

    def test_server_name(self) -> None:
        """A server name that Via cannot have is a problem that names what is sent for it."""
        said = loaded(ONE + "main: {server_name: 'my proxy'}")
        self.assertEqual(said.notices, (
            ("t.yaml:2:8: main.server_name is sent as 'my-proxy', since 'my proxy' is no name for "
            "Via and Forwarded"),))
        self.assertTold(ONE + f"main: {{server_name: {'a b' * 100}}}", "main.server_name: "
                        f"{'a b' * 20 + '...'!r} is too long a name; expected at most 255 characters")
        for name in ("''", "cache-1.example_com"):
            self.assertEqual(loaded(ONE + f"main: {{server_name: {name}}}").notices, ())


    def test_workers(self) -> None:
        """A number of processes that there cannot be is a problem."""
        for said in ("0", "-1", "257", "1.5", "many", "''", "[]"):
            self.assertEqual(len(problems_of(ONE + f"main: {{workers: {said}}}")), 1, said)
        self.assertTold(ONE + "main: {workers: some}", "main.workers: 'some' is no number of "
                        "processes; expected a number from 1 to 256, or auto")
        for said in ("1", "256", "auto", "AUTO", "'2'"):
            self.assertEqual(problems_of(ONE + f"main: {{workers: {said}}}"), (), said)


class NegativeCacheTests(CheckCase):
    """Keys of negative caches."""

    def test_codes(self) -> None:
        """A negative cache has status codes from 400 to 599 only, quoted or not."""
        told = "is not a status code of a failure; expected one from 400 to 599"
        self.assertTold(
            ONE + "negative_caches: {n: {404: 3s, '599': 3s, 200: 3s, 600: 3s, x: 3s}}",
            f"negative_caches.n.200: '200' {told}", f"negative_caches.n.600: '600' {told}",
            f"negative_caches.n.x: 'x' {told}")
        for code in (413, 429, 431):
            self.assertTold(
                ONE + f"negative_caches: {{n: {{{code}: 3s, 400: 3s}}}}",
                f"negative_caches.n.{code}: answers with status {code} are about one request, "
                "and are never kept (RFC 6585, RFC 9110); leave it out")


class TogetherTests(SynchronousTestCase):
    """A file may have many problems."""

    def test_all_at_once(self) -> None:
        """Problems of every kind are reported at once, in the order of the file."""
        problems = problems_of("""\
listners: {}
logging: {log_level: loud}
caches:
  default: {index: {max_size_bytes: -5}}
backends:
  one:
    provider: prometheus
    timeout: 15
    cache_name: nope
    paths:
      - {path: /, methods: GET}
""")
        self.assertEqual([line.split(": ")[:2] for line in problems], [
            ["t.yaml:1:1", "listners"], ["t.yaml:2:22", "logging.log_level"],
            ["t.yaml:4:37", "caches.default.index.max_size_bytes"],
            ["t.yaml:6:3", "backends.one.origin_url"], ["t.yaml:8:14", "backends.one.timeout"],
            ["t.yaml:9:5", "backends.one.cache_name"],
            ["t.yaml:11:28", "backends.one.paths[0].methods"]])

    def test_bounded(self) -> None:
        """The number of problems that are listed is bounded."""
        problems = problems_of(ONE + "\n".join(f"key{n}: 1" for n in range(500)))
        self.assertEqual((len(problems), problems[-1]), (101, "... and 400 more"))


class OptionsTests(SynchronousTestCase):
    """Options that were not read from a file."""

    def test_every_part(self) -> None:
        """All parts of a configuration are checked, though one has a problem."""
        configuration = Configuration(
            main=MainOptions(server_name="a" * 256), negative_caches={"n": {"99": 1.0}})
        told = told_by(check, configuration, lambda name, options: ())
        self.assertEqual([line.split(": ")[0] for line in told],
                         ["backends", "main.server_name", "negative_caches.n.99"])
