"""Tests of L{trickster.worker}."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.workers.plans import ALL
from trickster.config.options.model import Configuration
from trickster.errors import ConfigurationError
from trickster.plugins import Plugins
from trickster.worker import Supervised, assigned, configuration_of
from trickster.workers.assignment import Assignment

TOLD = Assignment(2, 2, "t.yaml", files={"t.yaml": ALL.encode()},
                  own={"metrics": "/run/metrics-1", "mgmt": "/run/mgmt-1"})


class ConfigurationTests(SynchronousTestCase):
    """The configuration of a worker."""

    def configuration(self, told: Assignment = TOLD, files: dict[str, bytes] | None = None,
                      **environ: str) -> Configuration:
        """
        :param files: what is in the place of files now.
        :return: of a worker that is told this.
        """
        def read(path: str) -> bytes:
            if path not in (files or {}):
                raise FileNotFoundError(2, "No such file or directory", path)
            return (files or {})[path]
        return configuration_of(told, environ, Plugins(), read)

    def test_as_read(self) -> None:
        """It is made of what the supervisor has read, whatever has become of the file."""
        for files in ({}, {"t.yaml": b"main: {server_name: other}\n"}):
            self.assertEqual(self.configuration(files=files).main.server_name, "")

    def test_not_read(self) -> None:
        """What the supervisor has not read is read now."""
        told = evolve(TOLD, files={})
        self.assertRaises(ConfigurationError, self.configuration, told)
        self.assertEqual(self.configuration(told, {"t.yaml": ALL.encode()}).main.workers, "2")

    def test_was_not_there(self) -> None:
        """A file that was not there for the supervisor is not there for a worker that comes later."""
        default = "/etc/trickster/trickster.yaml"
        flags = {"origin-url": "http://127.0.0.1:9090", "provider": "prometheus", "workers": "2"}
        told = Assignment(2, 2, flags=flags, files={default: None})
        made = self.configuration(told, {default: b"main: {server_name: other}\n"})
        self.assertEqual((made.main.server_name, made.source), ("", ""))
        self.assertEqual(made.backends["default"].origin_url, "http://127.0.0.1:9090")

    def test_beside(self) -> None:
        """Files that have come beside it since are none of its problems."""
        more = Path(self.mktemp()) / "conf.d"
        more.mkdir(parents=True)
        (more / "more.yaml").touch()
        path = str(more.parent / "t.yaml")
        told = evolve(TOLD, path=path, files={path: ALL.encode()})
        self.assertEqual(self.configuration(told).main.workers, "2")

    def test_environment(self) -> None:
        """Flags and environment count as they do for the supervisor."""
        told = evolve(TOLD, flags={"log-level": "debug"})
        made = self.configuration(told, TRK_LOG_LEVEL="error", TRK_PROXY_PORT="99")
        self.assertEqual((made.logging.log_level, made.listeners["default"].port), ("debug", 99))

    def test_share(self) -> None:
        """It has its share of what the installation may have."""
        whole, share = (self.configuration(evolve(TOLD, workers=count)) for count in (1, 2))
        self.assertEqual(share.listeners["default"].connections_limit,
                         -(-whole.listeners["default"].connections_limit // 2))

    def test_memory(self) -> None:
        """The memory of a cache is a file where the supervisor says so, and nothing else changes."""
        told = evolve(TOLD, files={"t.yaml": (ALL + "caches: {a: {memory: {max_size_bytes: 9}}}\n"
                                              ).encode()}, memory={"a": "/run/a.memory"})
        made = self.configuration(told)
        plugin: Any = made.caches["a"].plugin
        self.assertEqual((plugin.file, plugin.max_size_bytes), ("/run/a.memory", 9))
        other: Any = made.caches["default"].plugin
        self.assertEqual(other.file, "")

    def test_log(self) -> None:
        """It logs for the supervisor, whatever the file, the level and the form of the log are."""
        text = ALL.replace("main: {", "main: {instance_id: 3, ") + (
            "logging: {log_file: /var/log/t.log, log_level: warn, format: json}\n")
        made = self.configuration(evolve(TOLD, files={"t.yaml": text.encode()}))
        self.assertEqual((made.logging.log_file, made.logging.log_level, made.logging.format,
                          made.main.instance_id), ("-", "warn", "json", 0))

    def test_middlewares(self) -> None:
        """Those around the endpoints of the process are the supervisor's; others are its own."""
        text = ALL.replace("port: 1", "port: 1, middlewares: [m]").replace(
            "port: 3", "port: 3, middlewares: [m]") + "middlewares: {m: {kind: rewriting}}\n"
        made = self.configuration(evolve(TOLD, files={"t.yaml": text.encode()}))
        self.assertEqual([made.listeners[name].middlewares for name in ("default", "metrics")],
                         [("m",), ()])


class AssignedTests(SynchronousTestCase):
    """What a worker is told at its start."""

    def told(self, *pieces: bytes) -> Assignment:
        """:return: what is read of these pieces, and the end."""
        left = [*pieces, b""]
        return assigned(lambda descriptor, most: left.pop(0))

    def test_pieces(self) -> None:
        """The line may come in pieces."""
        line = TOLD.encoded()
        self.assertEqual(self.told(line), TOLD)
        self.assertEqual(self.told(line[:5], line[5:-1], line[-1:]), TOLD)

    def test_no_supervisor(self) -> None:
        """Without a supervisor the process ends, and says what to do instead."""
        for pieces in ((), (b'{"number": 1',), (b"x" * (33 << 20),) * 3):
            error = self.assertRaises(SystemExit, self.told, *pieces)
            self.assertIn("set main.workers", str(error.code))


class SupervisedTests(SynchronousTestCase):
    """A worker that the supervisor has no more use for."""

    def setUp(self) -> None:
        """Have one."""
        self.calls: list[str] = []
        self.coming = [b"x", b"y", b""]
        self.supervised = Supervised(
            MemoryReactorClock(),
            {order: partial(self.calls.append, order) for order in ("give way", "end", "hurry")},
            lambda descriptor, most: self.coming.pop(0))

    def test_over(self) -> None:
        """It ends with the pipe to the supervisor."""
        self.assertEqual(self.supervised.fileno(), 0)
        for _ in range(2):
            self.assertIsNone(self.supervised.doRead())
        reason = self.supervised.doRead()
        assert reason is not None
        self.assertTrue(reason.check(ConnectionDone))
        self.assertEqual(self.calls, [])
        self.supervised.connectionLost(reason)
        self.assertEqual(self.calls, ["end"])

    def test_orders(self) -> None:
        """It does what it is told, in however many pieces; what is no order is not looked at."""
        self.coming = [b"give", b" way", b"\n", b"give wax\n", b"end\nhurry\nhu", b"rry\n",
                       bytes(10_000), b"\nend\n"]
        told = []
        while self.coming:
            self.supervised.doRead()
            told.append(len(self.calls))
        self.assertEqual(told, [0, 0, 1, 1, 3, 4, 4, 5])
        self.assertEqual(self.calls, ["give way", "end", "hurry", "hurry", "end"])
