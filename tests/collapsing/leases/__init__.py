"""Tests of L{trickster.collapsing.leases}."""
