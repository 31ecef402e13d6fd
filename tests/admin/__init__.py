"""Tests of C{trickster.admin}."""
