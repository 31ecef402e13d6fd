"""The paths of the built-in endpoints."""

from __future__ import annotations

from trickster.config.checks.addresses import path_fault
from trickster.config.document.problems import Problems
from trickster.config.options.model import MgmtOptions


def check_endpoints(mgmt: MgmtOptions, problems: Problems) -> None:
    """
    :param problems: is told of paths that are none, and of two endpoints with one path.
    """
    used = {"/metrics": "the metrics"}
    for key in ("config_handler_path", "ping_handler_path", "health_handler_path"):
        path = getattr(mgmt, key)
        if not path:
            continue
        fault = path_fault(path)
        if fault:
            problems.at(f"mgmt.{key}", fault)
        elif path.rstrip("/") in used:
            problems.at(f"mgmt.{key}", f"{path} is that of {used[path.rstrip('/')]} too; "
                        "expected a path of its own")
        used.setdefault(path.rstrip("/"), key)
