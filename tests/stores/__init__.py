"""Tests of C{trickster.stores}."""
