"""Conformance of the running program to HTTP caching (RFC 9111 and its kin), as data."""
