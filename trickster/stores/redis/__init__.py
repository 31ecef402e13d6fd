"""The cache store in Redis: one server, servers behind Sentinel, or a cluster."""
