"""How Sphinx builds these pages."""

from __future__ import annotations

import trickster

project = "Trickster for Python"
author = "the Trickster for Python authors"
copyright = author
version = release = trickster.__version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"{project} {release}"
