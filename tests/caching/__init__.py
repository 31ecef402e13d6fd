"""Tests of both caches together."""
