"""Tests of C{trickster.keys}."""
