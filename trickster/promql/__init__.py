"""PromQL, as far as a cache must understand it: pure."""
