"""How the entries of a cache are cut into chunks, and how many of these move at a time."""

from __future__ import annotations

from attrs import frozen

from trickster.stores.sealed import CHUNK


@frozen(kw_only=True)
class Chunking:
    """
    What the configuration says of entries in stores of octets; memory keeps objects whole.

    :ivar octets: most octets of a chunk of any part of an entry but the first; at most
        L{CHUNK}.
    :ivar whole: most parts of an entry that may be in the value of its key, all together, while
        they are small; 0 for any number.
    :ivar reads: chunks of one entry that are read at a time, at most.
    :ivar writes: chunks of one entry that are written at a time, at most.
    """

    octets: int = CHUNK
    whole: int = 0
    reads: int = 16
    writes: int = 16
