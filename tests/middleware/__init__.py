"""Tests of trickster.middleware."""
