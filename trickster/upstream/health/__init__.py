"""Whether an origin is well, as probes of it find."""
