"""Tests of C{trickster.stores.eviction}."""
