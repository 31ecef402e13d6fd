"""How a command can fail: refused by a server, not sent, or with an answer that never came."""

from __future__ import annotations

from trickster.errors import StoreError

_LONGEST = 300
# What a server repeats of a command that it does not know: values, and passwords.
_REPEATED = ", with args beginning with"


class ErrorReply(StoreError):
    """
    A server answers with an error.  The server and the connection work.

    :ivar text: the server's own, on one line, such as C{MOVED 3999 127.0.0.1:6381}; without what
        it repeats of the command.
    :ivar code: its first word, such as C{MOVED}, C{NOSCRIPT}, C{WRONGTYPE}, C{OOM}.
    """

    def __init__(self, text: str) -> None:
        self.text = text.partition(_REPEATED)[0][:_LONGEST]
        self.code = self.text.partition(" ")[0]
        super().__init__(f"Redis refuses: {self.text}")


class NotConnected(StoreError):
    """There is no connection for a command, which therefore was not sent."""


class NoAnswer(StoreError):
    """
    A connection broke, or took too long, after a command was sent: it may have been carried out.
    """
