"""Tests of L{trickster.config.load}."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import (
    ONE,
    PLUGINS,
    MemoryLike,
    PrometheusLike,
    loaded,
    problems_of,
    with_backend,
)
from trickster.config.load import DEFAULT_FILE, RecordingReader, Sources, load
from trickster.config.options.caches import CacheOptions
from trickster.errors import ConfigurationError


class DefaultTests(SynchronousTestCase):
    """Defaults of a configuration."""

    def test_listeners(self) -> None:
        """Three listeners are built in, on the original's ports."""
        found = {name: (each.address, each.port) for name, each in loaded(ONE).listeners.items()}
        self.assertEqual(found, {
            "default": ("", 8480), "metrics": ("", 8481), "mgmt": ("127.0.0.1", 8484)})

    def test_listener_of_other_keys(self) -> None:
        """Giving another key of a built-in listener leaves its port and address."""
        configuration = loaded(ONE + "listeners: {mgmt: {connections_limit: 5}, metrics: }")
        mgmt = configuration.listeners["mgmt"]
        self.assertEqual((mgmt.address, mgmt.port, mgmt.connections_limit),
                         ("127.0.0.1", 8484, 5))
        self.assertEqual(configuration.listeners["metrics"].port, 8481)

    def test_caches(self) -> None:
        """There are a memory cache and an empty negative cache, called default."""
        configuration = loaded(ONE)
        self.assertEqual(configuration.caches, {"default": CacheOptions(plugin=MemoryLike())})
        self.assertEqual(configuration.negative_caches, {"default": {}})

    def test_only_backend(self) -> None:
        """The only backend is the default one, unless it says that it is not."""
        self.assertTrue(loaded(ONE).backends["one"].is_default)
        self.assertIs(loaded(with_backend("is_default: false")).backends["one"].is_default, False)

    def test_backend_called_default(self) -> None:
        """Of several, the one called default is, where none says so."""
        two = ("backends: {a: {provider: reverseproxy, origin_url: 'http://a'}, "
               "default: {provider: reverseproxy, origin_url: 'http://b'%s}}")
        self.assertEqual([b.is_default for b in loaded(two % "").backends.values()],
                         [False, True])
        other = loaded((two % "").replace("'http://a'", "'http://a', is_default: true"))
        self.assertEqual([b.is_default for b in other.backends.values()], [True, False])

    def test_original_values(self) -> None:
        """The defaults that users of the original rely on are its own."""
        one = loaded(ONE).backends["one"]
        self.assertEqual(
            (one.timeout, one.max_ttl, one.timeseries_ttl, one.timeseries_retention_factor,
             one.max_object_size_bytes, one.fastforward_ttl, one.forwarded_headers),
            (60.0, 90_000.0, 21_600.0, 1024, 524_288, 15.0, "standard"))


class PluginBlockTests(SynchronousTestCase):
    """A backend has a block named like its provider."""

    def test_structured(self) -> None:
        """The provider's block becomes an instance of the origin type's own options class."""
        one = loaded(with_backend("prometheus: {labels: {a: b}, instant_round: 1m}")).backends
        self.assertEqual(one["one"].plugin, PrometheusLike(labels={"a": "b"}, instant_round=60.0))

    def test_partial(self) -> None:
        """A key that the block does not give keeps its default: it is not zero."""
        one = loaded(with_backend("prometheus: {labels: {a: b}}")).backends["one"]
        self.assertEqual(one.plugin.instant_round, 15.0)

    def test_problems(self) -> None:
        """Problems of the provider's block, its own validators' too, have places."""
        self.assertEqual(
            problems_of("backends:\n one:\n  provider: prometheus\n  origin_url: http://a\n"
                        "  prometheus:\n   lables: {}\n   instant_round: 0\n"),
            ("t.yaml:5:3: backends.one.prometheus: instant_round must be at least 1s",
             "t.yaml:6:4: backends.one.prometheus.lables: unknown key; did you mean 'labels'?"))

    def test_other_provider(self) -> None:
        """The block of another provider is an unknown key, but for those of the original."""
        (problem,) = problems_of(with_backend("graphite: {}"))
        self.assertIn("backends.one.graphite: unknown key", problem)
        self.assertIn("backends.one.influxdb is ignored",
                      loaded(with_backend("influxdb: {}")).notices[0])

    def test_misspelt_block(self) -> None:
        """The name of a plugin's block is among those that a key is taken for."""
        for text, name in (
                (with_backend("promethus: {}"), "prometheus"),
                (with_backend("") + "middlewares: {m: {kind: rewriting, rewritting: {}}}",
                 "rewriting")):
            (problem,) = problems_of(text)
            self.assertIn(f"unknown key; did you mean '{name}'?", problem)

    def test_unknown_provider(self) -> None:
        """A provider that is not installed is reported at its name, and not at its block."""
        self.assertEqual(
            problems_of("backends: {a: {provider: graphite, origin_url: 'http://a', "
                        "graphite: {x: 1}}}"),
            ("t.yaml:1:26: backends.a.provider: no origin type 'graphite'",))

    def test_store(self) -> None:
        """A cache's block goes to its store's options class, in the same way."""
        cache = loaded(ONE + "caches: {big: {memory: {max_size_bytes: 1GiB}}}").caches["big"]
        self.assertEqual(cache.plugin, MemoryLike(max_size_bytes=1 << 30))

    def test_unknown_store(self) -> None:
        """An unknown store is a problem."""
        self.assertEqual(problems_of(ONE + "caches: {c: {provider: rdis}}"),
                         ("t.yaml:2:24: caches.c.provider: no store 'rdis'",))


