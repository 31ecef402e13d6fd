"""Environment variables and flags, laid over what the file says."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trickster.config.document.problems import Place, Problems
from trickster.config.document.tree import Entry, Scalar, Table, with_value

# Environment variable, flag, and where in the tree the value belongs.  A path that begins
# with the empty name goes to the backend that the process is about.
_SETTINGS = (
    ("TRK_ORIGIN_URL", "origin-url", ("", "origin_url")),
    ("TRK_ORIGIN_TYPE", "provider", ("", "provider")),
    ("TRK_PROXY_PORT", "proxy-port", ("listeners", "default", "port")),
    ("TRK_METRICS_PORT", "metrics-port", ("listeners", "metrics", "port")),
    ("TRK_LOG_LEVEL", "log-level", ("logging", "log_level")),
    ("", "instance-id", ("main", "instance_id")),
    ("TRK_WORKERS", "workers", ("main", "workers")),
)

FLAGS = tuple(flag for _, flag, _ in _SETTINGS)


def overlaid(tree: Table, environ: Mapping[str, str], flags: Mapping[str, str],
             problems: Problems) -> Table:
    """
    :param tree: of the file, in its present form.
    :param environ: environment variables; an empty one says nothing.
    :param flags: values by flag name, without dashes; only those that were given.
    :param problems: learns that what is laid over was not spelled as in the file.
    :return: the tree with each value of the environment, and then of the flags, in place of
        what it said before.
    """
    target = _target(tree)
    for variable, flag, path in _SETTINGS:
        source, text = f"flag -{flag}", flags.get(flag)
        if text is None:
            source, text = f"environment variable {variable}", environ.get(variable) or None
        if text is not None:
            full = ("backends", target, *path[1:]) if path[0] == "" else path
            kind = "int" if re.fullmatch(r"[-+]?[0-9]+", text) else "str"
            problems.spellings.pop(".".join(full), None)
            tree = with_value(tree, full, Scalar(text, kind, Place(source)))
    return tree


def _target(tree: Table) -> str:
    """
    :return: the name of the backend that the process is about: the one called C{default}, else
        one that is marked so, else the only one; C{default} for one that is yet to be made.
    """
    entry = tree.entries.get("backends")
    backends = entry.value.entries if entry and isinstance(entry.value, Table) else {}
    if "default" in backends:
        return "default"
    marked = [name for name, each in backends.items() if _is_marked(each)]
    return marked[0] if marked else next(iter(backends)) if len(backends) == 1 else "default"


def _is_marked(backend: Entry) -> bool:
    if not isinstance(backend.value, Table):
        return False
    entry = backend.value.entries.get("is_default")
    value = entry.value if entry else None
    return isinstance(value, Scalar) and value.text.lower() in ("true", "yes", "on")
