"""Tests of C{trickster.stores.redis.cluster}."""
