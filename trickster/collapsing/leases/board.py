"""
Who fetches what of a key, as all processes that share a store know it: pure.

A claim says that one process fetches something.  Each has a token that is greater than those of
the claims before it, so that what was fetched by an older one is known as such.  No clock has a
part in it but to have tokens grow where earlier claims are forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import Enum
from hashlib import blake2b
from typing import Annotated

import msgspec
from attrs import evolve, frozen

# Another number for every change of the form.
_MAGIC = b"TkL1"
_DIGEST = 16
# Octets at the beginning of a board that tell it from all others.
STAMP = len(_MAGIC) + _DIGEST
# Fetches of one key that are told of at a time; any more are told of to no other process.
MOST_HELD = 64
# Those that have ended, and octets of what all of them have brought.
_MOST_ENDED, _MOST_BROUGHT = 16, 1 << 18
# Octets of what one of them has brought.
MOST_RESULT = 1 << 16
# Octets of one board in a store, lest what a store gives be more than memory takes.
_MOST_OCTETS = 1 << 20

# Far below what 64 bits hold: there is always a next number.
_MOST = 1 << 62
_MOST_SPANS = 256
_Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
_Instant = Annotated[int, msgspec.Meta(ge=-_MOST, le=_MOST)]
Span = tuple[int, int]


class State(Enum):
    """How far a fetch is."""

    HELD = "held"
    STORED = "stored"
    UNSHARED = "unshared"
    FAILED = "failed"
    GIVEN = "given"


# Ends after which the store may have what was fetched, or some of it.
_KEPT = frozenset((State.STORED, State.GIVEN))


class Claim(msgspec.Struct, array_like=True, frozen=True):
    """
    A fetch of one process.

    :ivar holder: tells it from all others.
    :ivar token: greater than those of all claims that were there when it was made.
    :ivar spans: of time, both ends inclusive, in nanoseconds, that are fetched; none where it is
        all that there is.
    :ivar beat: grows while the holder is at work.
    :ivar result: what a fetch has brought that has ended, where the store has not got that.
    """

    holder: Annotated[str, msgspec.Meta(max_length=64)]
    token: _Count
    spans: Annotated[list[tuple[_Instant, _Instant]], msgspec.Meta(max_length=_MOST_SPANS)] = []
    beat: _Count = 0
    state: State = State.HELD
    result: Annotated[bytes, msgspec.Meta(max_length=MOST_RESULT)] = b""

    @property
    def is_held(self) -> bool:
        """Whether the fetch is under way, as far as it is known."""
        return self.state is State.HELD

    def overlaps(self, spans: Collection[Span]) -> bool:
        """Whether it fetches some of this, where none is all that there is."""
        if not self.spans or not spans:
            return True
        return any(start <= other_end and other_start <= end
                   for start, end in self.spans for other_start, other_end in spans)


class _Stored(msgspec.Struct, array_like=True):
    newest: _Count
    claims: Annotated[list[Claim], msgspec.Meta(max_length=MOST_HELD + _MOST_ENDED)]


_reader = msgspec.msgpack.Decoder(_Stored)
_writer = msgspec.msgpack.Encoder()


@frozen
class Claimed:
    """
    A claim that was made.

    :ivar board: that has it.
    """

    board: Board
    claim: Claim


@frozen
class Board:
    """
    All claims of one key.

    :ivar newest: the greatest token that was given.
    """

    newest: int = 0
    claims: tuple[Claim, ...] = ()

    @classmethod
    def decoded(cls, octets: bytes | None) -> Board:
        """:return: what L{encoded} made; an empty one where the octets are nothing of ours."""
        if octets is None or len(octets) > _MOST_OCTETS or octets[:len(_MAGIC)] != _MAGIC:
            return cls()
        body = octets[STAMP:]
        if _digest_of(body) != octets[len(_MAGIC):STAMP]:
            return cls()
        try:
            stored = _reader.decode(body)
        except (ValueError, RecursionError):
            return cls()
        return cls(stored.newest, tuple(stored.claims))

    def encoded(self) -> bytes:
        """:return: the board, as a store keeps it: its first octets tell it from all others."""
        body = _writer.encode(_Stored(self.newest, list(self.claims)))
        return _MAGIC + _digest_of(body) + body

    @property
    def is_held(self) -> bool:
        """:return: whether there is a fetch under way."""
        return any(claim.is_held for claim in self.claims)

    def held_over(self, spans: Collection[Span]) -> tuple[Claim, ...]:
        """:return: the fetches under way of some of this, as L{Claim.overlaps}."""
        return tuple(one for one in self.claims if one.is_held and one.overlaps(spans))

    def kept_over(self, spans: Collection[Span], known: int) -> Claim | None:
        """
        :param known: a token: what was fetched under it, and under smaller ones, is known.
        :return: the oldest fetch of some of this that has ended, and is not known, of what the
            store may have; None where there is none.
        """
        kept = [one for one in self.claims if one.state in _KEPT and one.token > known
                and one.overlaps(spans)]
        return min(kept, key=lambda one: one.token, default=None)

    def claim(self, holder: str) -> Claim | None:
        """:return: a holder's claim; None where it has none any more."""
        return next((one for one in self.claims if one.holder == holder), None)

    def claimed(self, holder: str, spans: Collection[Span], least: int,
                dead: Iterable[str] = (), *, is_beside: bool = False) -> Claimed | None:
        """
        Make a claim.

        :param holder: has none yet.
        :param spans: of time, in nanoseconds, both ends inclusive; none for all that there is.
        :param least: what its token is not less than.
        :param dead: holders whose claims end here.
        :param is_beside: whether it is made though others hold some of it.
        :return: None where others do, or there is no room for another claim.
        """
        if not _is_sayable(spans):
            return None
        gone = frozenset(dead)
        others = [one for one in self.claims if one.holder not in gone
                  and (one.is_held or is_beside or not one.overlaps(spans))]
        held = sum(one.is_held for one in others)
        if held >= MOST_HELD or not is_beside and any(
                one.is_held and one.overlaps(spans) for one in others):
            return None
        number = min(_MOST, max(self.newest + 1, least))
        claim = Claim(holder, number, list(spans))
        return Claimed(Board(number, _bounded((*others, claim))), claim)

    def beaten(self, holder: str) -> Board | None:
        """:return: the board with a holder's next beat; None where it holds nothing any more."""
        claim = self.claim(holder)
        if claim is None or not claim.is_held:
            return None
        return self._with(msgspec.structs.replace(claim, beat=claim.beat + 1))

    def ended(self, holder: str, state: State, result: bytes = b"") -> Board | None:
        """
        :param result: not more than L{MOST_RESULT}.
        :return: the board on which a holder's fetch has ended; None as L{beaten}.
        """
        claim = self.claim(holder)
        if claim is None or not claim.is_held:
            return None
        return self._with(msgspec.structs.replace(claim, state=state, result=result))

    def without(self, holder: str) -> Board | None:
        """:return: the board without a holder's claim; None as L{beaten}."""
        claim = self.claim(holder)
        if claim is None or not claim.is_held:
            return None
        return evolve(self, claims=tuple(one for one in self.claims if one is not claim))

    def _with(self, claim: Claim) -> Board:
        others = [one for one in self.claims if one.holder != claim.holder]
        return evolve(self, claims=_bounded((*others, claim)))


def _is_sayable(spans: Collection[Span]) -> bool:
    return len(spans) <= _MOST_SPANS and all(
        -_MOST <= instant <= _MOST for span in spans for instant in span)


def _bounded(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """:return: the claims without those of the oldest fetches that have ended, where these are many."""
    kept: list[Claim] = []
    ended = brought = 0
    for claim in reversed(claims):
        if not claim.is_held:
            ended, brought = ended + 1, brought + len(claim.result)
            if ended > _MOST_ENDED or brought > _MOST_BROUGHT:
                continue
        kept.append(claim)
    return tuple(reversed(kept))


def is_fenced(token: int, stored: int) -> bool:
    """
    :param token: of the claim under which something was fetched; 0 where there was none.
    :param stored: of what is stored.
    :return: whether that must not be replaced: it was fetched under a newer claim.
    """
    return 0 < token < stored


def _digest_of(body: bytes) -> bytes:
    return blake2b(body, digest_size=_DIGEST).digest()
