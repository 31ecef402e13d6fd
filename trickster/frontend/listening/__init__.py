"""Sockets that clients connect to, and when connections are accepted."""
