"""Tests of C{trickster.objects}."""
