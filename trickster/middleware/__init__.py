"""What may be put around a responder."""
