"""Tests of C{trickster.objects.fetching}."""
