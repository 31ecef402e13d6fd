"""Real Redis servers for the tests, on loopback, each in a directory of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import hiredis
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.end_to_end.servers import Server, free_port, program
from tests.end_to_end.waiting import PATIENCE, eventually
from trickster.net.runtime import PluginRuntime
from trickster.stores.limits import StoreLimits
from trickster.stores.redis.kind import redis
from trickster.stores.redis.options import RedisOptions
from trickster.testing.certificates import Authority

PASSWORD = "s3cret"
# For servers that are not to fail, however busy the machine is: what fails all the same was not
# given up after a time.
PATIENT = {name: 3 * PATIENCE for name in (
    "dial_timeout", "read_timeout", "write_timeout", "pool_timeout")}


class Redis(Server):
    """Debian's Redis, which keeps nothing on disk; it can be ended and started again."""

    def __init__(self, directory: Path, options: Sequence[str] = ()) -> None:
        self.directory, self.options, self.port = directory, options, free_port()
        directory.mkdir(parents=True, exist_ok=True)
        self.socket = str(directory / "redis.sock")
        self.start()

    @property
    def endpoint(self) -> str:
        """:return: as in configuration files."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, where it was."""
        super().__init__([
            program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1",
            "--unixsocket", self.socket, "--save", "", "--appendonly", "no",
            "--dir", str(self.directory), *self.options], self.directory / "redis.log")
        self.wait_for_answer()

    def wait_for_answer(self) -> None:
        """Return once it answers; where it does not, nothing is left of it."""
        try:
            eventually(self._answers, but=(OSError,))
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"it has ended: {self.log.read_text()[-2000:]}")
        return self.command("PING") is not None

    def command(self, *arguments: Any, auth: Sequence[Any] = ()) -> Any:
        """
        :param auth: what to authenticate with, first.
        :return: what it answers; errors too.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(self.socket)
            reader = hiredis.Reader()
            reply: Any = None
            for words in filter(None, (["AUTH", *auth] if auth else [], arguments)):
                connection.sendall(hiredis.pack_command(tuple(
                    word if isinstance(word, bytes) else str(word) for word in words)))
                reply = reader.gets()
                while reply is False:
                    octets = connection.recv(1 << 16)
                    if not octets:
                        raise ConnectionResetError
                    reader.feed(octets)
                    reply = reader.gets()
            return reply

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Have it do nothing, with its connections open."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        os.kill(self.process.pid, signal.SIGCONT)


class Secure:
    """A server with TLS and users, whose certificate is good for localhost alone."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        authority = Authority.make("ours")
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(authority.certificate)
        self.stranger = directory / "stranger.pem"
        self.stranger.write_bytes(Authority.make("stranger").certificate)
        certificate, key = authority.identity("localhost").save(directory, "server")
        self.client = authority.identity("client").save(directory, "client")
        self.tls_port = free_port()
        acl = directory / "users.acl"
        acl.write_text(
            f"user default on >{PASSWORD} ~* &* +@all\n"
            f"user trickster on >{PASSWORD} {RULES}\n")
        self.server = Redis(directory, [
            "--tls-port", str(self.tls_port), "--tls-cert-file", str(certificate),
            "--tls-key-file", str(key), "--tls-ca-cert-file", str(self.ca),
            "--tls-auth-clients", "optional", "--aclfile", str(acl)])


# As the documentation has them, for the default key_prefix.
RULES = next(line.partition(">PASSWORD ")[2].strip()
             for line in Path("docs/stores.md").read_text().splitlines()
             if line.startswith("user trickster on"))


@cache
def shared() -> Redis:
    """:return: a server for all tests of this process that do it no harm."""
    return kept(Redis(directory_until_exit()))


def directory_until_exit() -> Path:
    """:return: an empty directory, which goes with this process."""
    directory = tempfile.mkdtemp(prefix="trickster-redis-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)


def kept(server: Any) -> Any:
    """:return: the server, which ends with this process."""
    atexit.register(server.stop)
    return server


def runtime() -> PluginRuntime:
    """:return: of this process, with the reactor."""
    return PluginRuntime(reactor, deferToThread, time.time, Random(7).random)


def store_of(options: RedisOptions) -> Any:
    """:return: a store, not started yet."""
    return redis.store("default", options, StoreLimits(), runtime())


async def pass_time(_: Any, seconds: float) -> None:
    """Let the server's time pass."""
    await deferLater(runtime().clock, seconds)
