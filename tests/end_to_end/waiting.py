"""Waiting until something is so, for as long as a machine may take that has other things to do."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from inspect import isawaitable
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.end_to_end.servers import Server
from trickster.errors import StoreError

# Seconds: how soon something has to be so is for tests that have the time in their hands.
PATIENCE = 60.0
# Looks at which servers had done the same, after which they do no more, and seconds between them.
_EQUAL_LOOKS, _LOOK = 4, 0.5


def eventually(holds: Callable[[], bool], seconds: float = PATIENCE,
               but: tuple[type[Exception], ...] = (), pause: float = 0.02) -> None:
    """
    Return once something holds.

    :param but: what may be raised instead, which is that it does not hold yet.
    :param pause: seconds between two looks.
    """
    deadline = time.monotonic() + seconds
    while True:
        error: Exception | None = None
        try:
            if holds():
                return
        except but as caught:
            error = caught
        if time.monotonic() > deadline:
            raise AssertionError(f"{holds} does not hold after {seconds} s") from error
        time.sleep(pause)


def wait_until_idle(servers: Sequence[Server], done: Callable[[], Any]) -> None:
    """
    Return once servers have nothing to do any more, which is not to have no time for it.

    :param done: tells what they have done, which changes while they work.
    """
    looks: deque[Any] = deque(maxlen=_EQUAL_LOOKS)

    def are_idle() -> bool:
        eventually(lambda: all(server.is_asleep() for server in servers))
        looks.append(done())
        return len(looks) == _EQUAL_LOOKS and all(look == looks[0] for look in looks)

    eventually(are_idle, pause=_LOOK)


async def until(holds: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """
    Return once something holds, while the reactor goes on.

    :param holds: may give an awaitable; where a store fails, it does not hold yet.
    """
    clock: Any = reactor
    deadline = clock.seconds() + seconds
    while True:
        error: StoreError | None = None
        try:
            found = holds()
            if await found if isawaitable(found) else found:
                return
        except StoreError as caught:
            error = caught
        if clock.seconds() > deadline:
            raise AssertionError(f"{holds} does not hold after {seconds} s") from error
        await deferLater(clock, 0.005)
