"""Plugins and files that are not there, and what is told of such a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import Factory, field, frozen
from twisted.trial.unittest import SynchronousTestCase

from trickster.config.document.problems import Problems
from trickster.config.load import PluginOptions, Sources, load
from trickster.config.options.model import Configuration
from trickster.errors import ConfigurationError, NotInstalled
from trickster.interfaces import IOriginType, IStoreType
from trickster.middleware.rewriting import RewritingOptions
from trickster.routes import Match, Route, Serve
from trickster.stores.redis.options import RedisOptions


def _positive(instance: object, attribute: object, value: float) -> None:
    if value < 1:
        raise ValueError("instant_round must be at least 1s")


@frozen
class PrometheusLike:
    """Options as a stranger declares them: metadata only, nothing imported from us."""

    labels: dict[str, str] = Factory(dict)
    instant_round: float = field(
        default=15.0, metadata={"unit": "duration"}, validator=_positive)


@frozen
class Nothing:
    """Options of a type that has none."""


@frozen
class MemoryLike:
    """Options of the memory store."""

    max_size_bytes: int = field(default=512 << 20, metadata={"unit": "size"})
    num_counters: int = 500_000


@frozen
class FilesystemLike:
    """Options of the store of files."""

    cache_path: str = "/tmp/trickster"


@frozen
class LmdbLike:
    """Options of the store in a file of LMDB."""

    path: str = "trickster.lmdb"


@frozen
class BboltLike:
    """Options of the same under another name."""

    filename: str = "trickster.db"
    bucket: str = "trickster"


@frozen
class BadgerLike:
    """Options of the same under a third name."""

    directory: str = "/tmp/trickster"
    value_directory: str = "/tmp/trickster"


_STORES = {"memory": MemoryLike, "filesystem": FilesystemLike, "lmdb": LmdbLike,
           "bbolt": BboltLike, "badger": BadgerLike, "redis": RedisOptions}
_ORIGINS = {"prometheus": PrometheusLike, "reverseproxycache": Nothing, "reverseproxy": Nothing}


def origin_options(provider: str) -> type:
    """:raises NotInstalled: it is none of ours."""
    if provider not in _ORIGINS:
        raise NotInstalled(f"no origin type {provider!r}")
    return _ORIGINS[provider]


def store_options(provider: str) -> type:
    """:raises NotInstalled: it is none of ours."""
    if provider not in _STORES:
        raise NotInstalled(f"no store {provider!r}")
    return _STORES[provider]


def routes(provider: str, options: object) -> tuple[Route, ...]:
    """:return: something like what the real ones say."""
    rest = Route("/", Serve.PROXY, Match.PREFIX, ("*",), "proxy")
    if provider == "prometheus":
        return (Route("/api/v1/query_range", Serve.DELTA, methods=("GET", "POST"),
                      handler="query_range"),
                Route("/api/v1/query", Serve.OBJECT, handler="query"), rest)
    if provider == "reverseproxycache":
        return (Route("/", Serve.OBJECT, Match.PREFIX, handler="proxycache"), rest)
    return (rest,)


def options(interface: object, name: str) -> type:
    """:raises NotInstalled: it is none of ours."""
    if interface is IOriginType:
        return origin_options(name)
    if interface is IStoreType:
        return store_options(name)
    if name != "rewriting":
        raise NotInstalled(f"no kind of middleware {name!r}")
    return RewritingOptions


PLUGINS = PluginOptions(options, routes)


def reading(text: str | bytes) -> Callable[[str], bytes]:
    """:return: a reader to which every path is a file with that text."""
    octets = text.encode() if isinstance(text, str) else text
    return lambda path: octets


def loaded(text: str | bytes, environ: Mapping[str, str] | None = None,
           flags: Mapping[str, str] | None = None, allowed: bool = False) -> Configuration:
    """
    :param allowed: whether settings that protect nothing yet may pass.
    :return: the configuration of a file C{t.yaml} with that text.
    """
    sources = Sources("t.yaml", environ or {}, flags or {}, allowed)
    return load(sources, PLUGINS, reading(text))


def problems_of(text: str | bytes, environ: Mapping[str, str] | None = None,
                flags: Mapping[str, str] | None = None, allowed: bool = False
                ) -> tuple[str, ...]:
    """:return: what is wrong with it."""
    try:
        loaded(text, environ, flags, allowed)
    except ConfigurationError as error:
        return error.problems
    return ()


def told_by(check: Callable[..., object], *values: object) -> tuple[str, ...]:
    """
    :param check: takes these values and L{Problems}.
    :return: the lines that it tells of values which come of no file, without their place.
    """
    problems = Problems()
    check(*values, problems)
    try:
        problems.raise_any()
    except ConfigurationError as error:
        return tuple(line.removeprefix("configuration: ") for line in error.problems)
    return ()


ONE = "backends: {one: {provider: prometheus, origin_url: 'http://prom:9090'}}\n"


def with_backend(keys: str) -> str:
    """:return: a file with one backend that has these keys too, in flow style."""
    return ("backends: {one: {provider: prometheus, origin_url: 'http://prom:9090', "
            f"{keys}}}}}\n")


class CheckCase(SynchronousTestCase):
    """Compares what is told of a file."""

    def assertTold(self, text: str, *expected: str) -> None:
        """These problems are told, without their places; and no others."""
        told = tuple(line.split(": ", 1)[1] for line in problems_of(text, allowed=True))
        self.assertEqual(told, expected)
