"""Why an origin could not be reached."""

from __future__ import annotations

from errno import EMFILE, ENFILE

from service_identity import VerificationError
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import ConnectError, TCPTimedOutError
from twisted.internet.error import TimeoutError as ConnectTimeout

from trickster.errors import Overloaded, RequestError, UpstreamTimeout, UpstreamUnreachable
from trickster.http.origin_url import OriginURL

_NO_DESCRIPTORS = frozenset((EMFILE, ENFILE))


def unreachable(origin: OriginURL, error: Exception) -> RequestError:
    """:return: the failure to connect, in words that say where to and why."""
    if isinstance(error, ConnectError | OSError) and _errno(error) in _NO_DESCRIPTORS:
        # Ours, and not the origin's.
        return Overloaded("there is no descriptor for a connection to the origin", retry_after=1)
    if isinstance(error, (DeferredTimeout, ConnectTimeout, TCPTimedOutError)):
        return UpstreamTimeout(f"{origin.place}: no connection in time")
    return UpstreamUnreachable(f"{origin.place}: {_why(error)}")


def _errno(error: ConnectError | OSError) -> int | None:
    return error.osError if isinstance(error, ConnectError) else error.errno


def _why(error: Exception) -> str:
    if isinstance(error, VerificationError):
        return "TLS: the certificate is not for this name"
    # An OpenSSL error is a list of (library, function, reason).
    if error.args and isinstance(error.args[0], list):
        return "TLS: " + ", ".join(str(entry[-1]) for entry in error.args[0])
    return str(error).rstrip(".") or type(error).__name__
