"""Which backend a request is for, and which of its paths."""
