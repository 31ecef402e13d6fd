"""What stored answers are looked up by: the question, and the identity of the client."""
