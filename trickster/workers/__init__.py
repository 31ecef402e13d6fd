"""Several worker processes that serve as one, and the supervisor that starts them."""
