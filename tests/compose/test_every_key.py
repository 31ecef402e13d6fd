"""Every key of every options class has an effect on what the program is made of."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, get_args, get_origin

import attrs
import yaml
from prometheus_client import CollectorRegistry
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.fingerprint import fingerprint
from trickster.commandline import plugin_options
from trickster.compose import build
from trickster.config.document.settings import Key, keys_of
from trickster.config.load import Loaded, Sources, load
from trickster.config.options.model import Configuration
from trickster.config.reference import blocks_within
from trickster.errors import ConfigurationError
from trickster.interfaces import IMiddlewareType, IOriginType, IStoreType
from trickster.plugins import GROUPS, MIDDLEWARES, ORIGINS, STORES, Plugins, installed
from trickster.workers.supervisor import Outside, supervised, workers_of

_HERE = str(Path(__file__))

# A backend with a path of each kind, a backend beside it, and the smallest of everything else.
_BASE = """
main: {server_name: here}
negative_caches: {x: {404: 1s}, y: {404: 2s}}
caches: {x: {}, y: {index: {max_size_objects: 5}}, memory: {}, redis: {provider: redis},
         filesystem: {provider: filesystem}}
listeners: {x: {port: 8490, middlewares: [compression, rewriting]}, default: {}}
middlewares:
  x: {kind: rewriting}
  compression: {kind: compression}
  rewriting: {kind: rewriting}
  static: {kind: static}
backends:
  x:
    provider: prometheus
    origin_url: http://127.0.0.1:1
    listener_name: x
    prometheus: {}
    tls: {}
    healthcheck: {}
    paths: {x: {path: /x, handler: proxycache}}
  other: {provider: reverseproxy, origin_url: 'http://127.0.0.1:2', middlewares: [static]}
