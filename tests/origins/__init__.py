"""Tests of the origin types."""
