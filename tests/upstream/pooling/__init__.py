"""Tests for L{trickster.upstream.pooling}."""
