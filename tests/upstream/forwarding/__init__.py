"""Tests for L{trickster.upstream.forwarding}."""
