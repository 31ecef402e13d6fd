"""The command C{trickster}: the flags of the original, in the foreground."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.application.service import Application, IService
from twisted.internet.error import CannotListenError
from twisted.python.usage import UsageError
from twisted.scripts._twistd_unix import ServerOptions, UnixApplicationRunner

from trickster.config.model import Configuration
from trickster.errors import TricksterError
from trickster.tap import Options, makeService

Run = Callable[[Options], None]


def log_file(configuration: Configuration) -> str:
    """
    :return: the file that is logged to, numbered as the instance is; C{-} for standard
        output.
    """
    path, number = configuration.logging.log_file, configuration.main.instance_id
    if not path or not number:
        return path or "-"
    stem, suffix = os.path.splitext(path)
    return f"{stem}.{number}{suffix or '.log'}"


class _Foreground(UnixApplicationRunner):
    """Runs a service that is made of our options, without looking for plugins of Twisted."""

    def __init__(self, options: Options) -> None:
        config = ServerOptions()
        config.parseOptions(
            ["--nodaemon", "--no_save", "--pidfile=", "--logfile", log_file(options.configuration)])
        super().__init__(config)
        self._options = options

    def createOrGetApplication(self) -> Any:
        """:return: an application of one service."""
        application = Application("trickster")
        service: Any = makeService(self._options)
        service.setServiceParent(IService(application))
        return application


def run_in_foreground(options: Options) -> None:
    """
    Serve until a signal ends it.

    :raises SystemExit: it could not start.
    """
    # The one from before: running sends what is written to sys.stderr to the log.
    stderr = sys.stderr
    try:
        _Foreground(options).run()
    except (CannotListenError, OSError, TricksterError) as error:
        print(f"trickster: {error}", file=stderr)
        raise SystemExit(1) from error


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None,
         run: Run = run_in_foreground) -> int:
    """
    :param argv: the command line without the command; that of the process where None.
    :param environ: environment variables; those of the process where None.
    :param run: what to do with good options.
    :return: 0 after an orderly end.
    :raises SystemExit: with a message for standard error, where it could not start.
    """
    options = Options(environ)
    try:
        options.parseOptions(list(sys.argv[1:] if argv is None else argv))
    except UsageError as error:
        print(f"trickster: {error}\nTry 'trickster --help'.", file=sys.stderr)
        return 2
    run(options)
    return 0
