"""Answers that need no evaluation: which metrics, labels and series there are."""

from __future__ import annotations

from typing import TypeVar

from demo.language import is_label_name
from demo.questions import ApiError, count, selectors
from demo.series import Catalogue, Series
from demo.spelling import write_json
from trickster.messages import Params

_T = TypeVar("_T")

def label_names(catalogue: Catalogue, params: Params) -> str:
    """:return: the data of C{/api/v1/labels}, as JSON."""
    names = {name for one in _matching(catalogue, params) for name, _ in one.labels}
    return write_json(_at_most(sorted(names), params))


def label_values(catalogue: Catalogue, name: str, params: Params) -> str:
    """
    :param name: of the label.
    :return: the data of C{/api/v1/label/NAME/values}, as JSON.
    """
    if not is_label_name(name):
        raise ApiError(f'invalid label name: "{name}"')
    values = {value for one in _matching(catalogue, params)
              for found, value in one.labels if found == name}
    return write_json(_at_most(sorted(values), params))


def series(catalogue: Catalogue, params: Params) -> str:
    """:return: the data of C{/api/v1/series}, as JSON."""
    if not params.get_all("match[]"):
        raise ApiError("no match[] parameter provided")
    found = [dict(one.labels) for one in _matching(catalogue, params)]
    return write_json(_at_most(found, params))


def metadata(catalogue: Catalogue, params: Params) -> str:
    """:return: the data of C{/api/v1/metadata}, as JSON."""
    wanted = params.get("metric")
    found = [metric for metric in catalogue.metrics if not wanted or metric.name == wanted]
    limit = count(params, "limit")
    if limit is not None and limit >= 0:
        found = found[:limit]
    return write_json({metric.name: [{"type": metric.kind.value, "help": metric.help,
                                      "unit": ""}] for metric in found})


def build_information() -> str:
    """:return: the data of C{/api/v1/status/buildinfo}, as JSON."""
    return write_json({"version": "2.53.0+demo", "revision": "", "branch": "",
                       "buildUser": "", "buildDate": "", "goVersion": ""})


def _matching(catalogue: Catalogue, params: Params) -> list[Series]:
    wanted = selectors(params)
    return [one for one in catalogue.series
            if not wanted or any(selector.accepts(one.labels) for selector in wanted)]


def _at_most(found: list[_T], params: Params) -> list[_T]:
    limit = count(params, "limit")
    return found[:limit] if limit is not None and limit > 0 else found
