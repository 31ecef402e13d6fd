"""Which of a cluster's hash slots a key is in."""

from __future__ import annotations

from binascii import crc_hqx

SLOTS = 16384


def slot_of(key: bytes) -> int:
    """
    The rule of the Redis Cluster specification, "Key distribution model" and "Hash tags".

    :param key: as the server gets it.
    :return: CRC16 (XMODEM) of the key, or of what is between its first C{"{"} and the first
        C{"}"} after it where that is not empty; from 0 to 16383.
    """
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1:end]
    return crc_hqx(key, 0) % SLOTS
