"""Whether a text of a configuration is a host, an address, a network or a path."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

from trickster.config.document.problems import shown
from trickster.http.origin_url import is_host_name


def is_host(text: str) -> bool:
    """:return: whether it is an IP address (without brackets) or a host name."""
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return is_host_name(text)
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


def path_fault(text: str) -> str:
    """
    :return: why it is not the path of a URL, or nothing.
    """
    if text.startswith("/") and re.fullmatch(r"[!-~]+", text):
        return ""
    return f"{shown(text)} is not a path; expected one that begins with /"
