"""Tests of C{trickster.compose.backends}."""
