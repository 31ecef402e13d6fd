"""The JSON of the Prometheus HTTP API, read no deeper than a cache must."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import msgspec

from trickster.errors import Reason, Undecodable
from trickster.remembering import remembered
from trickster.timeseries.dataset import Dataset, Runs
from trickster.timeseries.extents import Extents
from trickster.timeseries.row_format import SECOND_NS, RowFormat, decimal_ns
from trickster.timeseries.rows import IndexedRows, Rows, TextRows

_ABSENT = msgspec.Raw(b"")
_BRACKET = ord("[")
_NO_LABELS = msgspec.Raw(b"{}")
_VALUES = b',"values":['
_HISTOGRAMS = b',"histograms":['
_METRIC = b'{"metric":'
_NEXT = b"]}," + _METRIC
_TAIL = b"]}]}}"
_HEAD = b'{"status":"success","data":{"resultType":"matrix","result":['
_MALFORMED = (ValueError, RecursionError)  # the latter of arrays in arrays in arrays
_NOTHING = (b"", b"null", b"[]", b"{}")
# What numbers are spelled with, in JSON and in Prometheus's strings, and what is left of a
# row when they are gone.
_OF_NUMBERS = b"0123456789.+-eENaInf"
_BARE_ROW = b'[,""],'
_EXPONENT = re.compile(rb'\[[^,"]*[eE]')
_SUCCESS = b'"success"'
_WHITE = re.compile(rb"[ \t\r\n]")


class _Series(msgspec.Struct, forbid_unknown_fields=True):
    metric: msgspec.Raw
    values: msgspec.Raw = _ABSENT
    histograms: msgspec.Raw = _ABSENT


class _Sample(msgspec.Struct, forbid_unknown_fields=True):
    metric: msgspec.Raw
    value: msgspec.Raw = _ABSENT
    histogram: msgspec.Raw = _ABSENT


class _Data(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    result_type: str
    result: msgspec.Raw
    stats: msgspec.Raw = _ABSENT
    analysis: msgspec.Raw = _ABSENT  # of Thanos: empty, but for whom it was asked


class _Envelope(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    status: str
    data: _Data
    warnings: msgspec.Raw = _ABSENT
    infos: msgspec.Raw = _ABSENT
    is_partial: bool = False
    stats: msgspec.Raw = _ABSENT  # of VictoriaMetrics: how long it took


_envelope = msgspec.json.Decoder(_Envelope)
_one = msgspec.json.Decoder(_Series)
_matrix = msgspec.json.Decoder(list[_Series])
_vector = msgspec.json.Decoder(list[_Sample])
_pairs = msgspec.json.Decoder(list[msgspec.Raw])
_labels = msgspec.json.Decoder(dict[str, str])
_canonical = msgspec.json.Encoder(order="sorted")

Relabel = Callable[[bytes], bytes]


def label_order(identity: bytes) -> tuple[tuple[tuple[bytes, bytes], ...], bool]:
    """
    :param identity: of a series, as L{decode_matrix} and L{decode_vector} make it: the octets of
        the answer from its labels up to its rows.
    :return: what Prometheus orders the series of a range answer by: names and values of the
        labels, one after the other, octet for octet; and whether they are histograms, which come
        behind the floats of their labels.
    """
    column = _HISTOGRAMS if identity.endswith(_HISTOGRAMS) else _VALUES
    metric = identity[len(_METRIC):-len(column)]
    labels = sorted((k.encode("utf-8", "surrogatepass"), v.encode("utf-8", "surrogatepass"))
                    for k, v in _labels.decode(metric).items())
    return tuple(labels), column is _HISTOGRAMS


def decode_matrix(octets: bytes, extents: Extents) -> Dataset:
    """
    :param octets: the whole answer to C{query_range}.
    :param extents: what was asked for; samples outside it are left out.
    :return: the series of the answer, rows spelled as they are in it; numbers and histograms of
        equal labels are two of them.
    :raises Undecodable: it is not a complete and clean matrix.
    """
    try:
        series = _distinct(_columns(_scanned(octets)))
    except _MALFORMED:
        series = _parsed(octets)
    if not _is_on_grid(series, extents):
        raise Undecodable("samples off the step's grid")
    whole = Dataset(extents, series, label_order, "matrix")
    return whole.restricted(extents) if _has_more(series, extents) else whole


def _scanned(octets: bytes) -> Iterator[_Series]:
    """
    Find the borders of the series, and parse each by itself, so that no single step takes
    long: a thread that does it leaves the interpreter to others.  Quotes within strings are
    escaped, so what has a bare quote in it is found outside of them only.

    :return: the series of a clean matrix in the form that Prometheus gives it.
    :raises ValueError: it has another form, be it well-formed or not.
    """
    if not octets.startswith(_HEAD + _METRIC) or not octets.endswith(_TAIL):
        raise ValueError("another form")
    view = memoryview(octets)
    start, end = len(_HEAD), len(octets) - len(_TAIL)  # the last series ends behind end
    while start < end:
        border = octets.find(_NEXT, start, end)
        after = (end if border < 0 else border) + len(b"]}")
        yield _one.decode(view[start:after])
        start = after + len(b",")


def _parsed(octets: bytes) -> dict[bytes, Runs]:
    data = _complete(octets, "matrix")
    try:
        return _distinct(_columns(_matrix.decode(data.result)))
    except _MALFORMED as error:
        raise Undecodable(str(error)) from error


def _distinct(columns: Iterable[tuple[bytes, Rows]]) -> dict[bytes, Runs]:
    series: dict[bytes, Runs] = {}
    for identity, rows in columns:
        if identity in series:
            raise ValueError("the same series twice")
        series[identity] = (rows,)
    return series


def decode_vector(octets: bytes) -> Dataset:
    """
    :param octets: the whole answer to C{query} for a vector or a scalar.
    :return: a dataset that covers nothing, with one row a series.
    :raises Undecodable: it is not a complete and clean vector.
    """
    data = _complete(octets, "vector", "scalar")
    series: dict[bytes, Runs] = {}
    try:
        samples = ([_Sample(_NO_LABELS, data.result)] if data.result_type == "scalar"
                   else _vector.decode(data.result))
        for one in samples:
            column, row = ((_VALUES, bytes(one.value)) if bytes(one.value) else
                           (_HISTOGRAMS, bytes(one.histogram)))
            rows = _text_rows(row) if column is _VALUES else _indexed(b"[%b]" % row)
            series[_METRIC + _metric(one.metric) + column] = (rows,)
    except _MALFORMED as error:
        raise Undecodable(str(error)) from error
    return Dataset(Extents(1), series, label_order, "matrix")


def encode_matrix(dataset: Dataset, warnings: Iterable[str] = ()) -> Iterator[bytes | memoryview]:
    """
    :return: the octets of the answer, in many small pieces, made as they are asked for.
    """
    yield _HEAD
    opened: bytes | None = None  # the labels of the series that is still open
    for identity, runs in dataset.series.items():
        if identity.endswith(_HISTOGRAMS) and identity[:-len(_HISTOGRAMS)] == opened:
            yield b"]" + _HISTOGRAMS
        else:
            yield identity if opened is None else b"]}," + identity
        opened = identity[:identity.rindex(b',"')]
        for i, run in enumerate(runs):
            if i:
                yield b","
            yield run.encoded()
    yield b"]}]}" if opened is not None else b"]}"
    texts = list(warnings)
    yield b',"warnings":' + msgspec.json.encode(texts) + b"}" if texts else b"}"


def relabeller(labels: Mapping[str, str]) -> Relabel:
    """:return: a function that sets labels in the octets of a label set."""
    return partial(_relabelled_set, frozenset(labels.items()))


@remembered(16 << 20)
def _relabelled_set(fixed: frozenset[tuple[str, str]], metric: bytes) -> bytes:
    return _canonical.encode({**_labels.decode(metric), **dict(fixed)})


def relabelled_samples(octets: bytes, relabel: Relabel) -> bytes:
    """
    :param octets: the answer to an instant query or a range query.
    :return: the same with each series' labels changed; anything that is no such answer as
        it is.
    """
    try:
        return b"".join(_relabelled(octets, relabel))
    except _MALFORMED:
        pass  # it has another form
    try:
        answer: dict[str, msgspec.Raw] = _fields.decode(octets)
        data = _fields.decode(answer["data"])
        if bytes(data["resultType"]) not in (b'"vector"', b'"matrix"'):
            return octets
        data["result"] = _each_relabelled(data["result"], "metric", relabel)
    except (*_MALFORMED, KeyError, TypeError):
        return octets
    answer["data"] = msgspec.Raw(msgspec.json.encode(data))
    return msgspec.json.encode(answer)


def _relabelled(octets: bytes, relabel: Relabel) -> Iterator[bytes | memoryview]:
    """
    Find the labels of each series of a matrix as L{_scanned} does, and leave its samples alone.

    :param octets: the whole answer.
    :param relabel: what becomes of the octets of a label set.
    :return: the pieces of the changed answer, made as they are asked for.
    :raises ValueError: it has another form, which may be found out only after some pieces.
    """
    if not octets.startswith(_HEAD + _METRIC) or not octets.endswith(_TAIL):
        raise ValueError("another form")
    view = memoryview(octets)
    at, border = 0, len(_HEAD) - len(b"]},")
    while border >= 0:
        start = border + len(_NEXT)
        border = octets.find(_NEXT, start)
        until = border if border >= 0 else len(octets)
        end = octets.find(_VALUES, start, until)
        if end < 0:
            end = octets.index(_HISTOGRAMS, start, until)
        yield view[at:start]
        yield relabel(octets[start:end])
        at = end
    yield view[at:]


def _each_relabelled(series: msgspec.Raw, member: str, relabel: Relabel) -> msgspec.Raw:
    found = [_fields.decode(one) for one in _pairs.decode(series)]
    for one in found:
        one[member] = msgspec.Raw(relabel(bytes(one[member])))
    return msgspec.Raw(msgspec.json.encode(found))


def relabelled_exemplars(octets: bytes, relabel: Relabel) -> bytes:
    """
    :param octets: the answer to C{query_exemplars}.
    :return: the same with each series' labels changed; anything that is no such answer as
        it is.
    """
    return _with_data(octets, lambda data: _each_relabelled(data, "seriesLabels", relabel))


def relabelled_series(octets: bytes, relabel: Relabel) -> bytes:
    """
    :param octets: the answer to C{series}.
    :return: the same with each series' labels changed; anything that is no such answer as
        it is.
    """
    return _with_data(octets, lambda data: msgspec.Raw(msgspec.json.encode(
        [msgspec.Raw(relabel(bytes(one))) for one in _pairs.decode(data)])))


def with_names(octets: bytes, names: Iterable[str], most: int = 0) -> bytes:
    """
    :param octets: the answer to C{labels}.
    :param most: how many the client wants; 0 for all.
    :return: the same with more names in it, in order, where there are any: no series, no names;
        anything that is no such answer as it is.
    """
    def added(data: msgspec.Raw) -> msgspec.Raw:
        known = _texts.decode(data)
        every = sorted({*known, *names}) if known else known
        return msgspec.Raw(msgspec.json.encode(every[:most] if most else every))

    return _with_data(octets, added)


def value_if_any(octets: bytes, value: str) -> bytes:
    """
    :param octets: the answer to C{labels}.
    :return: the answer to C{label values} of a label that every series has with this value.
    """
    return _with_data(octets, lambda data: msgspec.Raw(msgspec.json.encode(
        [value] if _texts.decode(data) else [])))


def _with_data(octets: bytes, change: Callable[[msgspec.Raw], msgspec.Raw]) -> bytes:
    try:
        answer: dict[str, msgspec.Raw] = _fields.decode(octets)
        answer["data"] = change(answer["data"])
    except (*_MALFORMED, KeyError, TypeError):
        return octets
    return msgspec.json.encode(answer)


_texts = msgspec.json.Decoder(list[str])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def why_unkept(octets: bytes) -> Reason | None:
    """
    :param octets: a whole answer of the API, to any request.
    :return: why it must not be stored: it is broken, an error in spite of its status, or not
        the whole truth; None where nothing speaks against it.
    """
    try:
        answer: dict[str, msgspec.Raw] = _fields.decode(octets)
    except _MALFORMED:
        return Reason.UNDECODABLE
    if bytes(answer.get("status", _SUCCESS)) != _SUCCESS:
        return Reason.ORIGIN_STATUS
    if bytes(answer.get("isPartial", b"false")) != b"false":
        return Reason.ORIGIN_PARTIAL
    # What C{infos} say is about the whole answer, and stays true of it.
    return None if bytes(answer.get("warnings", b"")) in _NOTHING else Reason.ORIGIN_WARNINGS


def _complete(octets: bytes, *types: str) -> _Data:
    try:
        answer = _envelope.decode(octets)
    except _MALFORMED as error:
        raise Undecodable(str(error)) from error
    data = answer.data
    if answer.status != "success" or data.result_type not in types:
        raise Undecodable(f"{answer.status} {data.result_type}")
    if answer.is_partial:
        raise Undecodable("isPartial", Reason.ORIGIN_PARTIAL)
    for name, notes in (("warnings", answer.warnings), ("infos", answer.infos)):
        if bytes(notes) not in _NOTHING:
            raise Undecodable(name, Reason.ORIGIN_WARNINGS)
    if bytes(data.stats) not in _NOTHING or bytes(data.analysis) not in _NOTHING:
        raise Undecodable("stats", Reason.STATS_ASKED)
    return data


def _metric(raw: msgspec.Raw) -> bytes:
    """:return: the octets of a label set, whose form has been looked at."""
    metric = bytes(raw)
    _labels.decode(metric)
    return _compact(metric)


def _columns(found: Iterable[_Series]) -> Iterator[tuple[bytes, Rows]]:
    """:return: identity and rows of each series, numbers and histograms apart."""
    for one in found:
        labels = _METRIC + _metric(one.metric)
        values, histograms = _inside(one.values), _inside(one.histograms)
        if values:
            yield labels + _VALUES, _text_rows(values)
        if histograms:
            yield labels + _HISTOGRAMS, _indexed(b"[%b]" % histograms)


def _inside(raw: msgspec.Raw) -> bytes:
    """:return: what is between the brackets of an array; nothing where there is no array."""
    view = memoryview(raw)
    if not view:
        return b""
    if view[0] != _BRACKET:
        raise ValueError("not an array")
    octets = bytes(view[1:-1])
    return octets if octets[:1] == b"[" else octets.strip(b" \t\r\n")


def _text_rows(octets: bytes) -> Rows:
    """
    Rows of numbers are taken as they are, however they are spaced.  That their instants
    ascend is read at the borders alone: to read each would cost more than all the rest.

    :return: such rows, or, if spelled in another way, rows taken apart.
    :raises ValueError: they are no rows, or not in order.
    """
    if _is_plain(octets):
        return TextRows.of(octets, ROWS)
    pairs = _pairs_of(b"[%b]" % octets)
    spelled = b",".join(b"[%b,%b]" % pair for pair in pairs)
    return TextRows.of(spelled, ROWS) if _is_plain(spelled) else _indexed_pairs(pairs)


def _is_plain(octets: bytes) -> bool:
    """
    :param octets: rows of a JSON array.
    :return: whether each is a number and a number in a string and nothing else, without
        white space, as Prometheus and its kin write them.
    """
    # Six octets a row are left, and each must be in its place: two passes, both in C.
    bare = octets.translate(None, _OF_NUMBERS)
    if bare != (_BARE_ROW * (len(bare) // 6 + 1))[:-1]:
        return False
    return not (b"e" in octets or b"E" in octets) or _EXPONENT.search(octets) is None


# A number of seconds and a number in a string.
ROWS = RowFormat(b",", b",", b"[", b"]", canonical=_is_plain)


def _indexed(octets: bytes) -> IndexedRows:
    return _indexed_pairs(_pairs_of(octets))


def _indexed_pairs(pairs: Iterable[tuple[bytes, bytes]]) -> IndexedRows:
    return IndexedRows.of([(decimal_ns(instant, SECOND_NS), b"[%b,%b]" % (instant, value))
                           for instant, value in pairs])


def _pairs_of(octets: bytes) -> list[tuple[bytes, bytes]]:
    """
    :param octets: an array of rows.
    :return: instant and value of each, without white space between their parts.
    :raises ValueError: a row has not two of them.
    """
    rows = map(_pairs.decode, _pairs.decode(octets))
    return [(bytes(instant), _compact(bytes(value))) for instant, value in rows]


def _compact(octets: bytes) -> bytes:
    """:return: the same JSON without white space around its parts."""
    if _WHITE.search(octets) is None:
        return octets
    return msgspec.json.format(octets, indent=-1)


def _is_on_grid(series: Mapping[bytes, Runs], extents: Extents) -> bool:
    """
    :return: whether the samples stand where they were asked for, as far as their borders
        tell: VictoriaMetrics moves the ends of longer ranges to multiples of the step.
    """
    step, phase = extents.step_ns, extents.spans[0].start_ns % extents.step_ns
    return all(runs[0].first_ns % step == phase and runs[-1].last_ns % step == phase
               for runs in series.values())


def _has_more(series: Mapping[bytes, Runs], extents: Extents) -> bool:
    first, last = extents.spans[0].start_ns, extents.spans[-1].end_ns
    return any(runs[0].first_ns < first or runs[-1].last_ns > last for runs in series.values())


