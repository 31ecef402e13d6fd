"""For plugin authors and for us: contract suites and test doubles."""