class NoticeTests(SynchronousTestCase):
    """Keys that are accepted without effect."""

    def test_nothing_to_say(self) -> None:
        """A file of effective keys has no notices."""
        self.assertEqual(loaded(ONE).notices, ())

    def test_one_line(self) -> None:
        """All keys that are not yet effective are named in one line."""
        text = (with_backend("cors: {mode: merge, headers: {Access-Control-Max-Age: '1'}}, "
                             "latency_min: 1s") + "tracing: {a: {provider: stdout}}")
        self.assertEqual(loaded(text).notices, (
            ("accepted, but not yet effective in this release: tracing, backends.one.cors, "
            "backends.one.latency_min"),))

    def test_defaults(self) -> None:
        """A key without effect whose value is the default has no notice."""
        text = (with_backend("cors: {mode: preserve}, latency_min: 0s, authenticator_name: '', "
                             "require_tls: false, tls: {private_key_path: ''}, alb: , "
                             "paths: [{path: /, authenticator_name: none}]")
                + "tracing: {default: {}, a: {provider: none}}\nrules: {}\n"
                "listeners: {default: {tls_port: 8483}, metrics: {tls_port: 0}}\n"
                "caches: {default: {redis: {endpoint: 'redis:6379'}, use_cache_chunking: no}}\n")
        self.assertEqual(loaded(text).notices, ())

    def test_all_in_one_line(self) -> None:
        """Backends that are not there yet are named in the same line as keys."""
        text = (with_backend("latency_min: 1s").replace("backends", "origins")[:-2]
                + ", all: {is_default: true, origin_type: alb, alb: {pool: [one]}}}")
        self.assertEqual(loaded(text).notices, ((
            "accepted, but not yet effective in this release: origins.one.latency_min, "
            "origins.all.alb, "
            "origins.all.origin_type alb (the backend is not served, though it is the default "
            "one)"),))

    def test_known_origin(self) -> None:
        """A backend whose known origin type is not installed is proxied, with a notice."""
        configuration = loaded(
            "backends: {i: {provider: influxdb, origin_url: 'http://i:8086', "
            "paths: [{path: /query, handler: query}]}}")
        backend = configuration.backends["i"]
        self.assertEqual((backend.provider, backend.origin_type), ("influxdb", "reverseproxy"))
        self.assertIn("proxied, and nothing of it is cached", configuration.notices[0])

    def test_other_stores(self) -> None:
        """The block of a store that is not used is read, and told where it says something."""
        text = ONE + "caches: {r: {provider: filesystem, memory: {num_counters: %s}}}"
        self.assertEqual(loaded(text % "500000").notices, ())
        (notice,) = loaded(text % "7").notices
        self.assertIn("caches.r.memory is ignored: it is for provider memory", notice)
        (problem,) = problems_of(text % "x")
        self.assertIn("caches.r.memory.num_counters", problem)

    def test_virtual_backends(self) -> None:
        """Pools and rules are read, and named as not served."""
        text = ("backends: {one: {provider: prometheus, origin_url: 'http://a'}, "
                "pool: {provider: alb, alb: {mechanism: tsm, pool: [one]}}}")
        configuration = loaded(text)
        self.assertTrue(configuration.backends["pool"].is_virtual)
        self.assertIn("backends.pool.provider alb (the backend is not served)",
                      configuration.notices[0])

    def test_types(self) -> None:
        """Keys without effect are checked all the same."""
        (problem,) = problems_of(with_backend("latency_min: soon"))
        self.assertIn("backends.one.latency_min: 'soon' is not a duration", problem)


