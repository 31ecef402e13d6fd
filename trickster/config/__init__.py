"""Configuration: the model, and how files, environment and flags become one."""
