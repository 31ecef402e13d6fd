"""Times, durations and numbers as Prometheus's HTTP API reads and writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable
from datetime import datetime
from decimal import Decimal
from math import isfinite, isinf, isnan

from demo.evaluation import Row
from demo.language import NotUnderstood, duration_ms
from demo.series import Labels

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
#: Far beyond any instant that a dashboard asks for, near enough for exact floats.
_LAST_SECOND = 10 ** 11


def read_time(text: str) -> int:
    """
    :param text: seconds since the epoch, whole or not, or RFC 3339.
    :return: milliseconds since the epoch.
    :raises ValueError: it is neither.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        return round(_finite(text) * 1000)
    day, second, fraction, zone = found.groups()
    at = datetime.fromisoformat(f"{day}T{second}{'+00:00' if zone in 'Zz' else zone}")
    ms = round(float(fraction or 0) * 1000)
    return int(at.timestamp()) * 1000 + ms


def read_step(text: str) -> int:
    """
    :param text: seconds, whole or not, or a duration such as C{1m30s}.
    :return: milliseconds; it may be 0 or less.
    :raises ValueError: it is neither.
    """
    try:
        return round(_finite(text) * 1000)
    except ValueError:
        pass
    try:
        return duration_ms(text)
    except NotUnderstood as error:
        raise ValueError(str(error)) from error


def _finite(text: str) -> float:
    if "_" in text or text != text.strip():
        raise ValueError(text)
    value = float(text)
    if not isfinite(value) or abs(value) > _LAST_SECOND:
        raise ValueError(text)
    return value


def write_time(ms: int) -> str:
    """
    :param ms: milliseconds since the epoch.
    :return: seconds, with three decimals where they are not all 0.
    """
    sign = "-" if ms < 0 else ""
    second, fraction = divmod(abs(ms), 1000)
    return f"{sign}{second}.{fraction:03d}" if fraction else f"{sign}{second}"


def write_value(value: float) -> str:
    """:return: the shortest decimal that reads back as the same number."""
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(float(value))
    if text.endswith(".0"):
        return text[:-2]
    if "e" not in text:
        return text
    # Python turns to exponents earlier than Go does, on both sides.
    return text if abs(value) < 1e-6 or abs(value) >= 1e21 else format(Decimal(text), "f")


def write_labels(labels: Labels) -> str:
    """:return: a JSON object."""
    return write_json(dict(labels))


def write_json(value: object) -> str:
    """:return: JSON without white space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def success(data: str) -> bytes:
    """
    :param data: JSON.
    :return: the body of an answer.
    """
    return f'{{"status":"success","data":{data}}}'.encode()


def failure(kind: str, detail: str) -> bytes:
    """
    :param kind: Prometheus's word for the kind of error.
    :return: the body of an answer.
    """
    return write_json({"status": "error", "errorType": kind, "error": detail}).encode(
        "utf-8", "replace")


def matrix(rows: Iterable[Row], times: range) -> Generator[None, None, str]:
    """
    :param rows: with a value, or None, for each of C{times}.
    :return: the data of a range query's answer.
    """
    spelled_times = [write_time(at) for at in times]
    series = []
    for row in rows:
        samples = [f'[{at},"{write_value(value)}"]'
                   for at, value in zip(spelled_times, row.values, strict=True)
                   if value is not None]
        if samples:
            series.append(f'{{"metric":{write_labels(row.labels)},'
                          f'"values":[{",".join(samples)}]}}')
        yield
    return f'{{"resultType":"matrix","result":[{",".join(series)}]}}'


def vector(rows: Iterable[Row], at_ms: int) -> str:
    """
    :param rows: of one value, or None, each.
    :return: the data of an instant query's answer.
    """
    at = write_time(at_ms)
    series = [f'{{"metric":{write_labels(row.labels)},'
              f'"value":[{at},"{write_value(row.values[0])}"]}}'
              for row in rows if row.values[0] is not None]
    return f'{{"resultType":"vector","result":[{",".join(series)}]}}'


def scalar(value: float, at_ms: int) -> str:
    """:return: the data of an instant query's answer, for a number."""
    return f'{{"resultType":"scalar","result":[{write_time(at_ms)},"{write_value(value)}"]}}'