class SourceTests(SynchronousTestCase):
    """Where a configuration comes from."""

    def test_default_file(self) -> None:
        """Where no file is named, the usual one is read."""
        asked: list[str] = []

        def read(path: str) -> bytes:
            asked.append(path)
            return ONE.encode()

        configuration = load(Sources(), PLUGINS, read)
        self.assertEqual((asked, configuration.source), ([DEFAULT_FILE], DEFAULT_FILE))

    def test_no_file(self) -> None:
        """Without the usual file there are defaults, and flags make the backend."""
        flags = {"origin-url": "http://prom:9090", "provider": "prometheus"}
        configuration = load(Sources(flags=flags), PLUGINS, self._absent)
        self.assertEqual(configuration.backends["default"].origin_url, "http://prom:9090")
        self.assertEqual(configuration.source, "")

    def test_nothing_at_all(self) -> None:
        """A start without a file and without flags is refused, with the ways to configure it."""
        error = self.assertRaises(ConfigurationError, load, Sources(), PLUGINS, self._absent)
        self.assertIn("there is no backend", error.problems[0])
        self.assertIn("-origin-url", error.problems[0])
        self.assertIn(DEFAULT_FILE, error.problems[0])

    def _absent(self, path: str) -> bytes:
        raise FileNotFoundError(2, "No such file or directory")

    def test_named_file_missing(self) -> None:
        """A file that was named must be there, and must be a file."""
        error = self.assertRaises(
            ConfigurationError, load, Sources("x.yaml"), PLUGINS, self._absent)
        self.assertEqual(error.problems, ("x.yaml: no such file",))
        error = self.assertRaises(ConfigurationError, load, Sources(self.mktemp()), PLUGINS)
        self.assertIn("no such file", error.problems[0])

    def test_directory(self) -> None:
        """A directory is refused by saying that it is not supported yet."""
        path = self.mktemp()
        Path(path).mkdir()
        error = self.assertRaises(ConfigurationError, load, Sources(path), PLUGINS)
        self.assertIn("is a directory", error.problems[0])

    def test_unreadable(self) -> None:
        """Any other failure says what the system says."""
        def read(path: str) -> bytes:
            raise PermissionError(13, "Permission denied")

        error = self.assertRaises(ConfigurationError, load, Sources("x.yaml"), PLUGINS, read)
        self.assertEqual(error.problems, ("x.yaml: cannot be read: Permission denied",))

    def test_absolute(self) -> None:
        """The file's path is remembered so that it holds after a daemon's chdir."""
        self.assertEqual(loaded(ONE).source, str(Path("t.yaml").absolute()))

    def test_broken_yaml_alone(self) -> None:
        """A file that is no YAML has no problems beside that one."""
        self.assertEqual(len(problems_of("backends: [")), 1)

    def test_duplicates_among_others(self) -> None:
        """A key given twice is reported together with all other problems."""
        problems = problems_of(ONE + "logging: {log_level: info, log_level: info}\nfoo: 1\n")
        self.assertEqual([p.split(": ")[1] for p in problems], ["logging.log_level", "foo"])


class RecordingReaderTests(SynchronousTestCase):
    """Files that are read once."""

    def setUp(self) -> None:
        """Have one file."""
        self.files = {"a": b"1"}
        self.asked: list[str] = []

    def read(self, path: str) -> bytes:
        """
        Read a file.

        :raises OSError: it cannot be read.
        """
        self.asked.append(path)
        if path == "locked":
            raise PermissionError(13, "Permission denied", path)
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.files[path]

    def test_once(self) -> None:
        """A file is read once, and has the same octets from then on."""
        reader = RecordingReader(self.read)
        for _ in range(2):
            self.assertEqual(reader("a"), b"1")
            self.files["a"] = b"2"
        self.assertEqual((reader.files, self.asked), ({"a": b"1"}, ["a"]))

    def test_absent(self) -> None:
        """A file that was not there is not there from then on."""
        reader = RecordingReader(self.read)
        for _ in range(2):
            error = self.assertRaises(FileNotFoundError, reader, "b")
            self.assertEqual(error.filename, "b")
            self.files["b"] = b"2"
        self.assertEqual((reader.files, self.asked), ({"b": None}, ["b"]))

    def test_unreadable(self) -> None:
        """A file that cannot be read for another reason is tried again."""
        reader = RecordingReader(self.read)
        for _ in range(2):
            self.assertRaises(PermissionError, reader, "locked")
        self.assertEqual((reader.files, self.asked), ({}, ["locked"] * 2))

    def test_known(self) -> None:
        """What another process has read is not read at all."""
        reader = RecordingReader(self.read, {"a": b"3", "c": None})
        self.assertEqual(reader("a"), b"3")
        self.assertRaises(FileNotFoundError, reader, "c")
        self.assertEqual(self.asked, [])
