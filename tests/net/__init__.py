"""Tests of C{trickster.net}."""
