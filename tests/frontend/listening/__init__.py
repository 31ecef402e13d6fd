"""Tests of C{trickster.frontend.listening}."""
