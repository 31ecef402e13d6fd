"""Tests of C{trickster.observability}."""
