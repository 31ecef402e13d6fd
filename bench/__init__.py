"""Benchmarks: two systems side by side in one interleaved run, and the ratio between them."""
