"""Workers of one supervisor, each of which is the home of some keys: what they ask one another."""
