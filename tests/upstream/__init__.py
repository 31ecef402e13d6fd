"""Tests of C{trickster.upstream}."""
