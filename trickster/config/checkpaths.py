"""What the entries of a backend's C{paths} must be."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from trickster.config.backends import BackendOptions
from trickster.config.paths import PathOptions
from trickster.config.problems import Problems, meant, one_of, shown
from trickster.hops import MADE_BY_PROXY
from trickster.routes import READ_METHODS

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_paths(within: str, backend: BackendOptions, handlers: Collection[str],
                problems: Problems) -> None:
    """
    :param within: path of the backend in the configuration.
    :param handlers: names that C{handler} may have; empty where that is not known.
    """
    taken: dict[tuple[str, str, str], str] = {}
    for number, each in enumerate(backend.paths):
        at = f"{within}.paths.{each.name}" if each.name else f"{within}.paths[{number}]"
        _check_path(at, each, problems)
        _check_handler(at, each, handlers, problems)
        _check_methods(at, each.methods or (), problems)
        check_headers(f"{at}.request_headers", each.request_headers or {}, problems)
        check_headers(f"{at}.response_headers", each.response_headers or {}, problems)
        _check_clash(at, each, taken, problems)


def _check_path(at: str, each: PathOptions, problems: Problems) -> None:
    if not each.path:
        problems.at(f"{at}.path", "is missing; expected one such as /api/v1/query")
    elif not each.path.startswith("/") or re.search(r"[\x00-\x20\x7f?#]", each.path):
        problems.at(f"{at}.path", f"{shown(each.path)} is not a path; expected one that begins "
                    "with / and has no query")
    if each.collapsed_forwarding == "basic" and each.progressive_collapsed_forwarding:
        problems.at(f"{at}.progressive_collapsed_forwarding",
                    "contradicts collapsed_forwarding: basic; keep one of them")


def _check_handler(at: str, each: PathOptions, handlers: Collection[str],
                   problems: Problems) -> None:
    name = each.handler
    if name is None or not handlers or name in handlers:
        return
    problems.at(f"{at}.handler", f"{shown(name)} is not known here; expected one of "
                f"{one_of(sorted(handlers))}{meant(name, handlers)}")


def _check_methods(at: str, methods: Iterable[str], problems: Problems) -> None:
    for number, method in enumerate(methods):
        if not _TOKEN.fullmatch(method) or method != method.upper():
            problems.at(f"{at}.methods[{number}]", f"{shown(method)} is not a request method; "
                        "expected one such as GET, in capitals, or *")


def check_headers(at: str, headers: Mapping[str, str], problems: Problems) -> None:
    """
    :param at: path, in the configuration, of a map of changes to header fields.
    """
    for name, value in headers.items():
        plain = name[1:] if name[:1] in ("+", "-") else name
        if not _TOKEN.fullmatch(plain):
            problems.at(f"{at}.{name}", f"{shown(name)} is not a header name")
        elif plain.lower().encode() in MADE_BY_PROXY:
            problems.at(f"{at}.{name}", f"{plain} concerns one connection only, and is made by "
                        "Trickster itself; expected another header")
        if re.search(r"[\r\n\x00]", value):
            problems.at(f"{at}.{name}", "a header value must be one line")


def _check_clash(at: str, each: PathOptions, taken: dict[tuple[str, str, str], str],
                 problems: Problems) -> None:
    for method in each.methods or READ_METHODS:
        key = (each.path, each.match_type or "exact", method)
        other = taken.setdefault(key, at)
        if other != at and each.path:
            problems.at(at, f"{method} {each.path} is said by {other} already")
            return
