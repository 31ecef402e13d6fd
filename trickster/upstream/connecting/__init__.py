"""How an origin is reached: names, addresses and TLS."""
