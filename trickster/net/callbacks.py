"""Callbacks of those who need not be called back."""

from __future__ import annotations


def ignore(*_: object) -> None:
    """Do nothing about what is told: it has been dealt with, or is of no interest."""
