"""Tests of what is known about PromQL."""
