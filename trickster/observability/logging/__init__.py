"""Logs: lines that nothing can forge, written without making the reactor wait."""
