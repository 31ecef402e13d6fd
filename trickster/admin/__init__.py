"""The built-in endpoints: ping, health, configuration, metrics."""
