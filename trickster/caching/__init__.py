"""The caches: delta, object, and the collapsing of requests."""
