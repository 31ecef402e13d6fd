"""How Sphinx builds these pages."""

from __future__ import annotations

import sys
from pathlib import Path

import trickster

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Trickster for Python"
author = "the Trickster for Python authors"
copyright = author
version = release = trickster.__version__

extensions = ["myst_parser", "generated"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"{project} {release}"
