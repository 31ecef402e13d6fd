"""How long an exchange waits for its origin."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from trickster.net.deadline import Deadline
from trickster.upstream.options import UpstreamOptions

# Seconds that an origin has to say whether it wants a body; many never say.
_CONTINUE_WAIT = 1.0


@define(eq=False)
class Patience:
    """
    Moves the deadline of a connection, for one exchange after the other.

    An exchange that waits for the origin does so for a time without an octet; one that waits
    for a client, only until all must be over.
    """

    _clock: IReactorTime
    _deadline: Deadline
    _options: UpstreamOptions
    _silence: float | None = field(default=None, init=False)
    _latest: float | None = field(default=None, init=False)
    _is_uploading: bool = field(default=False, init=False)

    def begin(self, latest: float | None) -> None:
        """
        An exchange begins.

        :param latest: the clock's seconds by which all of it must be over, or None.
        """
        self._silence = self._options.timeout
        self._latest = latest
        self._is_uploading = False

    def allow_stream(self) -> None:
        """What is on its way now comes when there is something to tell."""
        self._silence = self._options.stream_idle_timeout

    def allow_tunnel(self) -> None:
        """
        Who talks when, and how long it lasts in all, is for the two ends to know now; a full
        pipe is timed, and silence only where that is configured.
        """
        self._deadline.lift()
        self._silence = self._options.stream_idle_timeout
        self._latest = None

    def await_origin(self) -> None:
        """It is for the origin to go on."""
        # While a request body is on its way, its sender decides how long that takes.
        if self._is_uploading:
            return
        if self._silence is None:
            self.await_client()
        else:
            self._deadline.move(self._silence, self._latest)

    def await_continue(self) -> None:
        """It is for the origin to say whether it wants the request's body."""
        self._deadline.move(_CONTINUE_WAIT)

    def await_client(self) -> None:
        """It is for a client to go on: the origin cannot be blamed."""
        if self._latest is None:
            self._deadline.lift()
        else:
            self._deadline.move(float("inf"), self._latest)

    def upload_began(self) -> None:
        """The body of the request is on its way, at its sender's pace."""
        self._is_uploading = True
        self.await_client()

    def upload_ended(self) -> None:
        """The body of the request is sent."""
        self._is_uploading = False

    def blocked(self) -> None:
        """The origin does not take what is sent to it."""
        self._deadline.move(self._options.timeout, self._latest)

    def unblocked(self) -> None:
        """The origin takes again what is sent to it."""
        if self._is_uploading:
            self.await_client()
        else:
            self.await_origin()

    def is_late(self) -> bool:
        """:return: whether all should be over by now."""
        return self._latest is not None and self._clock.seconds() >= self._latest
