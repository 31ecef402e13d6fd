"""Optional cases that do not pass, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# By group and rule.
KNOWN_OPTIONAL_FAILURES: Mapping[str, str] = MappingProxyType({})
