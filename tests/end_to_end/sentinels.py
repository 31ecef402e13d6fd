"""Real Sentinels for the tests, with a master and a replica, on loopback."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.end_to_end.redises import PATIENT, Redis, directory_until_exit
from tests.end_to_end.servers import free_port, program
from tests.end_to_end.waiting import eventually
from trickster.stores.redis.options import RedisOptions

_SENTINEL = """\
port {port}
bind 127.0.0.1
unixsocket {directory}/redis.sock
dir {directory}
requirepass sent1nel
sentinel sentinel-pass sent1nel
sentinel monitor ours 127.0.0.1 {master} 2
sentinel auth-pass ours s3cret
sentinel down-after-milliseconds ours {down_after}
sentinel failover-timeout ours 5000
sentinel monitor other 127.0.0.1 {master} 2
sentinel auth-pass other s3cret
"""
# Milliseconds after which a master is given up that does not answer: one that is to fail, and one
# on a machine that has other things to do.
_SHORT, _LONG = 3_000, 600_000
_numbers = itertools.count()


class Sentinel(Redis):
    """Debian's Redis Sentinel."""

    def __init__(self, directory: Path, master: Redis, down_after: int = _LONG) -> None:
        directory.mkdir(parents=True)
        self.directory, self.port = directory, free_port()
        self.socket, self.file = str(directory / "redis.sock"), directory / "sentinel.conf"
        self.file.write_text(_SENTINEL.format(
            port=self.port, directory=directory, master=master.port, down_after=down_after))
        self.start()

    def start(self) -> None:
        """Start it, where it was."""
        super(Redis, self).__init__(
            [program("redis-server"), str(self.file), "--sentinel"], self.directory / "log")
        self.wait_for_answer()

    def named(self) -> int:
        """:return: the port of the master."""
        return int(self.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "ours",
                                auth=["sent1nel"])[1])


class Group:
    """A master, a replica, and three Sentinels."""

    def __init__(self, *, fails: bool = False) -> None:
        """
        :param fails: whether the master is to be given up soon once it does not answer.
        """
        self._directory, self._running = directory_until_exit(), ExitStack()
        try:
            self._start(_SHORT if fails else _LONG)
        except BaseException:
            self.stop()
            raise

    def _start(self, down_after: int) -> None:
        directory = self._directory
        options = ["--requirepass", "s3cret", "--masterauth", "s3cret",
                   "--repl-diskless-sync-delay", "0"]
        self.master = self._kept(Redis(directory / "one", options))
        self.replica = self._kept(Redis(directory / "other", [
            *options, "--replicaof", f"127.0.0.1 {self.master.port}"]))
        eventually(lambda: b"master_link_status:up" in self.ask(self.replica, "INFO"))
        self.sentinels = [
            self._kept(Sentinel(directory / f"s{number}", self.master, down_after))
            for number in range(3)]
        eventually(self._know_each_other)

    def _kept(self, server: Any) -> Any:
        self._running.callback(server.stop)
        return server

    def _know_each_other(self) -> bool:
        said = [sentinel.command("SENTINEL", "MASTER", "ours", auth=["sent1nel"])
                for sentinel in self.sentinels]
        found = [dict(zip(words[::2], words[1::2], strict=True)) for words in said]
        return all(one[b"num-slaves"] == b"1" and one[b"num-other-sentinels"] == b"2"
                   for one in found)

    @staticmethod
    def ask(server: Redis, *words: str) -> Any:
        """:return: what a server answers; nothing, where a Sentinel has just dropped its clients."""
        try:
            return server.command(*words, auth=["s3cret"])
        except OSError:
            return b""

    def stop(self) -> None:
        """End all."""
        self._running.close()

    def options(self, **more: Any) -> RedisOptions:
        """:return: for a store that sees no other one's entries."""
        return RedisOptions(**{
            **PATIENT, "client_type": "sentinel", "sentinel_master": "ours", "password": "s3cret",
            "endpoints": tuple(each.endpoint for each in self.sentinels),
            "sentinel_password": "sent1nel", "key_prefix": f"sentinel{next(_numbers)}:", **more})
