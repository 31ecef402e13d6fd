"""Test cases whose servers stand for all tests of a class."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.samples import openmetrics
from tests.end_to_end.servers import Prometheus


class Standing(SynchronousTestCase):
    """
    Starts servers before the first test, and ends all that were started after the last, or
    when one of them does not start.

    :cvar running: what C{started} puts there is ended in the opposite order.
    """

    running: ClassVar[ExitStack]

    @classmethod
    def setUpClass(cls) -> None:
        with ExitStack() as running:
            cls.running = running
            cls.started(Path(running.enter_context(tempfile.TemporaryDirectory())))
            cls.running = running.pop_all()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.running.close()

    @classmethod
    def started(cls, root: Path) -> None:
        """
        Start the servers of the class.

        :param root: an empty directory, which is removed in the end.
        """
        raise NotImplementedError

    @classmethod
    def kept(cls, server: Any) -> Any:
        """:return: a server, which is stopped in the end."""
        cls.running.callback(server.stop)
        return server


class BesidePrometheus(Standing):
    """
    Tests with a Prometheus that holds L{samples}.

    :cvar now: Unix seconds; samples lie before and behind it.
    """

    prometheus: ClassVar[Prometheus]
    now: ClassVar[int]

    @classmethod
    def started(cls, root: Path) -> None:
        """Write the samples, and start Prometheus."""
        cls.now = int(time.time()) // 60 * 60
        openmetrics(root / "samples.om", cls.now)
        cls.prometheus = cls.kept(Prometheus(root / "prometheus", root / "samples.om"))

    @classmethod
    def both_modes(cls, origin_url: str) -> dict[str, dict[str, Any]]:
        """:return: a backend for each mode; no answer ends with a newest sample."""
        common = {"provider": "prometheus", "origin_url": origin_url,
                  "fast_forward_disable": True}
        return {"aligned": {**common, "is_default": True},
                "phase": {**common, "timeseries_step_mode": "phase"}}
