"""How many workers there are to be."""

from __future__ import annotations

from collections.abc import Callable

AUTO = "auto"
MOST = 256


def number_of(workers: str, cores: Callable[[], int]) -> int:
    """
    :param workers: as in C{main.workers}: a number from 1 to L{MOST}, or C{auto}.
    :param cores: how many processes can run at the same time.
    :return: the number; for C{auto} one for each core.
    :raises ValueError: it is neither.
    """
    text = workers.strip().lower()
    if text == AUTO:
        return max(1, min(cores(), MOST))
    # More digits than a few, Python refuses with words of its own.
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 0 < number <= MOST:
        raise ValueError(f"expected a number from 1 to {MOST}, or {AUTO}")
    return number
