"""Collapsed forwarding across processes: who fetches what, as a store that they share has it."""
