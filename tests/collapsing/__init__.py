"""Tests of C{trickster.collapsing}."""
