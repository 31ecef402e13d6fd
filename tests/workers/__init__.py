"""Tests of C{trickster.workers}."""
