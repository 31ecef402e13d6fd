"""Configuration in, the running program's services out: the only package that knows everything."""

from trickster.compose.program import build

__all__ = ["build"]
