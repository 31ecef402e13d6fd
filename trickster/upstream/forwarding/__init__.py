"""What of a request is sent on, as pure functions (RFC 9110 section 7.6)."""
