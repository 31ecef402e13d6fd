"""Tests of L{trickster.tap}."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from trickster.commandline import Options
from trickster.tap import makeService


class TapTests(SynchronousTestCase):
    """The plugin for C{twistd}."""

    def test_found(self) -> None:
        """C{twistd trickster} has the options of the command line, and the service's maker."""
        makers: list[Any] = [maker for maker in getPlugins(IServiceMaker)
                             if maker.tapname == "trickster"]
        self.assertEqual([(maker.options, maker.makeService) for maker in makers],
                         [(Options, makeService)])
