"""One backend: its origin, its caches and its paths."""
