"""Tests of C{trickster.stores.redis.options}, C{addresses} and C{settings}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.redis.addresses import Address
from trickster.stores.redis.options import RedisOptions
from trickster.stores.redis.settings import Settings

SENTINEL = {"client_type": "sentinel", "sentinel_master": "m"}
CLUSTER = {"client_type": "cluster"}
UNIX = {"protocol": "unix", "endpoint": "/run/redis.sock"}


def keys_at_fault(**options: Any) -> list[str]:
    """:return: the keys that are refused."""
    return [key for key, _ in RedisOptions(**options).faults()]


class OptionsTests(SynchronousTestCase):
    """Options that go together, and those that do not."""

    def test_accepted(self) -> None:
        """What works is not refused."""
        tls = {"use_tls": True, "tls_ca_paths": ("/ca.pem",), "tls_server_name": "redis"}
        for options in ({}, UNIX, SENTINEL, CLUSTER, tls, {"key_prefix": "{a}:"},
                        {**CLUSTER, "key_prefix": "{"}, {"endpoint": "[::1]:7000", "db": 3},
                        {**SENTINEL, **tls, "db": 2, "sentinel_password": "x"},
                        {"username": "u"}, {"max_retries": -1},
                        {**CLUSTER, "endpoints": ("a:1", "b", "10.0.0.1:3")}):
            self.assertEqual(keys_at_fault(**options), [], options)

    def test_refused(self) -> None:
        """Each contradiction is named by the key at which it is best mended."""
        for key, options in {
            "sentinel_master": {"client_type": "sentinel"},
            "protocol": {**CLUSTER, "protocol": "unix"},
            "db": {**CLUSTER, "db": 1},
            "key_prefix": {**CLUSTER, "key_prefix": "{all}:"},
            "endpoint": {**CLUSTER, "endpoint": "other:6379"},
            "endpoints": {"endpoints": ("other:6379",)},
            "use_tls": {**UNIX, "use_tls": True},
            "tls_ca_paths": {"tls_ca_paths": ("/ca.pem",)},
            "tls_insecure_skip_verify": {"tls_insecure_skip_verify": True},
            "tls_client_cert_path": {"use_tls": True, "tls_client_cert_path": "/c.pem"},
            "tls_client_key_path": {"use_tls": True, "tls_client_key_path": "/c.key"},
            "sentinel_password": {"sentinel_password": "x"},
            "max_retry_backoff": {"min_retry_backoff": 2.0},
            "min_idle_conns": {"min_idle_conns": 21},
        }.items():
            self.assertEqual(keys_at_fault(**options), [key], options)

    def test_addresses_refused(self) -> None:
        """What is no address of a server is refused where it stands."""
        for text in ("", "a:b", "a:0", "a:65536", ":6379", "a b:1", "redis://a:1", "a:1:2",
                     "[::g]:1", "::1:6379", "/run/redis.sock", "a:1 ", "a\n:1"):
            self.assertEqual(keys_at_fault(endpoint=text), ["endpoint"], text)
            self.assertEqual(keys_at_fault(**CLUSTER, endpoints=("a:1", text)), ["endpoints[1]"])
        for text in ("redis:6379", "redis.sock", "", "/" + "x" * 107, "/a\0b"):
            self.assertEqual(keys_at_fault(protocol="unix", endpoint=text), ["endpoint"], text)

    def test_nowhere(self) -> None:
        """Somewhere it has to begin."""
        self.assertEqual(keys_at_fault(**CLUSTER, endpoints=()), ["endpoints"])

    def test_secrets_hidden(self) -> None:
        """No password is shown with the settings that are made of it."""
        options = RedisOptions(**SENTINEL, password="s3cret", sentinel_password="t0p")
        settings = Settings.of(options)
        for one in (settings, settings.of_sentinels(options)):
            self.assertNotIn("s3cret", repr(one))
            self.assertNotIn("t0p", repr(one))


class SettingsTests(SynchronousTestCase):
    """What connections go by."""

    def test_zero(self) -> None:
        """Where 0 would be no time and no connections at all, it is the default."""
        zero = RedisOptions(dial_timeout=0.0, read_timeout=0.0, write_timeout=0.0,
                            pool_timeout=0.0, pool_size=0)
        self.assertEqual(Settings.of(zero), Settings.of(RedisOptions()))

    def test_all(self) -> None:
        """Every option for connections has its effect on them."""
        settings = Settings.of(RedisOptions(
            db=3, dial_timeout=1.0, read_timeout=2.0, write_timeout=3.0, pool_timeout=4.5,
            pool_size=5, min_idle_conns=2, max_conn_age=6.0, idle_timeout=7.0, username="u",
            password="p"))
        self.assertEqual(
            (settings.db, settings.dial_timeout, settings.read_timeout, settings.write_timeout,
             settings.pool_timeout, settings.pool_size, settings.min_idle, settings.max_age,
             settings.idle_timeout, settings.credentials.username, settings.credentials.password),
            (3, 1.0, 2.0, 3.0, 4.5, 5, 2, 6.0, 7.0, "u", "p"))
        self.assertEqual(settings.timeout, 9.5)

    def test_hidden(self) -> None:
        """A password that a server repeats is not passed on."""
        credentials = Settings.of(RedisOptions(password="s3cret")).credentials
        self.assertEqual(credentials.hidden("no s3cret here"), "no ... here")


class AddressTests(SynchronousTestCase):
    """Addresses of servers."""

    def test_parsed(self) -> None:
        """Host and port, the port by default, IPv6 in brackets."""
        for text, expected in {
            "redis:6380": Address("redis", 6380), "redis": Address("redis", 6379),
            "10.1.2.3:1": Address("10.1.2.3", 1), "[::1]:2": Address("::1", 2),
            "[::1]": Address("::1", 6379), "my_redis-0.svc.local.:3": Address("my_redis-0.svc.local.", 3),
        }.items():
            self.assertEqual(Address.parse(text), expected)
        self.assertEqual(Address.parse("a", 26379).port, 26379)

    def test_shown(self) -> None:
        """It is shown as it is written."""
        for text in ("redis:6379", "[::1]:2"):
            self.assertEqual(str(Address.parse(text)), text)
        self.assertEqual(str(Address(path="/a")), "/a")

    def test_is_ip(self) -> None:
        """Addresses are told from names."""
        self.assertEqual([Address(host).is_ip for host in ("10.0.0.1", "::1", "redis")],
                         [True, True, False])
