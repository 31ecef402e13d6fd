"""What is checked across the keys of a configuration, once it is read."""
