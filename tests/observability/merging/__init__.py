"""Tests of C{trickster.observability.merging}."""
