"""C{python -m demo}."""

from __future__ import annotations

import os
import sys
from shutil import get_terminal_size
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from demo.interruption import Interruption
from demo.options import Options, read_options
from demo.report import Display
from demo.stage import Stage


def begin(reactor: Any, options: Options) -> Deferred[None]:
    """
    :return: fires when all is tidied up, with C{SystemExit} if something went wrong.
    """
    interruption = Interruption()
    display = Display(sys.stdout, sys.stdout.isatty(), get_terminal_size().columns)
    stage = Stage(reactor, options, display, interruption)
    playing = Deferred.fromCoroutine(_exit_with(stage))
    tidied: Deferred[None] = Deferred()

    def stop() -> Deferred[None]:
        interruption.ask()
        return tidied

    def end(result: object) -> object:
        tidied.callback(None)
        return result

    reactor.addSystemEventTrigger("before", "shutdown", stop)
    return playing.addBoth(end)


async def _exit_with(stage: Stage) -> None:
    code = await stage.play()
    if code:
        raise SystemExit(code)


if __name__ == "__main__":
    react(begin, [read_options(sys.argv[1:], os.environ)])
