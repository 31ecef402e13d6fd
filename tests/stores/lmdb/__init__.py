"""Tests of C{trickster.stores.lmdb}."""
