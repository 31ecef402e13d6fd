"""What can be chosen about an origin's connections."""

from __future__ import annotations

from attrs import field, frozen

from trickster.upstream.forwarding.fields import ForwardedMode


@frozen(slots=True)
class UpstreamOptions:
    """
    How one origin is spoken to.  All times are seconds.

    :ivar timeout: until the head of the answer, and between reads of one that is no stream.
    :ivar stream_idle_timeout: between reads of a stream; None for no bound.
    :ivar connect_timeout: until a connection can be used, TLS included.
    :ivar total_timeout: until the last octet of the answer; None for no such bound.
    :ivar keep_alive_timeout: after which an unused connection is closed.
    :ivar max_idle_conns: connections that are kept for later; 0 keeps none.
    :ivar max_concurrent_conns: connections in use at a time; 0 for no bound.
    :ivar max_streaming_conns: connections that last, beside those; 0 for no bound.
    :ivar max_queued_requests: waiting for a connection.
    :ivar queue_timeout: each of them waits for so long at most.
    :ivar max_conn_age: after which a connection carries no further request; None for no bound.
    :ivar max_response_header_bytes: octets in one response head.
    :ivar forwarded_headers: how the origin is told about the client.
    :ivar server_name: what C{Via} and C{Forwarded} call us.
    """

    timeout: float = 60.0
    stream_idle_timeout: float | None = None
    connect_timeout: float = 10.0
    total_timeout: float | None = None
    keep_alive_timeout: float = 120.0
    max_idle_conns: int = 20
    max_concurrent_conns: int = 20
    max_streaming_conns: int = 512
    max_queued_requests: int = 1024
    queue_timeout: float = 10.0
    max_conn_age: float | None = 300.0
    max_response_header_bytes: int = 256 << 10
    forwarded_headers: ForwardedMode = field(default=ForwardedMode.STANDARD,
                                             converter=ForwardedMode)
    server_name: str = "trickster"
