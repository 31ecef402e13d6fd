"""An event-driven HTTP reverse proxy cache and time-series dashboard accelerator."""

__version__ = "0.1.0"
