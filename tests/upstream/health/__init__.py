"""Tests for L{trickster.upstream.health}."""
