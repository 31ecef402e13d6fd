"""The classes of what a configuration says, and how they hang together."""
