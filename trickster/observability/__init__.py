"""What an outcome looks like from outside: metrics, log lines, headers."""
