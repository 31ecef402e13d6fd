"""The delta proxy cache: ranges of time series, of which only what is missing is fetched."""
