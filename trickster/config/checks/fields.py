"""Whether texts of a configuration are methods, header names and header values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from trickster.config.document.problems import Problems, shown
from trickster.http.fields import MADE_BY_PROXY
from trickster.http.grammar import is_field_name

# RFC 9110 section 5.5: no other controls than tabs are in a value.
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def check_methods(at: str, methods: Iterable[str], problems: Problems) -> None:
    """
    :param at: path of a list of request methods, or of C{*}, in the configuration.
    """
    for number, method in enumerate(methods):
        if not is_field_name(method) or method != method.upper():
            problems.at(f"{at}[{number}]", f"{shown(method)} is not a request method; "
                        "expected one such as GET, in capitals, or *")


def check_method(at: str, method: str | None, problems: Problems) -> None:
    """
    :param at: path of a request method, which may be in small letters, in the configuration.
    """
    if method is not None and not is_field_name(method):
        problems.at(at, f"{shown(method)} is not a request method; expected one such as GET")


def check_name(at: str, name: str, problems: Problems) -> None:
    """
    :param at: path of a header name in the configuration.
    """
    if not is_field_name(name):
        problems.at(at, f"{shown(name)} is not a header name")


def check_names(at: str, names: Iterable[str], problems: Problems) -> None:
    """
    :param at: path of a list of header names in the configuration.
    """
    for number, name in enumerate(names):
        check_name(f"{at}[{number}]", name, problems)
        if name.endswith("*"):
            problems.at(f"{at}[{number}]", f"{shown(name)} would stand for one header of that "
                        "very name; expected the whole name of each")


def check_patterns(at: str, names: Iterable[str], problems: Problems) -> None:
    """
    :param at: path, in the configuration, of a list of header names, or of what they begin with
        and an asterisk.
    """
    for number, name in enumerate(names):
        check_name(f"{at}[{number}]", name, problems)


def check_changes(at: str, headers: Mapping[str, str], problems: Problems) -> None:
    """
    :param at: path, in the configuration, of a map of changes to header fields: a name may
        begin with C{+} or C{-}.
    """
    for name, value in headers.items():
        plain = name[1:] if name[:1] in ("+", "-") else name
        if not is_field_name(plain):
            problems.at(f"{at}.{name}", f"{shown(name)} is not a header name")
        _check_maker(f"{at}.{name}", plain, problems)
        _check_value(f"{at}.{name}", value, problems)


def check_fields(at: str, headers: Mapping[str, str], problems: Problems) -> None:
    """
    :param at: path of a map of header fields to send in the configuration.
    """
    check_expected(at, headers, problems)
    for name in headers:
        _check_maker(f"{at}.{name}", name, problems)


def check_expected(at: str, headers: Mapping[str, str], problems: Problems) -> None:
    """
    :param at: path of a map of header fields to compare with in the configuration.
    """
    for name, value in headers.items():
        if not is_field_name(name) or name[0] in "+-":
            problems.at(f"{at}.{name}", f"{shown(name)} is not a header name")
        _check_value(f"{at}.{name}", value, problems)


def _check_maker(at: str, name: str, problems: Problems) -> None:
    if name.lower().encode("utf-8", "replace") in MADE_BY_PROXY:
        problems.at(at, f"{name} concerns one connection only, and is made by "
                    "Trickster itself; expected another header")


def _check_value(at: str, value: str, problems: Problems) -> None:
    if re.search(r"[\r\n\x00]", value):
        problems.at(at, "a header value must be one line")
    elif _CONTROLS.search(value):
        problems.at(at, "a header value cannot have control characters")
