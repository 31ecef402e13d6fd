"""The program's log: events of C{twisted.logger} as lines of logfmt or JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from attrs import define, field
from twisted.application.service import MultiService
from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, LogLevel, LogPublisher, formatEvent
from zope.interface import implementer

from trickster.observability.accesslog import AccessLog, EntryLog
from trickster.observability.decisionlog import DecisionLog, Several
from trickster.observability.logging.destinations import destination
from trickster.observability.logging.lines import SPELLINGS, Fields, ILineSink, logfmt, timestamp
from trickster.observability.logging.masking import masked_text
from trickster.observability.logging.sinks import ACCESS_NAMESPACE, BufferedSink, PublisherSink

# Trickster's words for Twisted's levels.
_WORDS = {LogLevel.debug: "debug", LogLevel.info: "info", LogLevel.warn: "warn",
          LogLevel.error: "error", LogLevel.critical: "critical"}
_RANKS = {level: rank for rank, level in enumerate(_WORDS)}
_THRESHOLDS = {"trace": 0, "debug": 0, "info": 1, "warn": 2, "warning": 2, "error": 3,
               "critical": 4, "fatal": 4, "none": 5}

_OURS = frozenset(("time", "app", "level", "event", "caller", "error", "traceback"))
# What Twisted's older logging puts into an event for itself.
_LEGACY = frozenset(("message", "system", "isError", "why", "format", "failure", "printed",
                     "log_legacy"))
_LONGEST_EVENT = 8 << 10
_LONGEST_VALUE = 1 << 10
_LONGEST_TRACEBACK = 16 << 10


class Flushable(Protocol):
    """A sink that can be told to write at once."""

    def write(self, line: str) -> None:
        """
        Take a line.

        :param line: without its end.
        """

    def flush(self) -> None:
        """Write what there is."""


class LogSettings(Protocol):
    """What the configuration says of logs (C{trickster.config.options.model.LoggingOptions})."""

    @property
    def log_file(self) -> str:
        """
        :return: path; empty to leave the log to what runs the program, and else to standard
            output.
        """

    @property
    def log_level(self) -> str:
        """
        :return: the least severe level that is logged: C{trace}, C{debug}, C{info}, C{warn},
            C{error}, or C{none} for no events.
        """

    @property
    def format(self) -> str:
        """:return: how lines are spelled: C{logfmt} or C{json}."""

    @property
    def access_log(self) -> bool:
        """:return: whether every request makes a line, also at level C{none}."""


@implementer(ILogObserver)
@define(eq=False)
class ProgramLog:
    """
    Makes lines of events that are severe enough.

    :ivar level: of the least severe that are logged, in Trickster's words.
    """

    sink: Flushable
    level: str = "info"
    spell: Callable[[Fields], str] = logfmt
    _threshold: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._threshold = _THRESHOLDS[self.level.lower()]

    def __call__(self, event: LogEvent) -> None:
        """
        Make a line of an event that is severe enough.  An error is written at once, since it may
        be the last thing that the process says.

        :param event: what C{twisted.logger} gives.  One of the access log has a line already,
            which is taken at every level.
        """
        if event.get("log_namespace") == ACCESS_NAMESPACE:
            self.sink.write(event["line"])
            return
        level = event.get("log_level", LogLevel.info)
        rank = _RANKS.get(level, 1)
        if rank < self._threshold:
            return
        self.sink.write(self.spell(event_fields(event, level)))
        if rank >= _RANKS[LogLevel.error]:
            # It may be the last thing that this process says.
            self.sink.flush()


def event_fields(event: Mapping[str, Any], level: Any = LogLevel.info) -> Fields:
    """:return: names and values of a line, secrets masked, each of bounded length."""
    fields: Fields = [
        ("time", timestamp(event.get("log_time", 0.0))),
        ("app", "trickster"),
        ("level", _WORDS.get(level, "info")),
        ("event", masked_text((formatEvent(dict(event)) or "")[:_LONGEST_EVENT])),
    ]
    namespace = event.get("log_namespace")
    if namespace:
        fields.append(("caller", namespace))
    fields += [(name, _plain(value)) for name, value in event.items()
               if _is_told(name) and isinstance(value, (str, int, float, bytes))]
    failure = event.get("log_failure")
    if failure is not None:
        fields.append(("error", masked_text(failure.getErrorMessage()[:_LONGEST_VALUE])))
        fields.append(("traceback", masked_text(failure.getTraceback()[-_LONGEST_TRACEBACK:])))
    return fields


def _is_told(name: str) -> bool:
    return not name.startswith("log_") and name not in _OURS and name not in _LEGACY


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        value = value[:_LONGEST_VALUE].decode("utf-8", "backslashreplace")
    return masked_text(value[:_LONGEST_VALUE]) if isinstance(value, str) else value


def numbered(path: str, instance_id: int) -> str:
    """
    :return: the path of one process's log among several: C{trickster.log} becomes
        C{trickster.2.log}; the same where the number is 0.
    """
    if not path or not instance_id:
        return path
    stem, suffix = os.path.splitext(path)
    return f"{stem}.{instance_id}{suffix or '.log'}"


@define(eq=False, slots=False)
class Logs(MultiService):
    """
    The log of the program, and that of its requests.

    As a service it opens what it writes to, and listens to the publisher.

    :ivar access: the log of requests and, at level C{debug}, of what was decided for them;
        None where there is to be neither.
    :ivar observer: makes lines of events, or None where that is left to C{twistd}.
    """

    publisher: LogPublisher
    access: EntryLog | None
    observer: ProgramLog | None
    sink: BufferedSink | None

    def __attrs_pre_init__(self) -> None:
        MultiService.__init__(self)

    def __attrs_post_init__(self) -> None:
        if self.sink is not None:
            self.addService(self.sink)

    def startService(self) -> None:
        """
        Begin to log.

        :raises OSError: the log file cannot be opened.
        """
        super().startService()
        if self.observer is not None:
            self.publisher.addObserver(self.observer)

    def stopService(self) -> Any:
        """
        Take no more events, and write what there is.

        :return: fires when everything is written, as far as that is possible without waiting, and
            the log file is closed.
        """
        if self.observer is not None:
            self.publisher.removeObserver(self.observer)
        return super().stopService()


def logs(settings: LogSettings, instance_id: int, clock: IReactorTime,
         publisher: LogPublisher, wall: Callable[[], float] | None = None) -> Logs:
    """
    :param instance_id: this process's number, where several share a configuration.
    :param publisher: gives the program's events.
    :param wall: seconds since the epoch, for dates; the clock's where None.
    :return: a log to the configured file.  Where there is none, events are left to what
        runs the program (C{twistd --logfile}, C{twist --log-file}), and the lines of
        requests are among them.
    """
    spell, wall = SPELLINGS[settings.format], wall or clock.seconds
    if not settings.log_file:
        return Logs(publisher, _access(settings, PublisherSink(), wall), None, None)
    path = numbered(settings.log_file, instance_id)
    sink = BufferedSink(destination(path), clock, spell, wall)
    observer = ProgramLog(sink, settings.log_level, spell)
    return Logs(publisher, _access(settings, sink, wall), observer, sink)


def stream_logs(settings: LogSettings, clock: IReactorTime, publisher: LogPublisher,
                wall: Callable[[], float] | None = None) -> Logs:
    """
    :param wall: as in L{logs}.
    :return: a log to standard output, for a program that is its own C{twistd}.
    """
    spell, wall = SPELLINGS[settings.format], wall or clock.seconds
    sink = BufferedSink(destination("-"), clock, spell, wall)
    observer = ProgramLog(sink, settings.log_level, spell)
    return Logs(publisher, _access(settings, sink, wall), observer, sink)


def _access(settings: LogSettings, sink: ILineSink,
            wall: Callable[[], float]) -> EntryLog | None:
    spell = SPELLINGS[settings.format]
    access = AccessLog(sink, spell, wall) if settings.access_log else None
    if _THRESHOLDS[settings.log_level.lower()] > _RANKS[LogLevel.debug]:
        return access
    decisions = DecisionLog(sink, spell, wall)
    return decisions if access is None else Several((access, decisions))
