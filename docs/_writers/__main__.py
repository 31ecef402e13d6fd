"""C{python docs/_writers}; see L{pages}."""

from __future__ import annotations

import sys

from pages import main

sys.exit(main(sys.argv[1:]))
