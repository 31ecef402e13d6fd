"""The address of an origin."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from attrs import frozen

from trickster.errors import ConfigurationError

_PORTS = {"http": 80, "https": 443}
_VISIBLE = re.compile(r"[\x21-\x7e\x80-\U0010ffff]+")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,254}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
_PATH = re.compile(r"(?:[!$&-;=@-Z_a-z~]|%[0-9A-Fa-f]{2})*")


@frozen(slots=True)
class OriginURL:
    """
    Where an origin is, and which part of it is meant.

    :ivar scheme: C{"http"} or C{"https"}.
    :ivar host: a name in lower case and ASCII, or an address without brackets.
    :ivar prefix: what every target begins with at the origin; without a slash at its end.
    """

    scheme: str
    host: str
    port: int
    prefix: bytes = b""

    @classmethod
    def parse(cls, text: str) -> OriginURL:
        """
        :param text: such as C{https://prometheus.example:9090/prefix}.
        :raises ConfigurationError: it is not an absolute C{http} or C{https} URL, or has
            parts that an origin cannot have; says which.
        """
        fault = origin_fault(text)
        if fault:
            raise ConfigurationError((f"{_masked(text)} {fault}",))
        parts = urlsplit(text)
        return cls(parts.scheme, _host(parts), parts.port or _PORTS[parts.scheme],
                   parts.path.rstrip("/").encode("ascii"))

    @property
    def is_secure(self) -> bool:
        """:return: whether connections are TLS."""
        return self.scheme == "https"

    @property
    def is_address(self) -> bool:
        """:return: whether the host is an IP address, so that there is nothing to look up."""
        return is_address(self.host)

    @property
    def place(self) -> str:
        """:return: host and port, always both, for messages; an IPv6 address in brackets."""
        return f"{self._bracketed}:{self.port}"

    @property
    def authority(self) -> bytes:
        """
        :return: what C{Host} says: the port only where it is not the scheme's own
            (RFC 9110 section 7.2).
        """
        if self.port == _PORTS[self.scheme]:
            return self._bracketed.encode("ascii")
        return self.place.encode("ascii")

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority.decode()}{self.prefix.decode()}"


def origin_fault(text: str) -> str:
    """
    :return: why a text is not the URL of an origin, to be said after it; empty where it is one.
    """
    if not _VISIBLE.fullmatch(text):
        return "is empty, or has spaces or control characters in it"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        return f"is not a URL ({error})"
    if parts.scheme not in _PORTS or "://" not in text:
        return "does not begin with http:// or https://"
    if "@" in parts.netloc:
        return ("has credentials, which do not belong there: set Authorization in the backend's "
                "request_headers instead")
    if parts.netloc.endswith(":") or port == 0 or not _names_host(parts):
        return "names no host that can be connected to"
    if "?" in text or "#" in text:
        return "has a query or a fragment, which no origin can have"
    if not _PATH.fullmatch(parts.path):
        return "has characters in its path that must be percent-encoded"
    return ""


def _names_host(parts: SplitResult) -> bool:
    try:
        host = _host(parts)
    except ValueError:
        return False
    return is_address(host) or is_host_name(host)


def is_host_name(text: str) -> bool:
    """
    :return: whether this is the name of a host, in ASCII.  What ends like an IPv4 address is
        one, or nothing (WHATWG URL, "ends in a number").
    """
    return _NAME.fullmatch(text.lower()) is not None and not (
        text.rstrip(".").rpartition(".")[2].isdigit())


def _host(parts: SplitResult) -> str:
    """:raises ValueError: it is no address in brackets, and no name in any script."""
    host = parts.hostname or ""
    if parts.netloc.startswith("["):
        return str(ip_address(host))
    return host if host.isascii() else host.encode("idna").decode("ascii")


def is_address(host: str) -> bool:
    """:return: whether this is an IP address, without brackets, and not the name of a host."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _masked(text: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", text)
