"""Trickster with every kind of backend in front of an origin that does unusual things."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from tests.end_to_end.answering import AnsweringOrigin
from tests.end_to_end.servers import Trickster
from tests.end_to_end.standing import Standing
from tests.end_to_end.talking import Talk

BACKENDS = ("proxied", "cached", "progressive")


class ProxyCase(Standing):
    """One Trickster for all tests of a class, with backends of every kind."""

    listener: ClassVar[Mapping[str, Any]] = {"max_request_body_size_bytes": -1}
    origin: ClassVar[AnsweringOrigin]
    trickster: ClassVar[Trickster]

    @classmethod
    def started(cls, root: Path) -> None:
        """Start the origin and Trickster."""
        cls.origin = cls.kept(AnsweringOrigin())
        common = {"origin_url": cls.origin.url}
        cls.trickster = cls.kept(Trickster(root / "trickster", {
            "proxied": {**common, "provider": "rp"},
            "cached": {**common, "provider": "rpc", "is_default": True},
            "progressive": {**common, "provider": "rp", "paths": [
                {"path": "/", "match_type": "prefix", "handler": "proxy",
                 "methods": ["*", "TRACE"], "collapsed_forwarding": "progressive"}]},
        }, listener={"drain_timeout": "1s", **cls.listener}))

    def setUp(self) -> None:
        self.origin.renew()

    def talk(self) -> Talk:
        """:return: a connection to Trickster."""
        talk = Talk(self.trickster.port)
        self.addCleanup(talk.close)
        return talk