"""

# The value that is compared with the default, or two values, where they cannot be guessed.
_VALUES: dict[str, Any] = {
    "middlewares.static.static.status": 201,
    "negative_caches": ({"x": {"404": "1s"}}, {"x": {"404": "9s"}}),
    "listeners.x.address": "127.0.0.1",
    "listeners.x.port": (8490, 8491),
    "listeners.x.trusted_proxies": ["192.0.2.0/24"],
    "mgmt.config_handler_path": "/a", "mgmt.ping_handler_path": "/a",
    "mgmt.health_handler_path": "/a",
    "logging.log_file": (f"{_HERE}.log", f"{_HERE}.other"),
    "backends.x.provider": ("prometheus", "reverseproxycache"),
    "backends.x.origin_url": ("http://127.0.0.1:1", "https://127.0.0.1:1"),
    "backends.x.is_default": (True, False),
    "backends.x.listener_name": ("x", "default"),
    "backends.x.cache_name": ("x", "y"),
    "backends.x.negative_cache_name": ("x", "y"),
    "backends.x.healthcheck.host": "127.0.0.1:2",
    "backends.x.healthcheck.scheme": "https",
    "backends.x.healthcheck.path": "/a",
    "backends.x.healthcheck.verb": "POST",
    "backends.x.healthcheck.expected_codes": [204],
    "backends.x.paths.x.path": ("/x", "/y"),
    "backends.x.paths.x.handler": ("proxycache", "proxy"),
    "backends.x.paths.x.match_type": "prefix",
    "backends.x.paths.x.methods": ["GET", "POST"],
    "backends.x.paths.x.collapsed_forwarding": "progressive",
    "backends.x.paths.x.response_code": 403,
    "listeners.x.middlewares": (["compression"], []),
    "backends.x.middlewares": ["compression"],
    "backends.x.paths.x.middlewares": ["compression"],
    "middlewares.x.kind": ("rewriting", "static"),
    "main.workers": "2",
    "caches.redis.redis.min_retry_backoff": "10ms",
    "caches.redis.redis.endpoint": ("a:1", "b:1"),
}

# What has to stand beside a key so that it can have an effect.
_BESIDE: dict[str, dict[str, Any]] = {
    "caches.x.use_cache_chunking": {"backends.x.cache_name": "x"},
    "caches.x.timeseries_chunk_factor": {
        "backends.x.cache_name": "x", "caches.x.use_cache_chunking": True},
    "caches.x.byterange_chunk_size": {
        "backends.x.cache_name": "x", "caches.x.use_cache_chunking": True},
    "caches.x.collapse_lease": {"caches.x.provider": "filesystem"},
    "main.instance_id": {"logging.log_file": f"{_HERE}.log"},
    "logging.format": {"logging.log_file": f"{_HERE}.log"},
    "logging.log_level": {"logging.log_file": f"{_HERE}.log"},
    "backends.x.tls.insecure_skip_verify": {"backends.x.origin_url": "https://127.0.0.1:1"},
    "backends.x.shard_step": {"backends.x.shard_max_size_time": "14s"},
    "backends.x.paths.x.response_code": {"backends.x.paths.x.handler": "localresponse"},
    "backends.x.paths.x.response_body": {"backends.x.paths.x.handler": "localresponse"},
    "middlewares.x.kind": {"listeners.x.middlewares": ["x"]},
    "negative_caches": {"backends.x.negative_cache_name": "x"},
    "backends.x.is_default": {"backends.other.is_default": False},
    **{f"caches.x.{key}": {"caches.x.provider": "filesystem"} for key in (
        "index.flush_interval", "index.index_expiry",
        "index.max_size_backoff_bytes", "index.max_size_backoff_objects")},
    **{f"caches.x.{key}": {"caches.x.provider": key.split(".")[0]} for key in (
        "lmdb.path", "bbolt.filename", "bbolt.bucket", "badger.directory",
        "badger.value_directory")},
}
_BESIDE |= {f"caches.redis.redis.{key}": {"caches.redis.redis.use_tls": True}
            for key in ("tls_server_name", "tls_insecure_skip_verify")}
_BESIDE |= {f"caches.redis.redis.{key}": {
                "caches.redis.redis.client_type": "sentinel",
                "caches.redis.redis.sentinel_master": "m"}
            for key in ("endpoints", "sentinel_master", "sentinel_username", "sentinel_password")}
# Files, of which the other test shows that they are read; and what there is only one of.
_FILES = ("backends.x.tls.certificate_authority_paths", "backends.x.tls.client_cert_path",
          "backends.x.tls.client_key_path", "caches.redis.redis.tls_ca_paths",
          "caches.redis.redis.tls_client_cert_path", "caches.redis.redis.tls_client_key_path")
# The protocol of Redis is not changed alone, but with where the server is: see its own tests.
_ONLY_ONE = ("listeners.x.protocol", "caches.x.provider", "caches.redis.redis.protocol")
_MIDDLEWARES = {"compression": "compression", "rewriting": "rewriting",
                "static": "static_response"}
_BY_UNIT = {"duration": "7s", "size": 7777}


def _found(group: str) -> tuple[EntryPoint, ...]:
    """:return: what is installed, but of middlewares our own alone."""
    if group != MIDDLEWARES:
        return tuple(installed(group))
    return tuple(EntryPoint(name, f"trickster.middleware.{module}:{name}", group)
                 for name, module in _MIDDLEWARES.items())


def _options_classes() -> tuple[type, ...]:
    plugins = Plugins(_found)
    ours = [Configuration, *(options for _, options in blocks_within("", Configuration))]
    theirs = [plugins.load(group, name, interface).options
              for interface, group in GROUPS.items()
              for name in plugins.names(group)]
    return tuple(dict.fromkeys([*ours, *theirs]))


def effective_keys() -> Iterator[tuple[str, Key]]:
    """:return: path, with x for each name, and key, of all that are to have an effect."""
    blocks = [("", Configuration), *blocks_within("", Configuration)]
    plugins = Plugins(_found)
    for name in plugins.names(MIDDLEWARES):
        blocks.append((f"middlewares.{name}.{name}",
                       plugins.load(MIDDLEWARES, name, IMiddlewareType).options))
    for name in plugins.names(ORIGINS):
        blocks.append((f"backends.<name>.{name}", plugins.load(ORIGINS, name, IOriginType).options))
    for name in plugins.names(STORES):
        blocks.append((f"caches.{name}.{name}", plugins.load(STORES, name, IStoreType).options))
    skipped: list[str] = []
    for block, options in dict(blocks).items():
        for key in keys_of(options):
            path = f"{block}.{key.name}".lstrip(".").replace("<name>", "x").replace("[]", ".x")
            if key.facts.hidden or any(path.startswith(f"{outer}.") for outer in skipped):
                continue
            if not key.facts.effective:
                skipped.append(path)
            elif not _is_block(key.hint):
                yield path, key


def _is_block(hint: Any) -> bool:
    return (isinstance(hint, type) and attrs.has(hint)) or any(map(_is_block, get_args(hint)))


def _guessed(key: Key) -> Any:
    """:return: another value than the default."""
    if key.facts.choices:
        return next(each for each in key.facts.choices if each != key.default)
    if key.facts.unit:
        return _BY_UNIT[key.facts.unit]
    kinds = {get_origin(each) or each for each in (key.hint, *get_args(key.hint))}
    if bool in kinds:
        return not key.default
    if kinds & {int, float}:
        return 7
    if dict in kinds:
        return {"a": "b"}
    return ["a"] if tuple in kinds else "a"


def _with(tree: Any, path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for name in outer:
        tree = tree.setdefault(name, {})
    tree[last] = value


def _built(tree: Any) -> Any:
    """:return: the program of a configuration."""
    plugins = Plugins(_found)
    sources, reactor = Sources("t.yaml"), MemoryReactorClock()
    configuration = load(sources, plugin_options(plugins),
                         lambda _: yaml.safe_dump(tree).encode(), lambda _: ())
    if workers_of(configuration) > 1:
        reactor.spawnProcess = None  # type: ignore[attr-defined]
        found = Loaded(configuration, sources)
        return supervised(found, Outside(reactor, reactor.seconds, lambda: found, plugins))
    return build(configuration, reactor, plugins)


class EveryKeyTests(SynchronousTestCase):
    """Two configurations that differ in one key alone make two programs."""

    def made(self, path: str, value: Any) -> list[str]:
        """:return: all that a program is made of, where a key has that value."""
        tree = yaml.safe_load(_BASE)
        for beside, given in _BESIDE.get(path, {}).items():
            _with(tree, beside, given)
        if value is not None:
            _with(tree, path, value)
        return fingerprint(_built(tree), (*_options_classes(), MemoryReactorClock, Plugins,
                                          CollectorRegistry, Logger, LogPublisher))

    def test_same(self) -> None:
        """Two programs of equal configurations compare as equal."""
        self.assertEqual(self.made("", None), self.made("", None))

    def test_without_reader(self) -> None:
        """A key that is kept in the configuration, and read nowhere else, is found."""
        for path, value in (("backends.x.latency_min", "7s"), ("mgmt.reload_rate_limit", "7s")):
            self.assertEqual(self.made(path, value), self.made("", None))

    def test_files(self) -> None:
        """Each file that a key names is read: the error of one that cannot be has its name."""
        for path in _FILES:
            tree = yaml.safe_load(_BASE)
            tree["backends"]["x"]["origin_url"] = "https://127.0.0.1:1"
            if path.startswith("caches.redis"):
                _with(tree, "caches.redis.redis.use_tls", True)
            if "client" in path:
                block = path.rpartition(".")[0]
                other = next(each for each in _FILES if each != path
                             and each.startswith(f"{block}.") and "client" in each)
                _with(tree, other, _HERE)
            is_list = path.endswith("paths")
            _with(tree, path, ["/nowhere.pem"] if is_list else "/nowhere.pem")
            error = self.assertRaises(ConfigurationError, _built, tree)
            self.assertTrue("/nowhere.pem" in str(error) or _HERE in str(error), path)

    def test_every_key(self) -> None:
        """The value of each effective key arrives in the program."""
        default = self.made("", None)
        idle = []
        for path, key in effective_keys():
            if path in (*_FILES, *_ONLY_ONE):
                continue
            value = _VALUES[path] if path in _VALUES else _guessed(key)
            if isinstance(value, tuple):
                before = self.made(path, value[0])
                value = value[1]
            else:
                before = self.made(path, None) if path in _BESIDE else default
            if self.made(path, value) == before:
                idle.append(path)
        self.assertEqual(idle, [])
