"""The management API: purging, and looking into caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from trickster.admin.caches import CacheEntries, CacheFacts, CacheList
from trickster.admin.endpoints import Only, ReadOnly
from trickster.admin.purger import Purger
from trickster.admin.purging import PurgeByOrder, PurgeByURL
from trickster.admin.samesite import SameSite
from trickster.interfaces import IResponder
from trickster.purging.table import Kind

API = "/trickster/api/v1"
PURGE_PATH = f"{API}/purge"
CACHES_PATH = f"{API}/caches"


@frozen
class Management:
    """
    What is on the mgmt listener to purge caches, and to look into them.

    :ivar paths: where purges by URL are (C{trickster.config.options.model.MgmtOptions}).
    """

    paths: Any
    purger: Purger
    caches: Sequence[CacheFacts]

    @property
    def exact(self) -> Mapping[str, IResponder]:
        """:return: what answers, by whole path."""
        return {PURGE_PATH: SameSite(Only(PurgeByOrder(self.purger), (b"POST",))),
                CACHES_PATH: SameSite(ReadOnly(CacheList(self.caches)))}

    @property
    def below(self) -> Mapping[str, IResponder]:
        """:return: what answers for all that is below a path, by that path."""
        place = CACHES_PATH.encode() + b"/"
        entries = CacheEntries(place, {each.name: each for each in self.caches})
        found: dict[str, IResponder] = {CACHES_PATH: SameSite(ReadOnly(entries))}
        for path, kind in ((self.paths.purge_by_key_path, Kind.KEY),
                           (self.paths.purge_by_path_path, Kind.PATH)):
            bare = path.rstrip("/")
            if bare:
                purging = PurgeByURL(self.purger, bare.encode() + b"/", kind)
                found[bare] = SameSite(Only(purging, (b"GET", b"DELETE")))
        return found
