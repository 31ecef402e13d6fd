"""Tests of C{trickster.compose}."""
