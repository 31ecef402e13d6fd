"""Several requests share one exchange with an origin, and one body."""
