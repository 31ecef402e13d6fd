"""The HTTP/1.1 codec, for both roles (RFC 9112): octets to messages, and messages to octets."""
