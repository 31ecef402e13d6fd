"""Tests for L{trickster.upstream.h1}."""
