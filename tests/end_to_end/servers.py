"""Real servers for the tests, on loopback, each in a directory of its own."""

from __future__ import annotations

import atexit
import itertools
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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REQUIRED = os.environ.get("TRICKSTER_REQUIRE_SERVERS") == "1"
TWISTD = ("twistd", "-n", "--pidfile=", "trickster", "-c")
CONSOLE = ("trickster", "-config")
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


# Below the ports that the system gives to connections, and to those that ask for any port;
# and each process of tests on the machine has its own, so that none gets what another has just
# let go.
_FIRST_PORT, _PORTS_A_PROCESS, _MOST_PROCESSES = 12_000, 1_200, 16
_ports = itertools.count()


def free_port() -> int:
    """:return: a TCP port that is free, and that no other test will take."""
    first = _first_port()
    for _ in range(_PORTS_A_PROCESS):
        port = first + next(_ports) % _PORTS_A_PROCESS
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("there is no free port")


@cache
def _first_port() -> int:
    """:return: of the ports that are for this process, which has them until it ends."""
    claim = socket.socket(socket.AF_UNIX)
    atexit.register(claim.close)
    for number in reversed(range(_MOST_PROCESSES)):
        with suppress(OSError):
            # A name without a file: it is let go with the process, however that ends.
            claim.bind(f"\0trickster-tests-{number}")
            return _FIRST_PORT + number * _PORTS_A_PROCESS
    raise AssertionError("too many tests run at a time")


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """
    Have SIGINT heeded by this process, for those that it starts meanwhile to inherit: what is
    run in the background of a script ignores it, and so do its children.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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
    """:return: what a server answers, with any status."""
    request = urllib.request.Request(url, data, dict(headers or {}))
    try:
        with _OPENER.open(request, timeout=timeout) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


# Seconds in which a program begins to serve: it is started beside others, on a busy machine.
_START = 180.0


class Server:
    """A process that serves on loopback until it is stopped."""

    def __init__(self, command: Iterable[str], log: Path,
                 environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, **(environment or {})})

    def wait_for(self, url: str, seconds: float = _START) -> None:
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
        code = self.process.poll()
        self.stop()
        raise AssertionError(f"{url} does not answer, {code=}; the log ends with:\n{tail}")

    def processes(self) -> list[int]:
        """:return: its process, and those that it has started."""
        found, new = [], [self.process.pid]
        while new:
            found += new
            new = [int(child) for parent in new for child in _children(parent)]
        return found

    def listens_on(self, port: int) -> bool:
        """
        :return: whether it takes connections on a port.  That the port answers would not say
            so: once it is free, another server may have got it.
        """
        sockets = {f"socket:[{inode}]" for inode in _listening(port)}
        try:
            files = list(Path(f"/proc/{self.process.pid}/fd").iterdir())
        except OSError:  # it has ended
            return False
        return not sockets.isdisjoint(map(_link, files))

    def is_asleep(self) -> bool:
        """:return: whether none of its threads has anything to do, or waits for a disk."""
        return all(_state(thread) == "S" for pid in self.processes()
                   for thread in Path(f"/proc/{pid}/task").iterdir())

    def cpu_seconds(self) -> float:
        """:return: user and system time that its processes have taken."""
        return sum(map(_ticks, self.processes())) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self) -> int:
        """:return: the most memory that was resident at a time."""
        return self._resident("VmHWM")

    def resident_bytes(self) -> int:
        """:return: the memory that is resident now."""
        return self._resident("VmRSS")

    def forget_peak(self) -> None:
        """From now on, the peak is that of what follows."""
        for pid in self.processes():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def _resident(self, name: str) -> int:
        lines = [line for pid in self.processes()
                 for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
        return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(name))

    def stop(self) -> int:
        """End the process, by force after a while.  :return: its exit code."""
        if self.process.poll() is None:
            for each in (signal.SIGTERM, signal.SIGCONT):
                self.process.send_signal(each)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def _listening(port: int) -> list[str]:
    rows = [line.split() for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return [row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port]


def _link(file: Path) -> str:
    try:
        return str(file.readlink())
    except OSError:  # it has been closed meanwhile
        return ""


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _state(thread: Path) -> str:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # it has ended
        return "S"


def _ticks(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(stat[11]) + int(stat[12])


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


# Tests share a machine with others, whose load is none of their matter.
_UNHURRIED = {"overload_target": "0s"}


class Trickster(Server):
    """C{twistd -n trickster} with a configuration."""

    def __init__(self, directory: Path, backends: Mapping[str, Any],
                 more: Mapping[str, Any] | None = None, prefix: Iterable[str] = (), *,
                 listener: Mapping[str, Any] | None = None,
                 form: Iterable[str] = TWISTD,
                 environment: Mapping[str, str] | None = None,
                 sheds: bool = False) -> None:
        """
        :param listener: more options of the default listener.
        :param form: the command, up to where the configuration file is named.
        :param sheds: whether it refuses what it has no time for, where C{more} does not say.
        """
        more = dict(more or {})
        main = {**({} if sheds else _UNHURRIED), **more.pop("main", {})}
        directory.mkdir(parents=True, exist_ok=True)
        self.port, self.metrics_port, self.mgmt_port = (free_port() for _ in range(3))
        self.url = f"http://127.0.0.1:{self.port}"
        self.metrics_url = f"http://127.0.0.1:{self.metrics_port}"
        self.mgmt_url = f"http://127.0.0.1:{self.mgmt_port}"
        configuration = directory / "trickster.yaml"
        configuration.write_text(yaml.safe_dump({
            "listeners": {
                "default": {"address": "127.0.0.1", "port": self.port, **(listener or {})},
                "metrics": {"address": "127.0.0.1", "port": self.metrics_port},
                "mgmt": {"address": "127.0.0.1", "port": self.mgmt_port},
            },
            "backends": dict(backends), **({"main": main} if main else {}), **more,
        }))
        command, *arguments = form
        super().__init__([
            *prefix, str(Path(sys.executable).parent / command), *arguments, str(configuration),
        ], directory / "trickster.log", environment)
        self.wait_for(f"{self.url}/trickster/ping")


_NGINX = """\
daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush off; keepalive_requests 1000000000;
  types {{ text/plain txt; }} default_type application/octet-stream;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  {http}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /nginx-is-ready {{ return 200; }}
    {server}
  }}
}}
"""


class Nginx(Server):
    """
    Debian's nginx, in one process.

    With nothing but a directory it serves the files in C{directory / "www"}.
    """

    def __init__(self, directory: Path, server: str = "root www;", http: str = "",
                 prefix: Iterable[str] = ()) -> None:
        """
        :param server: what stands in the C{server} block.
        :param http: what stands before it.
        """
        (directory / "www").mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        configuration = directory / "nginx.conf"
        configuration.write_text(_NGINX.format(
            directory=directory, port=self.port, server=server, http=http))
        super().__init__([*prefix, program("nginx"), "-p", str(directory), "-e", "stderr",
                          "-c", str(configuration)], directory / "nginx.log")
        self.wait_for(f"{self.url}/nginx-is-ready")


class Varnish(Server):
    """Debian's Varnish, all in memory."""

    def __init__(self, directory: Path, vcl: str, prefix: Iterable[str] = ()) -> None:
        """
        :param vcl: the configuration; C{/varnish-is-ready} is taken.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        configuration = directory / "default.vcl"
        configuration.write_text(f"vcl 4.1;\n{vcl}\n" + """
            sub vcl_recv { if (req.url == "/varnish-is-ready") { return (synth(200)); } }
            """)
        super().__init__([
            *prefix, program("varnishd"), "-F", "-j", "none", "-n", str(directory / "work"),
            "-a", f"127.0.0.1:{self.port}", "-T", "none", "-s", "malloc,1G", "-t", "3600",
            "-f", str(configuration),
        ], directory / "varnish.log")
        self.wait_for(f"{self.url}/varnish-is-ready")
