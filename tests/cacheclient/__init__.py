"""Tests of C{trickster.cacheclient}."""
