"""Remembering what pure functions of texts give, within a bound on the octets held."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar, cast

F = TypeVar("F", bound=Callable[..., object])


def remembered(most: int, longest: int = 4096) -> Callable[[F], F]:
    """
    Like C{functools.lru_cache}, for functions of texts that strangers send: calls with long
    texts are not remembered, so that no client can fill the memory with them.

    :param most: calls remembered; the least recently used is forgotten first.
    :param longest: characters or octets of all arguments together.
    :return: a decorator of pure functions whose arguments are all texts.
    """
    def decorate(function: F) -> F:
        known = lru_cache(maxsize=most)(function)

        @wraps(function)
        def call(*texts: str | bytes) -> object:
            return (known if sum(map(len, texts)) <= longest else function)(*texts)

        return cast("F", call)

    return decorate
