"""What a gauge of all processes is, given that of each."""

from __future__ import annotations

from collections.abc import Mapping

from trickster.observability.merging.sums import (
    Rule,
    added,
    largest,
    largest_limit,
    least,
    limits_added,
)

# Each process has its own: they are added up.
_OF_EACH = (
    "trickster_workers",
    "trickster_proxy_active_connections",
    "trickster_origin_active_connections",
    "trickster_origin_idle_connections",
    "trickster_origin_lasting_connections",
    "trickster_origin_waiting_requests",
    "trickster_in_flight_bytes",
    "trickster_in_flight_max_bytes",
    "trickster_memo_usage_objects",
    "trickster_memo_usage_bytes",
    # 0 is for none, and not for no limit.
    "trickster_memo_max_usage_bytes",
    "process_open_fds",
    "process_max_fds",
    # Pages that processes share count for each of them.
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
)
# Limits of what each has, of which 0 is none.
_LIMITS_OF_EACH = (
    "trickster_proxy_max_connections",
    "trickster_origin_max_connections",
    "trickster_origin_max_lasting_connections",
)
# All have the same store.  One may not know yet what others have put there.
_OF_ALL = (
    "trickster_cache_usage_objects",
    "trickster_cache_usage_bytes",
    "trickster_cache_usage_protected_bytes",
)
_LIMITS_OF_ALL = (
    "trickster_cache_max_usage_objects",
    "trickster_cache_max_usage_bytes",
)
# So for all only where it is so for each; and the time from which on it is so.  What is said of the
# configuration, one process alone is asked for.
_OF_THE_WORST = (
    "trickster_cache_up",
    "trickster_config_last_reload_successful",
    "trickster_config_last_reload_success_time_seconds",
    "process_start_time_seconds",
)
# Always 1: what there is to know is in the labels.
_FACTS = ("trickster_build_info", "python_info")

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_OF_EACH, added),
    **dict.fromkeys(_LIMITS_OF_EACH, limits_added),
    **dict.fromkeys(_OF_ALL, largest),
    **dict.fromkeys(_LIMITS_OF_ALL, largest_limit),
    **dict.fromkeys(_OF_THE_WORST, least),
    **dict.fromkeys(_FACTS, largest),
}


def rule_of(name: str) -> Rule:
    """
    :param name: of a gauge.
    :return: what to make of the numbers of several processes; one that is not known here is
        taken for something of which each has its own.
    """
    return RULES.get(name, added)
