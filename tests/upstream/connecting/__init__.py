"""Tests for L{trickster.upstream.connecting}."""
