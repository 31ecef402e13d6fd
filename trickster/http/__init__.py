"""The semantics of HTTP, as functions of values: nothing here knows Twisted."""
