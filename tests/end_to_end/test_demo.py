"""C{python -m demo}, as C{make demo} runs it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.servers import heeding_interrupts

ROOT = Path(__file__).resolve().parents[2]
#: Seconds, on a machine that has much else to do.
PATIENCE = 120


def command(*arguments: str) -> list[str]:
    """:return: the command line."""
    return [sys.executable, "-m", "demo", *arguments]


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demonstration, and kill it in the end if it is still there."""
    with heeding_interrupts(), subprocess.Popen(
            command(*arguments), cwd=ROOT, text=True, env=environment(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=PATIENCE)


def environment() -> dict[str, str]:
    """:return: ours, without what would change the demonstration."""
    return {name: value for name, value in os.environ.items() if name != "SECONDS"}


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """:return: what is written up to the line that has this text."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} was never written: {seen}")


def is_listening(port: int) -> bool:
    """:return: whether a process listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class DemoTests(SynchronousTestCase):
    """The whole demonstration, with Trickster as a real service."""

    def test_ends_by_itself(self) -> None:
        """
        With a duration the demonstration ends by itself, with equal responses and fewer points.
        """
        arguments = ("--seconds", "5", "--refresh", "0.5", "--span", "3600")
        done = subprocess.run(command(*arguments), cwd=ROOT, text=True,
                              env=environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        equal = re.search(r"answers equal: (\d+) of (\d+)", done.stdout)
        assert equal is not None, done.stdout
        self.assertGreaterEqual(int(equal[1]), 12)
        self.assertEqual(equal[1], equal[2])
        self.assertRegex(done.stdout, r"cache statuses: .*kmiss 12")
        points = re.search(r"points asked of the origin +([\d,]+) +([\d,]+)", done.stdout)
        assert points is not None, done.stdout
        direct, through = (int(text.replace(",", "")) for text in points.groups())
        self.assertGreater(direct, through)

    def test_serves_until_interrupted(self) -> None:
        """Without a duration the demonstration serves until Ctrl-C, and leaves nothing behind."""
        with running("--refreshes", "1", "--span", "600") as process:
            seen = read_until(process, "Still serving")
            urls = re.findall(r"http://127\.0\.0\.1:(\d+)(\S*)", seen)
            for port, path in urls:
                if not path.startswith("/api"):
                    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
                        self.assertEqual(answer.status, 200)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 0)
        self.assertEqual([port for port, _ in urls if is_listening(int(port))], [])

    def test_terminated_in_the_middle(self) -> None:
        """SIGTERM ends the demonstration at any time, with a table and without leftovers."""
        with running("--refresh", "0.1", "--refreshes", "1000") as process:
            seen = read_until(process, "refresh   1")
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 0, rest)
        self.assertIn("answers equal", rest)
        front = re.search(r"in front of it +http://127\.0\.0\.1:(\d+)", seen)
        assert front is not None, seen
        self.assertFalse(is_listening(int(front[1])))

    def test_port_taken(self) -> None:
        """A port that another process uses is a failure with a message."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            done = subprocess.run(
                command("--seconds", "5", "--port", port), cwd=ROOT, text=True,
                env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(port, done.stdout)
