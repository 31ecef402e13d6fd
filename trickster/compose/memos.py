"""What the whole process remembers beside its caches, each within a bound of its own."""

from __future__ import annotations

from functools import partial

from attrs import field, frozen

from trickster.collapsing.hit_memo import HitMemo
from trickster.config.options.model import MainOptions
from trickster.middleware.codedmemo import CodedMemo
from trickster.observability.counters import MemoUsage
from trickster.observability.metrics import Metrics
from trickster.ranges.fast_forward import NewestMemo
from trickster.remembering import SizedLRU
from trickster.stores.near_tier import NearTier


def _newest() -> NewestMemo:
    return SizedLRU(MainOptions().fast_forward_memo_bytes)


@frozen
class Memos:
    """
    The memos of a process.

    :ivar hits: small full hits of all caches.
    :ivar coded: compressed forms.
    :ivar newest: newest samples of all range queries.
    :ivar decoded: entries of all caches that keep octets.
    """

    hits: HitMemo = field(factory=HitMemo)
    coded: CodedMemo = field(factory=CodedMemo)
    newest: NewestMemo = field(factory=_newest)
    decoded: NearTier = field(factory=NearTier)

    @classmethod
    def of(cls, options: MainOptions) -> Memos:
        """:return: empty memos, as large as the configuration says."""
        return cls(HitMemo(options.hit_memo_bytes), CodedMemo(options.compressed_memo_bytes),
                   SizedLRU(options.fast_forward_memo_bytes),
                   NearTier(SizedLRU(options.decoded_memo_bytes)))

    def forget(self) -> None:
        """
        Forget what was made of what caches hold: that is found again, and so no cache of an
        earlier configuration is kept alive.
        """
        self.hits.kept.clear()
        self.newest.clear()

    def watch(self, metrics: Metrics) -> None:
        """
        Expose how full they are, and of how much use, for as long as the process lasts.

        :param metrics: of the process; reads them at each scrape, maybe from another thread.
        """
        metrics.watch_memo("hits", partial(_looked_up, self.hits))
        metrics.watch_memo("compressed", partial(_looked_up, self.coded))
        metrics.watch_memo("newest", partial(_usage, self.newest))
        metrics.watch_memo("decoded", partial(_looked_up, self.decoded))


def _usage(memo: NewestMemo) -> MemoUsage:
    return MemoUsage(len(memo), memo.octets, memo.limit)


def _looked_up(memo: HitMemo | CodedMemo | NearTier) -> MemoUsage:
    kept = memo.kept
    return MemoUsage(len(kept), kept.octets, kept.limit, memo.hits, memo.misses)
