"""Tests of C{trickster.caching}."""
