"""What is accepted without being acted on: refused where it would protect, named otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trickster.config.document.masking import MASK
from trickster.config.document.problems import Place, Problems, bounded, containers
from trickster.config.options.model import Configuration

ALLOW_FLAG = "allow-ineffective-security"
ALLOW_VARIABLE = "TRK_ALLOW_INEFFECTIVE_SECURITY"

_NOT_YET = "accepted, but not yet effective in this release: "
_TRUE = ("1", "t", "true", "yes", "on")
_FALSE = ("", "0", "f", "false", "no", "off")


def allows_ineffective(environ: Mapping[str, str], problems: Problems) -> bool:
    """:return: whether the environment lets settings that protect nothing yet pass."""
    value = environ.get(ALLOW_VARIABLE, "").strip().lower()
    if value not in (*_TRUE, *_FALSE):
        problems.add(Place(f"environment variable {ALLOW_VARIABLE}"), "",
                     "is neither true nor false; expected one of them")
    return value in _TRUE


def refuse_exposed(problems: Problems) -> None:
    """
    Add a problem for each key that protects nothing yet.

    :param problems: which know these keys.
    """
    for path, exposed in problems.exposed.items():
        problems.at(path, f"is not yet effective in this release: {exposed}; leave it out, or "
                    f"start with -{ALLOW_FLAG} ({ALLOW_VARIABLE}=true) to run without what it "
                    "protects")


def refuse_masked(problems: Problems) -> None:
    """
    Add a problem for each secret that is only shown masked, as in what C{/trickster/config}
    says: but not where nothing is done with it.

    :param problems: which know these values.
    """
    idle = {*problems.unused, *problems.exposed}
    for place, path in problems.masked:
        if idle.isdisjoint(containers(path)):
            problems.add(place, path, f"{MASK} stands for a secret that was not shown; write the "
                         "value itself, or ${NAME} for an environment variable")


def unprotected(problems: Problems) -> tuple[str, ...]:
    """:return: a line for each key that protects nothing, though it was asked to."""
    said = [f"NOT PROTECTED: {problems.place_of(path)}: {problems.spelled(path)} is not yet "
            f"effective in this release: {exposed}"
            for path, exposed in problems.exposed.items()]
    return tuple(bounded(said))


def notices(configuration: Configuration, problems: Problems) -> tuple[str, ...]:
    """:return: what else the operator should read once."""
    own = _own_groups(configuration)
    said = [problems.spelled(path) for path in problems.unused if path not in own]
    said += _stand_ins(configuration, problems)
    without_effect: Sequence[str] = [_NOT_YET + ", ".join(bounded(said))] if said else []
    return (*without_effect, *bounded(problems.remarks))


def _own_groups(configuration: Configuration) -> set[str]:
    """:return: what the original shows where nothing was said: groups of backends' own names."""
    return {f"backends.{name}.replica_group"
            for name, backend in configuration.backends.items() if backend.replica_group == name}


def _stand_ins(configuration: Configuration, problems: Problems) -> Iterator[str]:
    for name, backend in configuration.backends.items():
        path, also = problems.spelled(f"backends.{name}.provider"), ""
        if backend.origin_type != backend.provider:
            yield (f"{path} {backend.provider} (the backend is proxied, and nothing of it "
                   "is cached)")
        if backend.is_virtual:
            if backend.is_default:
                also = ", though it is the default one"
            yield f"{path} {backend.provider} (the backend is not served{also})"
