"""The configuration reference, with the blocks of the origin types that come with Trickster."""

from __future__ import annotations

from trickster.config import reference
from trickster.config.settings import keys_of
from trickster.interfaces import IOriginType
from trickster.plugins import ORIGINS, Plugins

# A stranger's package may be installed where the pages are made; they are not about it.
_OURS = ("prometheus", "reverseproxycache", "reverseproxy")


def render() -> str:
    """:return: Markdown, with a section for each block that has keys."""
    load = Plugins().load
    blocks = {f"backends.<name>.{name}": load(ORIGINS, name, IOriginType).options
              for name in _OURS}
    return reference.render({path: each for path, each in blocks.items() if keys_of(each)})
