"""The home of a key: of several processes that share a store, the one that asks the origin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from trickster.messages import Request, Response

# Answers a request in this process, whichever is the home.
AtHome = Callable[[Request], Awaitable[Response]]


class Home(Protocol):
    """The processes among which the keys of one cache have their homes."""

    def is_elsewhere(self, key: str) -> bool:
        """
        :return: whether another process is the home of a key.
        """

    async def asked(self, key: str, request: Request) -> Response | None:
        """
        Have the home of a key answer.

        :param key: of what is asked for, whose home is elsewhere.
        :param request: whose body, if it has one, is here whole.
        :return: its answer, whose body may still be on its way; None where the home cannot be
            reached, or is gone before it has answered.
        :raises RequestError: the home has no answer.
        """
