"""Options of a listener."""

from __future__ import annotations

from attrs import frozen

from trickster.config.document.settings import guarding, setting
from trickster.http.forwarded import PRIVATE_NETWORKS

# Ports of the built-in listeners; any other needs one of its own.
BUILT_IN_PORTS = {"default": 8480, "metrics": 8481, "mgmt": 8484}
BUILT_IN_ADDRESSES = {"mgmt": "127.0.0.1"}


_NO_TLS = "no listener speaks TLS, and clients are answered in the clear"


def _tls_port_exposes(port: int) -> str | None:
    return _NO_TLS if port else None


@frozen(kw_only=True)
class ListenerOptions:
    """An address that clients connect to, and what it takes from them."""

    protocol: str = setting("http", "What is spoken.", choices=("http",))
    address: str = setting(
        "", "IP address to listen on; all of IPv6 and IPv4 where empty (127.0.0.1 for mgmt).")
    port: int = setting(
        8480, "TCP port; 0 for none (metrics 8481, mgmt 8484).", minimum=0, maximum=65535)
    tls_address: str = guarding("", "IP address to listen on for TLS.", _NO_TLS)
    tls_port: int = guarding(8483, "TCP port for TLS; 0 for none.", _tls_port_exposes,
                             minimum=0, maximum=65535)
    connections_limit: int = setting(
        0, "Most connections at one time; 0 for no limit. At the limit, idle ones make room, and "
        "new ones wait until they are accepted.", minimum=0, shared_out=True)
    read_header_timeout: float = setting(
        10.0, "Longest time for a request line and its headers, in all; 0 for ever.",
        unit="duration")
    max_request_body_size_bytes: int = setting(
        10 << 20, "Largest request body; 0 for none at all, below 0 for no limit.",
        unit="size", minimum=-1)
    truncate_request_body_too_large: bool = setting(
        False, "Cut a body that is too large instead of refusing it.")
    idle_timeout: float = setting(
        120.0, "How long a connection is kept without a request; 0 for ever.", unit="duration")
    body_timeout: float = setting(
        60.0, "Longest time between two pieces of a request body; 0 for ever.",
        unit="duration")
    min_body_rate: int = setting(
        0, "Least octets a second, on average, at which a body must arrive; 0 for any.",
        unit="size")
    write_timeout: float = setting(
        60.0, "Longest time in which a client takes nothing of its answer; 0 for ever.",
        unit="duration")
    trusted_proxies: tuple[str, ...] = setting(
        PRIVATE_NETWORKS, "Addresses and networks of proxies in front, whose Forwarded and "
        "X-Forwarded-* reach the origin; those of all others are removed.")
    max_request_line_bytes: int = setting(
        128 << 10, "Longest request line.", unit="size", minimum=1024)
    max_header_bytes: int = setting(
        64 << 10, "Most octets in all header fields of a request.", unit="size", minimum=1024)
    middlewares: tuple[str, ...] = setting(
        (), "Middlewares around all that backends answer here, the first outermost; of metrics "
        "and mgmt, around their endpoints.")
    drain_timeout: float = setting(
        30.0, "Longest wait for open requests when the process stops.", unit="duration")

    @property
    def is_open(self) -> bool:
        """:return: whether it has a port; one that no backend is on is not opened either."""
        return self.port > 0
