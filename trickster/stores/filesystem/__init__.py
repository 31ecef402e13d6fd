"""A cache store of files: one for each value, in a directory that processes may share."""
