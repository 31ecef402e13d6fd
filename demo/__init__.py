"""A demonstration: an origin of our own, Trickster in front of it, a dashboard both ways."""
