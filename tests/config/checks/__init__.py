"""Tests of C{trickster.config.checks}."""
