"""Tests of C{trickster.observability.logging}."""
