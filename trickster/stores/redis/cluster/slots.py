"""Which of a cluster's hash slots a key is in."""

from __future__ import annotations

from binascii import crc_hqx

SLOTS = 16384


def slot_of(key: bytes) -> int:
    """
    The rule of the Redis Cluster specification, "Key distribution model" and "Hash tags".

    :param key: as the server gets it.
    :return: CRC16 (XMODEM) of the key's hash tag, or, where it has none, of the key; from 0 to
        16383.
    """
    return crc_hqx(hash_tag(key) or key, 0) % SLOTS


def hash_tag(key: bytes) -> bytes:
    """
    :return: what is between the first C{"{"} of a key and the first C{"}"} after it; empty where
        there is nothing.
    """
    start = key.find(b"{") + 1
    return key[start:max(start, key.find(b"}", start))] if start else b""
