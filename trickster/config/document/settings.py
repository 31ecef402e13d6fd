"""What an options field says about itself: its meaning, its unit and its bounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, get_type_hints

from attrs import Attribute, Factory, field, fields, frozen


@frozen(kw_only=True)
class Facts:
    """
    What is known of one key of a configuration beyond its type.

    Kept in the C{metadata} of attrs fields, as plain entries of these names: a plugin
    needs nothing from here to describe its options.

    :ivar doc: one sentence for the reference.
    :ivar unit: C{"duration"} (a float, in seconds), C{"size"} (an int, in octets) or C{""}.
    :ivar minimum: the least number allowed; durations and sizes begin at 0 without it.
    :ivar maximum: the greatest number allowed.
    :ivar choices: the only texts allowed, compared without case.
    :ivar secret: never shown.
    :ivar effective: False for keys that are read and checked, but not yet acted on.
    :ivar exposes: of such a key and a value of it, what is open as long as it is not acted on
        (L{guarding}): empty for nothing, None where the value asks for nothing at all.
    :ivar hidden: not a key of the file; filled in by the loader.
    :ivar variables: whether the values of environment variables are put in the place of
        C{${NAME}}.
    :ivar blank: whether an empty text or list says something where otherwise nothing is said
        (the default is None): in files that spell everything out it does not.
    :ivar are_names: a list of names of fields, which are no secrets, however they are called.
    :ivar named: a list whose entries may also stand in a mapping, by name.
    :ivar shared_out: a limit of all worker processes together, of which each has its share; 0 is
        for none of either kind.
    :ivar zero_is_default: whether 0 stands for the default.
    """

    doc: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    effective: bool = True
    exposes: Callable[[Any], str | None] | None = None
    hidden: bool = False
    named: bool = False
    are_names: bool = False
    variables: bool = False
    blank: bool = False
    shared_out: bool = False
    zero_is_default: bool = False


@frozen
class Key:
    """One key of a block: its name, its type, its default and what else is known."""

    name: str
    hint: Any
    default: Any
    facts: Facts


def setting(default: Any, doc: str, **facts: Any) -> Any:
    """
    Declare one key of an options class.

    :param default: a value; a mutable one is given as a L{Factory}.
    :param doc: one sentence, for the configuration reference.
    :param facts: as the attributes of L{Facts}.
    :return: the attrs field.
    """
    return field(default=default, metadata={"doc": doc, **facts})


def later(default: Any, doc: str, **facts: Any) -> Any:
    """
    Declare a key that is accepted and checked, but has no effect in this release.

    :param default: as for L{setting}.
    :param doc: what it will do, as if it did.
    :param facts: as the attributes of L{Facts}.
    :return: the attrs field.
    """
    return setting(default, doc, effective=False, **facts)


def guarding(default: Any, doc: str, exposes: str | Callable[[Any], str | None],
             **facts: Any) -> Any:
    """
    Declare a key that has no effect in this release, and that protects something once it has:
    a configuration that gives it is refused, lest everything be open that seems shut.

    :param default: with which nothing is open.
    :param doc: what it will protect, as if it did.
    :param exposes: what is open without it; or a function from a value to that, as in L{Facts}.
    :param facts: as the other attributes of L{Facts}.
    :return: the attrs field.
    """
    said = exposes if callable(exposes) else lambda value: exposes
    return later(default, doc, exposes=said, **facts)


@lru_cache(maxsize=256)
def keys_of(options: type) -> tuple[Key, ...]:
    """
    :param options: an attrs class in which every field has a default.
    :return: its keys, in order; hidden ones too.
    """
    hints = get_type_hints(options)
    return tuple(
        Key(each.name, hints.get(each.name, Any), _default(each), _facts(each))
        for each in fields(options) if each.init
    )


def _facts(attribute: Attribute[Any]) -> Facts:
    known = {each.name for each in fields(Facts)}
    return Facts(**{k: v for k, v in attribute.metadata.items() if k in known})


def _default(attribute: Attribute[Any]) -> Any:
    default: Any = attribute.default
    if isinstance(default, Factory):  # type: ignore[arg-type]
        return default.factory() if not default.takes_self else None
    return default
