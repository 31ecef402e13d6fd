"""Real Sentinels for the tests, with a master and a replica, on loopback."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from tests.end_to_end.redises import Redis, directory_until_exit, eventually
from tests.end_to_end.servers import free_port, program
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
sentinel down-after-milliseconds ours 1000
sentinel failover-timeout ours 5000
sentinel monitor other 127.0.0.1 {master} 2
sentinel auth-pass other s3cret
"""
_numbers = itertools.count()


class Sentinel(Redis):
    """Debian's Redis Sentinel."""

    def __init__(self, directory: Path, master: Redis) -> None:
        directory.mkdir(parents=True)
        self.directory, self.port = directory, free_port()
        self.socket, self.file = str(directory / "redis.sock"), directory / "sentinel.conf"
        self.file.write_text(_SENTINEL.format(
            port=self.port, directory=directory, master=master.port))
        self.start()

    def start(self) -> None:
        """Start it, where it was."""
        super(Redis, self).__init__(
            [program("redis-server"), str(self.file), "--sentinel"], self.directory / "log")
        eventually(self._answers)

    def named(self) -> int:
        """:return: the port of the master."""
        return int(self.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "ours",
                                auth=["sent1nel"])[1])


class Group:
    """A master, a replica, and three Sentinels."""

    def __init__(self) -> None:
        directory = directory_until_exit()
        options = ["--requirepass", "s3cret", "--masterauth", "s3cret",
                   "--repl-diskless-sync-delay", "0"]
        self.master = Redis(directory / "one", options)
        self.replica = Redis(directory / "other", [
            *options, "--replicaof", f"127.0.0.1 {self.master.port}"])
        eventually(lambda: b"master_link_status:up" in self.ask(self.replica, "INFO"))
        self.sentinels = [Sentinel(directory / f"s{number}", self.master) for number in range(3)]
        eventually(self._know_each_other)

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
        for server in (*self.sentinels, self.master, self.replica):
            server.stop()

    def options(self, **more: Any) -> RedisOptions:
        """:return: for a store that sees no other one's entries."""
        return RedisOptions(**{
            "client_type": "sentinel", "sentinel_master": "ours", "password": "s3cret",
            "endpoints": tuple(each.endpoint for each in self.sentinels),
            "sentinel_password": "sent1nel", "key_prefix": f"sentinel{next(_numbers)}:", **more})
