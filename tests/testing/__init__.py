"""Tests of C{trickster.testing}."""
