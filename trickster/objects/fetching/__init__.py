"""Fetches of what is to be stored, from one request to what all who wait for it get."""
