"""Request bodies on their way to an origin."""

from __future__ import annotations

from trickster.errors import BadRequest
from trickster.http.h1.encoding import LAST_CHUNK, chunk_head
from trickster.interfaces import IBody
from trickster.upstream.h1.outlet import Outlet


async def upload(body: IBody, outlet: Outlet) -> None:
    """
    Send a body as it comes: counted where its length is known, else chunked.

    :raises BadRequest: it is not as long as it was said to be.  What the origin has got by
        then is not a request, and the connection is of no use any more.
    :raises UpstreamBroke: the connection is gone.
    """
    if body.length is None:
        await _upload_chunks(body, outlet)
    else:
        await _upload_counted(body, body.length, outlet)


async def _upload_chunks(body: IBody, outlet: Outlet) -> None:
    while octets := await body.read():
        await outlet.write(b"".join((chunk_head(len(octets)), octets, b"\r\n")))
    await outlet.write(LAST_CHUNK)


async def _upload_counted(body: IBody, length: int, outlet: Outlet) -> None:
    left = length
    while octets := await body.read():
        left -= len(octets)
        if left < 0:
            raise BadRequest("the request body is longer than it was said to be")
        await outlet.write(bytes(octets))
    if left:
        raise BadRequest("the request body is shorter than it was said to be")
