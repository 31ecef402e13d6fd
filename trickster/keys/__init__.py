"""What stored responses are looked up by: target, parameters, and identity of the client."""
