"""Tests of C{trickster.config.options}."""
