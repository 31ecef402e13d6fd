"""Errors that let go of the frames through which they came."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from trickster.errors import TricksterError

T = TypeVar("T")


def forget_traceback(error: BaseException) -> None:
    """
    Let go of the frames of an error that ends here, and of those of its causes.

    One of them, of what has cancelled or failed, often has the error itself, or what holds it:
    all that the frames have would then wait for the collector of cycles.

    :param error: which nothing handles after this; of its frames nothing can be told any more.
    """
    each: BaseException | None = error
    while each is not None and (each is error or each.__traceback__ is not None):
        each.__traceback__ = None
        each = each.__cause__ or each.__context__


def without_frames(result: T) -> T:
    """
    Do the same for the failure of a Deferred, where it is one that is foreseen: cancelling, or
    an error of this package's own.  Others keep their frames, for the log.

    :param result: of a Deferred.
    :return: the very same; so that this can be added with C{addBoth} or C{addErrback}.
    """
    if isinstance(result, Failure) and result.check(TricksterError, CancelledError):
        result.cleanFailure()
        assert result.value is not None
        forget_traceback(result.value)
    return result
