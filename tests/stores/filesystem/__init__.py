"""Tests of C{trickster.stores.filesystem}."""
