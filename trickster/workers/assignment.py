"""What the supervisor tells a worker at its start."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
from attrs import Factory, frozen

from trickster.config.load import Sources

# What makes the caches of a worker what they are.
_CONFIGURED = ("path", "flags", "allows_ineffective", "files", "memory")


@frozen
class Assignment:
    """
    What a worker process is to do.

    :ivar number: of the worker, from 1.
    :ivar workers: how many there are.
    :ivar path: of the configuration file, as in L{Sources}; like C{flags} and
        C{allows_ineffective}.
    :ivar files: what the supervisor has read, by path, or None where there was no file: a worker
        that is started later has the same configuration, also where the file has changed since.
    :ivar sockets: descriptors of listening sockets, by name of the listener.
    :ivar own: paths of Unix sockets at which the supervisor asks for the endpoints of the process,
        by name of the listener.
    :ivar peers: path of the Unix socket at which other workers ask this one.
    :ivar homes: paths at which all workers are asked, by number, from 1; that of a worker names the
        socket of its process, once that serves.
    :ivar memory: files that take the place of the memory of caches, by name of the cache.
    :ivar reactor: the module of the reactor that is to run.
    """

    number: int
    workers: int
    path: str | None = None
    flags: Mapping[str, str] = Factory(dict)
    allows_ineffective: bool = False
    files: Mapping[str, bytes | None] = Factory(dict)
    sockets: Mapping[str, int] = Factory(dict)
    own: Mapping[str, str] = Factory(dict)
    peers: str = ""
    homes: tuple[str, ...] = ()
    memory: Mapping[str, str] = Factory(dict)
    reactor: str = "twisted.internet.epollreactor"

    def has_caches_of(self, other: Assignment) -> bool:
        """:return: whether it is the same configuration, and so the same caches."""
        return all(getattr(self, name) == getattr(other, name) for name in _CONFIGURED)

    def encoded(self) -> bytes:
        """:return: a line, its end included."""
        # In ASCII: paths and flags may have octets that are no text, as lone surrogates.
        return json.dumps(msgspec.to_builtins(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Assignment:
        """
        :param line: as L{encoded} gives it.
        :raises ValueError: it is none.
        """
        return msgspec.convert(json.loads(line), cls)

    def sources(self, environ: Mapping[str, str]) -> Sources:
        """
        :param environ: environment variables, which a worker has from the supervisor.
        :return: where the configuration comes from.
        """
        return Sources(self.path, environ, self.flags, self.allows_ineffective)
