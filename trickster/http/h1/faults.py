"""What is wrong with a message, for either role."""

from __future__ import annotations

from attrs import frozen


@frozen
class Malformed:
    """
    A request that must not be served.

    :ivar status: what the client is told; the connection is closed after it.
    :ivar detail: why, in a few words of our own: nothing of the request is repeated.
    """

    status: int
    detail: str


class MalformedBody(Exception):
    """
    A body whose end cannot be found.

    :ivar malformed: why, as a server tells its client.
    """

    def __init__(self, malformed: Malformed) -> None:
        super().__init__(malformed.detail)
        self.malformed = malformed
