"""Exchanges with an origin, one after the other over an HTTP/1.1 connection."""
