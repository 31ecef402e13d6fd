"""Real servers for the tests, on loopback, each in a directory of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

REQUIRED = os.environ.get("TRICKSTER_REQUIRE_SERVERS") == "1"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def program(name: str) -> str:
    """
    :return: the path of an installed program.
    :raises SkipTest: it is not installed, and need not be.
    """
    found = shutil.which(name)
    if found is None:
        if REQUIRED:
            raise AssertionError(f"{name} is not installed, and is required here")
        raise unittest.SkipTest(f"{name} is not installed")
    return found


def free_port() -> int:
    """:return: a TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Answer:
    """An HTTP answer, read to its end."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def result(self) -> str:
        """The result header."""
        return str(self.headers.get("X-Trickster-Result", ""))

    @property
    def lookup(self) -> str:
        """The lookup status in the result header."""
        for part in self.result.split("; "):
            if part.startswith("status="):
                return part[len("status="):]
        return ""


def fetch(url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None,
          timeout: float = 60.0) -> Answer:
    """:return: what a server answers, whatever its status."""
    request = urllib.request.Request(url, data, dict(headers or {}))
    try:
        with _OPENER.open(request, timeout=timeout) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


class Server:
    """A process that serves on loopback until it is stopped."""

    def __init__(self, command: Iterable[str], log: Path,
                 environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, **(environment or {})})

    def wait_for(self, url: str, seconds: float = 30.0) -> None:
        """Return once a URL answers 200."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if fetch(url, timeout=5.0).status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        tail = self.log.read_text(errors="replace")[-4000:]
        self.stop()
        raise AssertionError(f"{url} does not answer; the log ends with:\n{tail}")

    def cpu_seconds(self) -> float:
        """:return: user and system time that the process has taken."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self) -> int:
        """:return: the most memory that was resident at a time."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self) -> int:
        """End the process, by force after a while.  :return: its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


class Prometheus(Server):
    """Debian's Prometheus over samples that are written before it starts."""

    def __init__(self, directory: Path, openmetrics: Path | None = None,
                 options: Iterable[str] = (), prefix: Iterable[str] = (), *,
                 configuration: Mapping[str, Any] | None = None) -> None:
        data = directory / "data"
        data.mkdir(parents=True, exist_ok=True)
        if openmetrics is not None:
            subprocess.run([program("promtool"), "tsdb", "create-blocks-from", "openmetrics",
                            str(openmetrics), str(data)], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        file = directory / "prometheus.yml"
        file.write_text(yaml.safe_dump(configuration or {"global": {"scrape_interval": "15s"}}))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__([
            *prefix, program("prometheus"), f"--config.file={file}",
            f"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver",
            "--web.enable-admin-api", "--log.level=warn", *options,
        ], directory / "prometheus.log")
        self.wait_for(f"{self.url}/-/ready")


class Trickster(Server):
    """C{twistd -n trickster} with a configuration."""

    def __init__(self, directory: Path, backends: Mapping[str, Any],
                 more: Mapping[str, Any] | None = None, prefix: Iterable[str] = ()) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port, self.metrics_port, self.mgmt_port = (free_port() for _ in range(3))
        self.url = f"http://127.0.0.1:{self.port}"
        self.metrics_url = f"http://127.0.0.1:{self.metrics_port}"
        self.mgmt_url = f"http://127.0.0.1:{self.mgmt_port}"
        configuration = directory / "trickster.yaml"
        configuration.write_text(yaml.safe_dump({
            "listeners": {
                "default": {"address": "127.0.0.1", "port": self.port},
                "metrics": {"address": "127.0.0.1", "port": self.metrics_port},
                "mgmt": {"address": "127.0.0.1", "port": self.mgmt_port},
            },
            "backends": dict(backends), **(more or {}),
        }))
        super().__init__([
            *prefix, str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile=",
            "trickster", "-c", str(configuration),
        ], directory / "trickster.log")
        self.wait_for(f"{self.url}/trickster/ping")
