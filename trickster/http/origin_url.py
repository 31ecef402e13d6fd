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
        try:
            return _parsed(text)
        except ValueError as error:
            raise ConfigurationError((f"{_masked(text)}: {error}",)) from error

    @property
    def is_secure(self) -> bool:
        """Whether connections are TLS."""
        return self.scheme == "https"

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address, so that there is nothing to look up."""
        return _is_address(self.host)

    @property
    def place(self) -> str:
        """Host and port, for people."""
        return f"{self._bracketed}:{self.port}"

    @property
    def authority(self) -> bytes:
        """What C{Host} says: the port only where it is not the scheme's own."""
        if self.port == _PORTS[self.scheme]:
            return self._bracketed.encode("ascii")
        return self.place.encode("ascii")

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority.decode()}{self.prefix.decode()}"


def _parsed(text: str) -> OriginURL:
    if not _VISIBLE.fullmatch(text):
        raise ValueError("empty, or with spaces or control characters in it")
    if "://" not in text:
        raise ValueError("an origin needs a scheme, as in http://host:9090")
    parts = urlsplit(text)
    if parts.scheme not in _PORTS:
        raise ValueError(f"the scheme is {parts.scheme}, not http or https")
    _refuse_strange_parts(text, parts)
    return OriginURL(parts.scheme, _host(parts), _port(parts), _prefix(parts.path))


def _refuse_strange_parts(text: str, parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise ValueError("credentials do not belong here: set Authorization in the backend's "
                         "request_headers instead")
    if "?" in text or "#" in text:
        raise ValueError("an origin has no query and no fragment")


def _host(parts: SplitResult) -> str:
    host = parts.hostname
    if not host:
        raise ValueError("there is no host")
    if parts.netloc.startswith("["):
        return str(ip_address(host))
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    if not _NAME.fullmatch(host):
        raise ValueError(f"{host!r} is not a host name")
    return host


def _port(parts: SplitResult) -> int:
    if parts.netloc.endswith(":"):
        raise ValueError("there is a colon, but no port")
    port = parts.port
    if port == 0:
        raise ValueError("port 0 cannot be connected to")
    return port or _PORTS[parts.scheme]


def _prefix(path: str) -> bytes:
    if not _PATH.fullmatch(path):
        raise ValueError(f"the path {path!r} has characters that must be percent-encoded")
    return path.rstrip("/").encode("ascii")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _masked(text: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", text)
