"""A cache store in one file of LMDB, which the processes of a host share."""
