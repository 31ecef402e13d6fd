"""The time-series model: pure values, no Twisted."""
