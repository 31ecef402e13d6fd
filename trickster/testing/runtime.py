"""What a plugin may use of the process, in tests of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from trickster.net.runtime import PluginRuntime


async def _at_once(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def runtime_at_once(clock: IReactorTime) -> PluginRuntime:
    """
    :param clock: most often a C{twisted.internet.task.Clock}.
    :return: a runtime without threads: what is to be done in one is done at once.
    """
    return PluginRuntime(clock, _at_once)
