"""Which entries of a store go when there is no room."""
