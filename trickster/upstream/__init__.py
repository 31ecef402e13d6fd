"""The way to the origins: connections, timeouts, forwarding."""
