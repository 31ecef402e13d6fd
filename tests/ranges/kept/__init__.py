"""Tests of C{trickster.ranges.kept}."""
