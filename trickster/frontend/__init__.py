"""The way from the clients: listeners, HTTP."""
