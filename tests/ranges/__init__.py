"""Tests of C{trickster.ranges}."""
