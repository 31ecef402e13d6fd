"""What a server of a cluster means by an error: where to go, or to come again."""

from __future__ import annotations

import re

from attrs import frozen

from trickster.stores.redis.addresses import Address
from trickster.stores.redis.cluster.slots import SLOTS
from trickster.stores.redis.cluster.topology import BadTopology, read_address

# The cluster does not serve the slot now, or the server does not serve at all yet: that passes.
_AGAIN = ("TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN")
_REDIRECT = re.compile(r"(MOVED|ASK) ([0-9]{1,5}) (\S{1,300})\Z")


@frozen
class Moved:
    """The slot is at another server, for good."""

    slot: int
    address: Address


@frozen
class Asked:
    """The key is at another server if it is anywhere, for this once: its slot is being moved."""

    address: Address


@frozen
class Again:
    """
    To be asked again, a little later.

    :ivar is_lost: whether the cluster, as this server knows it, is not whole: another server may
        know more.
    """

    is_lost: bool


def redirect(text: str, asked: Address) -> Moved | Asked | Again | None:
    """
    :param text: of an error that a server gave.
    :param asked: the server.
    :return: what is to be done about it; None for errors of any other kind.
    :raises BadTopology: it is a redirection to nowhere.
    """
    word, _, _ = text.partition(" ")
    if word in _AGAIN:
        return Again(word != "TRYAGAIN")
    if word not in ("MOVED", "ASK"):
        return None
    found = _REDIRECT.match(text.strip())
    if found is None or int(found[2]) >= SLOTS:
        raise BadTopology(f"{asked} redirects to nowhere")
    address = read_address(found[3], asked)
    return Asked(address) if word == "ASK" else Moved(int(found[2]), address)
