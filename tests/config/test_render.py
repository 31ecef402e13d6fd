"""Tests of L{trickster.config.render}."""

from __future__ import annotations

from attrs import Factory, evolve, frozen
from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, loaded, with_backend
from trickster.config.options.model import Configuration
from trickster.config.render import rendered

FULL = """\
listeners: {default: {address: 127.0.0.1, read_header_timeout: 1m30s}}
negative_caches: {n: {404: 3s}}
caches: {big: {index: {max_size_bytes: 1GiB}}}
backends:
  one:
    provider: prometheus
    origin_url: http://prom:9090
    hosts: [x.org]
    prometheus: {labels: {a: b}, instant_round: 2m500ms}
    paths:
      a: {path: /a, handler: query, methods: [GET], ttl: 5s}
      b: {path: /b, handler: localresponse, response_code: 200, response_body: "x\\ny"}
  two:
    provider: reverseproxy
    origin_url: http://b
    paths: [{path: /c}]
"""


@frozen
class StrangersOptions:
    """Options whose author did not think of secrets."""

    api_key: str = "abc"
    key_path: str = "/etc/key"
    nested: dict[str, str] = Factory(lambda: {"X-Auth-Token": "def"})
    url: str = "http://joe:hunter2@h"


class RenderTests(SynchronousTestCase):
    """The effective configuration."""

    def test_round_trip(self) -> None:
        """A rendered configuration can be loaded, and means the same."""
        configuration = loaded(FULL)
        again = loaded(rendered(configuration))
        self.assertEqual(evolve(again, notices=()), configuration)

    def test_names(self) -> None:
        """Names of header fields are no secrets, though the fields hold some."""
        text = rendered(loaded(with_backend("identity_headers: [Cookie, X-Team]")))
        self.assertIn("- Cookie\n    - X-Team\n", text)

    def test_defaults(self) -> None:
        """Values that the file does not give are shown as well, in their units."""
        text = rendered(loaded(ONE))
        for line in ("max_ttl: 1d1h", "port: 8484", "timeseries_retention_factor: 1024",
                     "instant_round: 15s", "is_default: true"):
            self.assertIn(line, text)

    def test_unused_stores(self) -> None:
        """Of a cache, only the blocks of its own store are shown."""
        self.assertNotIn("redis", rendered(loaded(ONE)))
        shown = rendered(loaded(ONE + "caches: {r: {provider: redis, redis: {db: 3}}}"))
        self.assertIn("db: 3", shown)
        self.assertNotIn("badger", shown)


class MaskTests(SynchronousTestCase):
    """Secrets are masked."""

    def assertHidden(self, configuration: Configuration) -> str:
        """No secret of these tests is in what is shown."""
        text = rendered(configuration)
        self.assertNotIn("hunter2", text)
        self.assertIn("*****", text)
        return text

    def test_urls(self) -> None:
        """Credentials in URLs are masked."""
        text = self.assertHidden(loaded(
            ONE + "tracing: {t: {provider: otlp, endpoint: 'http://joe:hunter2@prom:9090'}}\n"))
        self.assertIn("http://joe:*****@prom:9090", text)

    def test_headers(self) -> None:
        """Headers and parameters that carry credentials are masked, others are not."""
        text = self.assertHidden(loaded(with_backend(
            "paths: [{path: /, request_headers: {Authorization: Basic hunter2, +Cookie: hunter2, "
            "X-Scope-OrgID: team}, request_params: {api_key: hunter2}, "
            "response_headers: {Set-Cookie: hunter2}}], "
            "healthcheck: {headers: {X-Api-Key: hunter2}, query: 'u=joe&p=hunter2'}")))
        self.assertIn("team", text)

    def test_backend_headers(self) -> None:
        """Of a backend's headers no value is shown, under any name."""
        text = self.assertHidden(loaded(with_backend(
            "request_headers: {X-Scope-OrgID: hunter2, +X-Plain: hunter2}")))
        self.assertIn("+X-Plain: '*****'", text)

    def test_secret_keys(self) -> None:
        """Keys with secret names, and all users' passwords, are masked."""
        text = self.assertHidden(loaded(
            with_backend("sigv4: {secret_key: hunter2, region: eu}")
            + "caches: {r: {provider: redis, redis: {password: hunter2}}}\n"
            "authenticators: {a: {provider: basic, users: {joe: hunter2}}}\n"
            "tracing: {t: {headers: {authorization: hunter2}}}\n", allowed=True))
        self.assertIn("joe", text)
        self.assertIn("region: eu", text)

    def test_rewriters(self) -> None:
        """In the steps of a rewriter, what follows a secret's name is masked."""
        self.assertHidden(loaded(ONE + "request_rewriters: {a: {instructions: "
                                 "[[header, set, Authorization, Basic hunter2]]}}"))

    def test_strangers(self) -> None:
        """Plugins' options with secret names are masked, unless they are paths."""
        configuration = loaded(ONE)
        one = evolve(configuration.backends["one"], plugin=StrangersOptions())
        text = self.assertHidden(evolve(configuration, backends={"one": one}))
        self.assertNotIn("abc", text)
        self.assertNotIn("def\n", text)
        self.assertIn("/etc/key", text)
