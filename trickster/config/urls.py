"""Whether a text of a configuration is a URL, a host or an address that can be used."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\.?$){_LABEL}(?:\.{_LABEL})*\.?")
# RFC 3986 section 3.3; all else must be percent-encoded.
_PATH = re.compile(r"(?:[!$&-;=@-Z_a-z~]|%[0-9A-Fa-f]{2})*")


def origin_fault(url: str) -> str:
    """
    :return: why the URL cannot be an origin's, or nothing.
    """
    if re.fullmatch(r"[!-~]+", url) is None:
        return "has spaces, or characters that are not ASCII"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"is not a URL ({error})"
    if parts.scheme not in ("http", "https") or "://" not in url:
        return "does not begin with http:// or https://"
    if "@" in parts.netloc:
        return ("has credentials, which do not belong there: set Authorization in the backend's "
                "request_headers instead")
    if not parts.hostname or parts.netloc.endswith(":") or not is_host(parts.hostname) or port == 0:
        return "names no host that can be connected to"
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        return "has a query or a fragment, which no origin can have"
    if _PATH.fullmatch(parts.path) is None:
        return "has characters in its path that must be percent-encoded"
    return ""


def is_host(text: str) -> bool:
    """:return: whether it is an IP address (without brackets) or a host name."""
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        # What ends like an IPv4 address is one, or nothing (WHATWG URL, "ends in a number").
        last = text.rstrip(".").rpartition(".")[2]
        return _HOST.fullmatch(text) is not None and not last.isdigit()
    return True


def address_fault(text: str) -> str:
    """
    :return: why a listener cannot listen on that address, or nothing.
    """
    if not text or is_host(text):
        return ""
    return f"{text!r} is not an address; expected an IP address such as 127.0.0.1 or ::1"


def network_fault(text: str) -> str:
    """
    :return: why it is no address and no network, or nothing.
    """
    try:
        ip_network(text)
    except ValueError:
        return f"{text!r} is not a network; expected one such as 10.0.0.0/8, or an address"
    return ""


def authority_fault(text: str) -> str:
    """
    :return: why the host name cannot be one that clients ask for, or nothing.
    """
    if is_host(text.strip("[]")):
        return ""
    return f"{text!r} is not a host name; expected one without scheme, port and wildcard"
