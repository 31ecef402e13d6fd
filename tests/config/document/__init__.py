"""Tests of C{trickster.config.document}."""
