"""Tests of the time-series model."""
