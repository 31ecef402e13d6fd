"""Tests of C{trickster.stores.inspection}."""
