"""Requests to an origin, and its answers, as a fetch has them: pure."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from trickster.errors import Undecodable
from trickster.messages import Collecting, Headers, Request, Response
from trickster.ranges.policy import NOT_FETCHED
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.query import TimeRangeQuery

# What belongs to one answer, and not to every answer of a query.  Its date tells what of it is
# final, and is forgotten after that.
OF_ONE_ANSWER = (
    b"content-length", b"content-type", b"content-encoding", b"transfer-encoding",
    b"age", b"etag", b"last-modified", b"expires", b"cache-control", b"set-cookie", b"via",
    b"connection", b"keep-alive", b"cdn-cache-control", b"set-cookie2", b"cache-status",
    b"content-range", b"accept-ranges", b"x-trickster-result", b"server-timing", b"trailer",
    b"server", b"content-location", b"content-md5", b"digest", b"content-digest",
    b"repr-digest", b"signature", b"signature-input", b"retry-after", b"authentication-info",
    b"clear-site-data",
)


class DialectFailed(Undecodable):
    """A dialect failed in a way that it should not; the cause says how."""


def fetch_request(request: Request) -> Request:
    """:return: the request without what only makes sense in a client's own."""
    return evolve(request, headers=request.headers.without(*NOT_FETCHED),
                  collecting=Collecting())


def is_plain(headers: Headers) -> bool:
    """:return: whether a body with these header fields has no content coding."""
    coding = headers.joined(b"content-encoding")
    return coding is None or coding.strip().lower() in (b"", b"identity")


def decoded(decode: Callable[[TimeRangeQuery, Response], Dataset], query: TimeRangeQuery,
            response: Response) -> Dataset:
    """
    :param decode: of a dialect.
    :raises Undecodable: it cannot be decoded, for any reason.
    """
    try:
        return decode(query, response)
    except Undecodable:
        raise
    except Exception as error:
        # The dialect may be a stranger's: that it stumbles over an answer must not keep the
        # answer from the client.
        raise DialectFailed(f"the dialect failed: {error!r}") from error
