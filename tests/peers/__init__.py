"""Tests of L{trickster.peers}."""
