"""Origin types: pure translators."""
