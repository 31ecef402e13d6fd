"""The command C{trickster}: the flags of the original, in the foreground."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from time import time
from typing import Any

from twisted.application.service import Application, IService
from twisted.internet.error import CannotListenError
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.python.usage import UsageError
from twisted.scripts._twistd_unix import ServerOptions, UnixApplicationRunner
from zope.interface import provider

from trickster.cacheclient.command import cache_main
from trickster.commandline import Options
from trickster.config.options.model import Configuration
from trickster.errors import TricksterError
from trickster.observability.logging.logs import stream_logs

CACHE = "cache"

Run = Callable[[Options], None]


def application_of(configuration: Configuration, service: Any, clock: Any,
                   wall: Callable[[], float] | None = None) -> Any:
    """
    :param service: everything but the log of a process that is its own C{twistd}.
    :param clock: an C{IReactorTime}.
    :param wall: seconds since the epoch, for dates; the clock's where None.
    :return: an application that logs to standard output as the configuration says; where it
        names a file, the service writes that, and nothing goes to standard output.
    """
    application: Any = Application("trickster")
    application.setComponent(ILogObserver, _unheard)
    if not configuration.logging.log_file:
        logs: Any = stream_logs(configuration.logging, clock, globalLogPublisher, wall)
        # The first to start is the last to stop: it tells of all the others.
        logs.setServiceParent(IService(application))
    service.setServiceParent(IService(application))
    return application


@provider(ILogObserver)
def _unheard(event: LogEvent) -> None:
    """
    Keeps C{twistd} from a log of its own: the logs that are services have all there is to say.

    :param event: of the whole process, C{twistd} itself included; dropped.
    """


class _Foreground(UnixApplicationRunner):
    """Runs a service that is made of our options, without looking for plugins of Twisted."""

    def __init__(self, options: Options) -> None:
        config = ServerOptions()
        config.parseOptions(["--nodaemon", "--no_save", "--pidfile="])
        super().__init__(config)
        self._options = options

    def createOrGetApplication(self) -> Any:
        """:return: an application of Trickster and its log."""
        # Both only now, as for twistd: --help and --version can do without.
        from twisted.internet import reactor

        from trickster.service import service

        configuration = self._options.configuration
        return application_of(configuration, service(self._options, reactor, time), reactor, time)


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
    :return: 0 after an orderly end; of C{trickster cache}, see L{cache_main}.
    :raises SystemExit: with a message for standard error, where it could not start.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with _written_out():
        if words[:1] == [CACHE]:
            return cache_main(words[1:], os.environ if environ is None else environ)
        options = Options(environ)
        try:
            options.parseOptions(words)
        except UsageError as error:
            print(f"trickster: {error}\nTry 'trickster --help'.", file=sys.stderr)
            return 2
    run(options)
    return 0


@contextmanager
def _written_out() -> Iterator[None]:
    """
    Have what is said on standard output arrive there.

    :raises SystemExit: with 1: it takes no more.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        # A reader that has gone, such as head, has what it wanted.
        if not isinstance(error, BrokenPipeError):
            print(f"trickster: standard output: {error.strerror}", file=sys.stderr)
        _leave_output()
        raise SystemExit(1) from None


def _leave_output() -> None:
    # What is left in its buffer would be an error once more when the interpreter ends.
    with suppress(OSError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
