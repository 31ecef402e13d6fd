"""Where servers are."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from attrs import frozen

from trickster.http.origin_url import is_address, is_host_name

PORT = 6379
SENTINEL_PORT = 26379

_PARTS = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?")


@frozen(order=True)
class Address:
    """
    Where a server listens.

    :ivar host: a name, or an IP address without brackets; empty for a unix socket.
    :ivar port: TCP port; 0 for a unix socket.
    :ivar path: of the unix socket; empty for TCP.
    """

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str, port: int = PORT) -> Address:
        """
        :param text: such as C{redis:6379}, C{10.0.0.1}, C{[::1]:6379}.
        :param port: where the text has none.
        :raises ValueError: it is none of these; says why.
        """
        found = _PARTS.fullmatch(text)
        if found is None:
            raise ValueError("expected HOST:PORT, an IPv6 address in brackets")
        bracketed, host, digits = found.groups()
        if bracketed is not None:
            host = str(IPv6Address(bracketed))
        elif not (is_address(host) or is_host_name(host)):
            raise ValueError("expected the name or the address of a host before the port")
        number = int(digits) if digits else port
        if not 0 < number < 65536:
            raise ValueError("expected a port from 1 to 65535")
        return cls(host, number)

    @property
    def is_ip(self) -> bool:
        """:return: whether the host is an IP address, so that there is nothing to look up."""
        return is_address(self.host)

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
