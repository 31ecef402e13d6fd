"""The demonstration's command line."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from attrs import frozen


@frozen
class Options:
    """
    How the demonstration is to run; times are in seconds.

    :ivar seconds: how long, or None for until Ctrl-C.
    :ivar port: where Trickster listens; 0 for any that is free.
    :ivar origin_port: where the demo origin listens; 0 for any that is free.
    :ivar refresh: from the start of one refresh to the start of the next, at least.
    :ivar refreshes: how many there are when it runs until Ctrl-C.
    :ivar span: what the dashboard shows.
    :ivar step: from one point to the next.
    """

    seconds: float | None = None
    port: int = 0
    origin_port: int = 0
    refresh: float = 2.0
    refreshes: int = 20
    span: int = 6 * 3600
    step: int = 15


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """
    :param arguments: of the command, without its name.
    :param environment: where C{SECONDS} stands for C{--seconds}.
    :raises SystemExit: they make no sense, and the user has been told, or asked for help.
    """
    return Options(**vars(_parser(environment).parse_args(arguments)))


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    usual = Options()
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="A demo origin, Trickster in front of it, and a dashboard that asks both.")
    add = parser.add_argument
    add("--seconds", type=_positive, metavar="N", default=environment.get("SECONDS") or None,
        help="end by itself after so many seconds (default: serve until Ctrl-C)")
    add("--port", type=_port, metavar="PORT", default=usual.port,
        help="where Trickster listens (default: a free port)")
    add("--origin-port", type=_port, metavar="PORT", default=usual.origin_port,
        help="where the demo origin listens (default: a free port)")
    add("--refresh", type=_positive, metavar="SECONDS", default=usual.refresh,
        help="how often the dashboard refreshes (default: %(default)s)")
    add("--refreshes", type=_count, metavar="N", default=usual.refreshes,
        help="how often in all, without --seconds (default: %(default)s)")
    add("--span", type=_count, metavar="SECONDS", default=usual.span,
        help="how much the dashboard shows (default: %(default)s)")
    add("--step", type=_count, metavar="SECONDS", default=usual.step,
        help="from one point to the next (default: %(default)s)")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 0 < value <= 10 ** 7:
        raise argparse.ArgumentTypeError(f"not a number that makes sense here: {text}")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"not a port: {text}")
    return value
