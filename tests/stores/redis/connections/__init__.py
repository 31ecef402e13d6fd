"""Tests of C{trickster.stores.redis.connections}."""
