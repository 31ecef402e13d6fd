"""The metrics of several processes as those of one."""
