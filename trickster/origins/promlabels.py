"""
Labels that a backend adds to all series, as if its database had them (C{prometheus.labels}).

They are on every series of every answer, and among label names and values; and what is shown
can be selected by and computed with, on every one of these endpoints.  Series that have lost
them in an aggregation get them back in the end, so that answers of several backends can be told
apart.  What Prometheus says of itself (targets, rules, alerts, status) is its own word, and so are remote write and
remote read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from urllib.parse import unquote_to_bytes

from attrs import Factory, field, frozen

from trickster.errors import BadRequest, Reason
from trickster.http.grammar import split_list
from trickster.messages import Params, Request
from trickster.origins.promjson import (
    Relabel,
    relabelled_exemplars,
    relabelled_samples,
    relabelled_series,
    relabeller,
    value_if_any,
    with_names,
)
from trickster.promql.added import Inexpressible, translated, translated_selector
from trickster.promql.tokens import Unreadable
from trickster.routes import Translation

Answer = Callable[[bytes], bytes]
_VALUES = re.compile(rb"(.*/)label/([^/]+)/values")
_SAMPLE = re.compile(
    rb'(?m)^([^#\s{][^\s{]*)?(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?(?=[ \t])')
_TEXT = b"text/plain"


def _relabellers(labelling: Labelling) -> Callable[[frozenset[str]], Relabel]:
    def of(names: frozenset[str]) -> Relabel:
        return relabeller({name: labelling.labels[name] for name in names})

    return lru_cache(maxsize=16)(of)


@frozen
class Labelling:
    """
    Translates queries of labelled series for a database that has not these labels.

    The methods are what L{trickster.routes.Route.translate} may be.

    :ivar labels: names and values.
    """

    labels: Mapping[str, str]
    _relabel: Callable[[frozenset[str]], Relabel] = field(
        init=False, repr=False, eq=False, default=Factory(_relabellers, takes_self=True))

    def samples(self, request: Request, params: Params) -> Translation:
        """
        :param params: of query and form together.
        :return: a range or instant query; the series of its answer get our labels.
        """
        sent, missing, is_read = self._expressions(params)
        return Translation(request.path, sent, answer=self._checked(params, is_read, partial(
            _labelled, every=self._relabel(self._all), lacking=self._relabel(missing))))

    def exemplars(self, request: Request, params: Params) -> Translation:
        """
        :param params: of query and form together.
        :return: a question for exemplars of the series in an expression; each series gets our labels.
        """
        sent, _, is_read = self._expressions(params)
        return Translation(request.path, sent, answer=self._checked(
            params, is_read, partial(relabelled_exemplars, relabel=self._relabel(self._all))))

    def series(self, request: Request, params: Params) -> Translation:
        """
        :param params: of query and form together.
        :return: a question for label sets of series; ours are added to each set.
        """
        sent, is_read = self._selectors(params)
        return Translation(request.path, sent, answer=self._checked(
            params, is_read, partial(relabelled_series, relabel=self._relabel(self._all))))

    def names(self, request: Request, params: Params) -> Translation:
        """
        :param params: of query and form together.
        :return: a question for names of labels; ours are among them where there is a series.
        """
        sent, is_read = self._selectors(params)
        return Translation(request.path, sent, answer=self._checked(params, is_read, partial(
            with_names, names=sorted(self.labels), most=_limit(params))))

    def values(self, request: Request, params: Params) -> Translation:
        """
        :param params: of query and form together.
        :return: a question for the values of a label.  For one of ours it asks whether there is a
            series at all: where there is, its value is the answer.
        """
        sent, is_read = self._selectors(params)
        found = _VALUES.fullmatch(request.path)
        name = self._ours(found.group(2)) if found is not None else None
        if found is None or name is None:
            return Translation(request.path, sent, answer=self._checked(params, is_read, None))
        return Translation(found.group(1) + b"labels", sent.without("limit"),
                           answer=self._checked(params, is_read, partial(
                               value_if_any, value=self.labels[name])))

    def federated(self, request: Request, params: Params) -> Translation:
        """
        :param params: of query and form together.
        :return: a question for the newest samples as text, in a form of text that can be labelled.
        """
        sent, is_read = self._selectors(params)
        return Translation(request.path, sent, _as_text(request), self._checked(
            params, is_read, partial(labelled_text, labels=self.labels)))

    @property
    def _all(self) -> frozenset[str]:
        return frozenset(self.labels)

    def _ours(self, octets: bytes) -> str | None:
        text = unquote_to_bytes(octets).decode("utf-8", "surrogateescape")
        for name in self.labels:
            # Since version 3 Prometheus has another spelling of names (U__) in paths.
            if text in (name, "U__" + name.replace("_", "__")):
                return name
        return None

    def _expressions(self, params: Params) -> tuple[Params, frozenset[str], bool]:
        """:return: the parameters, what their answers lack, and whether they were understood."""
        pairs, missing = [], self._all
        try:
            for name, value in params.pairs:
                if name == "query":
                    one = translated(value, self.labels)
                    value, missing = one.text, one.missing
                pairs.append((name, value))
        except Unreadable:
            return params, self._all, False
        except Inexpressible as error:
            raise _inexpressible(error.label) from error
        return Params(tuple(pairs)), missing, True

    def _selectors(self, params: Params) -> tuple[Params, bool]:
        pairs, is_read = [], True
        for name, value in params.pairs:
            if name == "match[]":
                try:
                    value = translated_selector(value, self.labels)
                except Unreadable:
                    is_read = False
            pairs.append((name, value))
        return Params(tuple(pairs)), is_read

    def _checked(self, params: Params, is_read: bool, answer: Answer | None) -> Answer | None:
        """
        :param is_read: whether all was understood; otherwise the origin is asked as the client
            asked, and most often refuses.
        :return: C{answer}; or what refuses an answer about something of ours that the origin
            took for its own.
        """
        if is_read:
            return answer
        texts = "\0".join(v for k, v in params.pairs if k in ("query", "match[]"))
        for name in self.labels:
            if name in texts:
                return partial(_refused, label=name)
        return answer


def _labelled(octets: bytes, every: Relabel, lacking: Relabel) -> bytes:
    """
    Put our labels on all series of an answer, also on those that were made of several and have
    lost them, so that whose they are is seen; unless two became the same by that.

    :param octets: a whole answer to an instant or a range query.
    :param every: puts all of our labels on a label set.
    :param lacking: puts on only those that each series of the answer lacks, and would have if the
        origin knew them: by that no two series become the same.
    :return: the answer with labels; octets that are no such answer, as they are.
    """
    made: dict[bytes, bytes] = {}

    def noted(metric: bytes) -> bytes:
        return made.setdefault(metric, every(metric))

    changed = relabelled_samples(octets, noted)
    is_distinct = len(set(made.values())) == len(made)
    return changed if is_distinct else relabelled_samples(octets, lacking)


def labelled_text(octets: bytes, labels: Mapping[str, str]) -> bytes:
    """
    :param octets: samples in the text format of Prometheus, or in OpenMetrics.
    :return: the same with labels on every sample.
    """
    ours = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()).encode()
    names = b"|".join(re.escape(name.encode()) for name in labels)
    replaced = re.compile(rb'(?:^|(?<=,))(?:' + names + rb')="(?:[^"\\]|\\.)*"(?:,|$)')

    def labelled(match: re.Match[bytes]) -> bytes:
        if not match.group():
            return b""
        name, inner = match.group(1) or b"", match.group(2) or b""
        kept = replaced.sub(b"", inner).rstrip(b",")
        return b"%b{%b%b%b}" % (name, kept, b"," if kept else b"", ours)

    return _SAMPLE.sub(labelled, octets)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _as_text(request: Request) -> bytes:
    kinds = split_list(request.headers.joined(b"accept") or b"")
    taken = [kind for kind in kinds if b"text" in kind and b"protobuf" not in kind]
    return b",".join(taken) or _TEXT


def _limit(params: Params) -> int:
    limit = params.get("limit") or ""
    return int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 10 else 0


def _refused(_: bytes, label: str) -> bytes:
    raise _inexpressible(label)


def _inexpressible(label: str) -> BadRequest:
    return BadRequest(
        f"the label {label} is added by Trickster, and cannot be used in this expression",
        Reason.UNPARSABLE_QUERY, 422)
