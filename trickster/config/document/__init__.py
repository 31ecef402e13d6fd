"""Reading a document in which every key has a place, knowing none of the keys themselves."""
