"""Tests of trickster.routing."""
