"""Tests for L{trickster.frontend}."""
