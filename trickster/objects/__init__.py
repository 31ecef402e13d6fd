"""The object cache: whole responses and parts of them, by RFC 9111."""
