"""Purging: what was stored before a purge is not used after it, in no process that shares a store."""
