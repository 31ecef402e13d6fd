"""What those who look into a cache are told of it."""
