"""The configuration reference, with the blocks of the plugins that come with Trickster."""

from __future__ import annotations

from trickster.config import reference
from trickster.config.document.settings import keys_of
from trickster.interfaces import IOriginType, IStoreType
from trickster.middleware.compression import compression
from trickster.middleware.rewriting import rewriting
from trickster.middleware.static_response import static
from trickster.plugins import ORIGINS, STORES, Plugins

# A stranger's package may be installed where the pages are made; they are not about it.
_OURS = ("prometheus", "reverseproxycache", "reverseproxy")
_OUR_STORES = ("memory", "filesystem", "lmdb", "bbolt", "badger", "redis")


def render() -> str:
    """:return: Markdown, with a section for each block that has keys."""
    load = Plugins().load
    blocks = {f"backends.<name>.{name}": load(ORIGINS, name, IOriginType).options
              for name in _OURS}
    blocks |= {f"caches.<name>.{name}": load(STORES, name, IStoreType).options
               for name in _OUR_STORES}
    blocks |= {f"middlewares.<name>.{kind.name}": kind.options
               for kind in (compression, rewriting, static)}
    return reference.render({path: each for path, each in blocks.items() if keys_of(each)})
