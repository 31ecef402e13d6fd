"""Connections to servers: how they are made, kept, read and listened on."""
