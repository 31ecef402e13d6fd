"""The connections to an origin, and the requests that wait for one."""
