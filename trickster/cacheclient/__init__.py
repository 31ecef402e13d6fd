"""C{trickster cache}: purges caches of a running Trickster, and looks into them, from a shell."""
