"""Every way to start Trickster, and what is said when it cannot."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.servers import fetch, free_port
from tests.end_to_end.talking import Talk
from tests.end_to_end.waiting import PATIENCE
from trickster.frontend.listening.addresses import has_ipv6

BIN = Path(sys.executable).parent


class RunFormTests(SynchronousTestCase):
    """The commands of the README."""

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp(dir=self.mktemp_parent()))
        self.port, self.metrics = free_port(), free_port()
        self.file = self.root / "conf.yaml"
        self.file.write_text(
            f"frontend: {{listen_address: 127.0.0.1, listen_port: {self.port}}}\n"
            f"metrics: {{listen_address: 127.0.0.1, listen_port: {self.metrics}}}\n"
            "mgmt: {listen_port: 0}\n"
            "backends: {p: {provider: prometheus, origin_url: 'http://127.0.0.1:1'}}\n")

    def mktemp_parent(self) -> str:
        parent = Path(self.mktemp())
        parent.mkdir(parents=True)
        return str(parent.resolve())

    def start(self, *command: str,
              environ: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.root / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(BIN / command[0]), *command[1:]], cwd=self.root, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**os.environ, **(environ or {})})
        self.addCleanup(self.end, process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> int:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        return process.wait(PATIENCE)

    def wait_for_ping(self, port: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.assertEqual(fetch(f"http://127.0.0.1:{port}/trickster/ping").body, b"pong")
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def wait_until_free(self, port: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return
                except OSError:
                    time.sleep(0.2)

    def run_to_end(self, *command: str) -> tuple[int, str, str]:
        done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=self.root, timeout=PATIENCE,
                              check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def assert_serves(self, *command: str) -> None:
        process = self.start(*command)
        self.wait_for_ping(self.port)
        self.assert_ended_well(process)

    def assert_ended_well(self, process: subprocess.Popen[bytes]) -> None:
        # Twisted ends by the signal that it was told to stop with, once all is closed.
        self.assertIn(self.end(process), (0, -signal.SIGTERM))
        self.assertNotIn("Traceback", (self.root / "log").read_text())

    def test_twistd_in_the_foreground(self) -> None:
        """C{twistd -n trickster -c conf.yaml} serves until it is stopped."""
        self.assert_serves("twistd", "-n", "--pidfile=", "trickster", "-c", str(self.file))

    def test_twist(self) -> None:
        """C{twist trickster} serves until it is stopped."""
        self.assert_serves("twist", "trickster", "--config", str(self.file))

    def test_first_line(self) -> None:
        """The log begins with what runs, its file, its backends and its listeners."""
        told = (rf"Trickster \S+ serves; configuration: {re.escape(str(self.file))}; "
                rf"backends: p \(prometheus, http://127.0.0.1:1\); listeners: "
                rf"default 127.0.0.1:{self.port}, metrics 127.0.0.1:{self.metrics}")
        own = self.root / "own.log"
        for command in (("twistd", "-n", "--pidfile=", "trickster", "-c"),
                        ("twist", "--log-format=text", "trickster", "-c"),
                        ("trickster", "-config")):
            with self.subTest(command=command):
                process = self.start(*command, str(self.file))
                self.wait_for_ping(self.port)
                self.assert_ended_well(process)
                log = (self.root / "log").read_text()
                self.assertRegex(log, told)
                if command[0] == "trickster":
                    self.assertRegex(log.splitlines()[0], told)
        with self.file.open("a") as file:
            file.write(f"logging: {{log_file: {own}}}\n")
        for command in (("twistd", "-n", "--pidfile=", "trickster", "-c"),
                        ("twist", "trickster", "-c"), ("trickster", "-config")):
            with self.subTest(command=command, log_file=own):
                own.unlink(missing_ok=True)
                process = self.start(*command, str(self.file))
                self.wait_for_ping(self.port)
                self.assert_ended_well(process)
                self.assertRegex(own.read_text().splitlines()[0], told)

    def test_a_log_that_is_not_read(self) -> None:
        """Log lines to a pipe that is not read are dropped and counted."""
        with self.file.open("a") as file:
            file.write("logging: {access_log: true}\n")
        for command in (("twistd", "-n", "--pidfile=", "trickster", "-c"),
                        ("twistd", "-n", "--pidfile=", "--logfile=-", "trickster", "-c"),
                        ("twist", "trickster", "-c"), ("trickster", "-config")):
            with self.subTest(command=command):
                self.unread(str(BIN / command[0]), *command[1:], str(self.file))

    def unread(self, *command: str) -> None:
        process = subprocess.Popen(command, cwd=self.root, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, process)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.wait_for_ping(self.port)
        talk = Talk(self.port)
        self.addCleanup(talk.close)
        # More than the pipe holds, and than what is kept for later.
        for _ in range(2500):
            talk.asked("/p/x?" + "y" * 2000)
        read = bytearray()
        deadline = time.monotonic() + PATIENCE
        while b"log lines were dropped" not in read and time.monotonic() < deadline:
            if select.select([process.stdout], [], [], 0.5)[0]:
                read += os.read(process.stdout.fileno(), 1 << 20)
        self.assertTrue(b"log lines were dropped" in read, read[-300:])
        self.wait_for_ping(self.port)
        process.send_signal(signal.SIGTERM)
        while os.read(process.stdout.fileno(), 1 << 20):
            pass
        process.wait(PATIENCE)

    def test_a_log_file_that_is_emptied(self) -> None:
        """A log file has no hole after C{copytruncate}."""
        own = self.root / "own.log"
        with self.file.open("a") as file:
            file.write(f"logging: {{log_file: {own}, access_log: true}}\n")
        process = self.start("trickster", "-config", str(self.file))
        self.wait_for_ping(self.port)
        for _ in range(2):
            fetch(f"http://127.0.0.1:{self.port}/p/marked")
            deadline = time.monotonic() + PATIENCE
            while "marked" not in own.read_text() and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertIn("marked", own.read_text())
            self.assertNotIn("\0", own.read_text())
            os.truncate(own, 0)
        self.assert_ended_well(process)

    def test_hang_up(self) -> None:
        """SIGHUP ends nothing, and is logged as changing nothing."""
        process = self.start("trickster", "-config", str(self.file))
        self.wait_for_ping(self.port)
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE
        while "SIGHUP" not in (self.root / "log").read_text():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.wait_for_ping(self.port)
        self.assert_ended_well(process)

    def test_console_script(self) -> None:
        """SIGHUP does not end C{trickster}, whose flags may have one dash, as Trickster's do."""
        self.assert_serves("trickster", "-config", str(self.file))

    def test_no_file(self) -> None:
        """An origin and a provider are enough to start, and flags override the environment."""
        self.wait_until_free(8484)  # of mgmt, which no flag moves
        taken = str(free_port())
        process = self.start(
            "trickster", "-origin-url", "http://127.0.0.1:1", "-provider", "prometheus",
            "--proxy-port", str(self.port), "-metrics-port", str(self.metrics),
            environ={"TRK_PROXY_PORT": taken})
        self.wait_for_ping(self.port)
        self.assert_ended_well(process)

    def test_daemon(self) -> None:
        """C{twistd} daemonises, writes its pid, and stops on SIGTERM."""
        pidfile = self.root / "twistd.pid"
        code, _, err = self.run_to_end(
            "twistd", f"--pidfile={pidfile}", f"--logfile={self.root}/log", "trickster", "-c",
            str(self.file))
        self.assertEqual(code, 0, err)
        self.wait_for_ping(self.port)
        os.kill(int(pidfile.read_text()), signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while pidfile.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertFalse(pidfile.exists())

    def test_port_taken(self) -> None:
        """A port in use is named on standard error, also when daemonising."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            for form in (["twistd", "-n", "--pidfile="], ["twistd", "--pidfile=x.pid"],
                         ["twist"]):
                self.assert_refused([*form, "trickster", "-c", str(self.file)], str(self.port))
            self.assert_refused(["trickster", "-config", str(self.file)], str(self.port))

    def test_bad_file(self) -> None:
        """Every form reports all problems of a file with their places."""
        self.file.write_text("backends:\n  p:\n    provider: prometeus\n    origin_ulr: x\n")
        for form in (["twistd", "-n", "--pidfile=", "trickster", "-c"],
                     ["twistd", "--pidfile=x.pid", "trickster", "-c"],
                     ["trickster", "-validate-config", "-config"]):
            told = self.assert_refused([*form, str(self.file)], "prometheus")
            self.assertRegex(told, re.escape(str(self.file)) + r":3:\d+")
            self.assertRegex(told, re.escape(str(self.file)) + r":4:\d+.*origin_url")
            self.assertNotIn("Traceback", told)

    def test_missing_file(self) -> None:
        """A named file that does not exist is an error."""
        self.assert_refused(["trickster", "-config", "nowhere.yaml"], "nowhere.yaml")

    def assert_refused(self, command: Sequence[str], told: str) -> str:
        code, _, err = self.run_to_end(*command)
        self.assertEqual(code, 1, err)
        self.assertIn(told, err)
        return err

    def test_misuse(self) -> None:
        """An unknown flag is a usage error on standard error, in every form."""
        for form in (["trickster"], ["twistd", "-n", "--pidfile=", "trickster"],
                     ["twist", "trickster"]):
            for words in (["-frob"], ["--config"], ["word"]):
                code, out, err = self.run_to_end(*form, *words)
                self.assertEqual((code, out), (2, ""), err)
                self.assertIn("trickster: ", err)
                self.assertNotIn("Traceback", err)

    def test_good_ends(self) -> None:
        """Help, version and a valid configuration exit with 0, in every form."""
        for form in (["trickster"], ["twistd", "-n", "--pidfile=", "trickster"],
                     ["twist", "trickster"]):
            for words, told in ((["--help"], "--validate-config"), (["--version"], "trickster "),
                                (["--validate-config", "--config", str(self.file)], "is valid")):
                code, out, err = self.run_to_end(*form, *words)
                self.assertEqual(code, 0, err)
                self.assertIn(told, out)

    def test_all_addresses(self) -> None:
        """An empty address listens on all addresses of IPv4 and, if available, IPv6."""
        self.file.write_text(self.file.read_text().replace(
            f"{{listen_address: 127.0.0.1, listen_port: {self.port}}}",
            f"{{listen_address: '', listen_port: {self.port}}}"))
        process = self.start("trickster", "-config", str(self.file))
        self.wait_for_ping(self.port)
        if has_ipv6():
            answer = fetch(f"http://[::1]:{self.port}/trickster/ping")
            self.assertEqual(answer.body, b"pong")
        self.assert_refused(["trickster", "-config", str(self.file)], str(self.port))
        self.assert_ended_well(process)

    def test_validate_and_version(self) -> None:
        """A good file validates, and the version is printed."""
        code, out, _ = self.run_to_end("trickster", "-validate-config", "-config", str(self.file))
        self.assertEqual(code, 0)
        self.assertIn("valid", out)
        code, out, _ = self.run_to_end("trickster", "-version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"trickster \d")
