"""Files that work with Trickster 2.0, or that it shows: they load, and lose nothing in silence."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, PLUGINS, loaded, problems_of, reading, with_backend
from trickster.config.load import Sources, files_beside, load
from trickster.config.render import rendered
from trickster.errors import ConfigurationError

# What the original shows of a small file, with everything spelled out.
DUMP = """\
main: {instance_id: 0, server_name: here, config_include_directory: ''}
backends:
  prom:
    provider: prometheus
    origin_url: http://prom:9090
    is_default: true
    hosts: []
    listener_name: default
    timeout: 1m0s
    keep_alive_timeout: 2m0s
    max_ttl: 25h0m0s
    cache_name: default
    cache_key_prefix: prom:9090
    negative_cache_name: default
    tracing_name: default
    authenticator_name: ''
    req_rewriter_name: ''
    rule_name: ''
    require_tls: false
    replica_group: prom
    forwarded_headers: standard
    timeseries_eviction_method: oldest
    timeseries_ttl: 6h0m0s
    fastforward_ttl: 15s
    max_object_size_bytes: 524288
    latency_min: 0s
    compressible_types: [text/html, application/json]
    prometheus: {labels: {}, instant_round: 15s}
    alb: null
    healthcheck:
      {interval: 0s, verb: '', scheme: '', host: '', path: '', query: '', headers: {}, body: '',
       timeout: 3s, failure_threshold: 3, recovery_threshold: 3, expected_codes: [],
       expected_headers: {}, expected_body: ''}
    tls: {full_chain_cert_path: '', private_key_path: '', insecure_skip_verify: false,
          certificate_authority_paths: [], client_cert_path: '', client_key_path: ''}
    paths:
      - {path: /api/v1/query_range, match_type: exact, handler: query_range, methods: [GET, POST],
         cache_key_params: [query, step, stats], cache_key_headers: [], cache_key_form_fields: [],
         request_headers: {}, request_params: {}, response_headers: {}, response_code: 0,
         response_body: '', collapsed_forwarding: basic, req_rewriter_name: '', no_metrics: false,
         authenticator_name: ''}
      - {path: /graph, match_type: '', handler: '', methods: [], cache_key_params: []}
caches:
  default:
    provider: memory
    index: {reap_interval: 3s, flush_interval: 5s, index_expiry: 8760h0m0s,
            max_size_bytes: 536870912, max_size_backoff_bytes: 16777216, max_size_objects: 0,
            max_size_backoff_objects: 100}
    use_cache_chunking: false
    memory: {max_size_bytes: 536870912, num_counters: 500000}
    redis: {client_type: standard, protocol: tcp, endpoint: 'redis:6379',
            endpoints: ['redis:6379'], password: '', dial_timeout: 5s, idle_timeout: 5m0s}
    filesystem: {cache_path: /tmp/trickster}
    bbolt: {filename: trickster.db, bucket: trickster}
    badger: {directory: /tmp/trickster, value_directory: /tmp/trickster}
frontend: {listen_address: '', listen_port: 8480, tls_listen_address: '', tls_listen_port: 8483,
           connections_limit: 0, read_header_timeout: 10s, max_request_body_size_bytes: 10485760,
           truncate_request_body_too_large: false}
listeners:
  default: {protocol: http, address: '', port: 8480, tls_address: '', tls_port: 8483}
  metrics: {protocol: http, address: '', port: 8481, tls_port: 8483}
  mgmt: {protocol: http, address: 127.0.0.1, port: 8484, tls_port: 0}
logging: {log_file: '', log_level: INFO}
metrics: {listen_address: '', listen_port: 8481}
mgmt: {listen_address: 127.0.0.1, listen_port: 8484, config_handler_path: /trickster/config,
       pprof_listener: both, reload_drain_timeout: 30s, reload_rate_limit: 3s,
       auto_reload_interval: 0s}
tracing:
  default: {provider: none, protocol: http, service_name: trickster, endpoint: '', timeout: 0s,
            sample_rate: 1, tags: {}, omit_tags: [], headers: {}, stdout: {pretty_print: false}}
negative_caches: {default: {}}
rules: {}
request_rewriters: {}
authenticators: {}
"""


class DumpTests(SynchronousTestCase):
    """The configuration that C{/trickster/config} of the original shows."""

    def test_loads(self) -> None:
        """The original's configuration dump loads, means what it spells out, and has no notices."""
        configuration = loaded(DUMP)
        self.assertEqual(configuration.notices, ())
        prom = configuration.backends["prom"]
        self.assertEqual((prom.timeout, prom.max_ttl), (60.0, 90_000.0))
        probe = prom.healthcheck
        self.assertEqual((probe.verb, probe.scheme, probe.host, probe.path, probe.query,
                          probe.body, probe.expected_codes, probe.expected_body),
                         (None,) * 8)
        self.assertIsNone(prom.paths[1].methods)

    def test_other_store(self) -> None:
        """So it is with another store, beside which all blocks of stores are spelled out."""
        configuration = loaded(DUMP.replace("provider: memory", "provider: filesystem"))
        self.assertEqual(configuration.notices, ())
        self.assertEqual(configuration.caches["default"].store, "filesystem")

    def test_again(self) -> None:
        """A dump of the original that is loaded and rendered loads as the same configuration."""
        configuration = loaded(DUMP)
        self.assertEqual(evolve(loaded(rendered(configuration)), notices=()), configuration)

    def test_masked(self) -> None:
        """A masked secret is refused where a secret is needed, and nowhere else."""
        for keys in ("paths: [{path: /, request_headers: {Authorization: '*****'}}]",
                     "request_headers: {Authorization: '*****'}",
                     "healthcheck: {query: 'u=joe&p=*****'}",
                     "healthcheck: {headers: {X-Api-Key: '*****'}}"):
            (problem,) = problems_of(with_backend(keys))
            self.assertIn("***** stands for a secret that was not shown; write the value", problem)
        (problem,) = problems_of(ONE + "caches: {r: {provider: redis, redis: {password: '*****'}}}")
        self.assertIn("caches.r.redis.password: ***** stands for a secret", problem)
        loaded(ONE + "authenticators: {a: {provider: basic, users: {joe: '*****'}}}\n")


class LeftoverTests(SynchronousTestCase):
    """Keys that the original's published example has, and that the original does not know."""

    def test_misspelt(self) -> None:
        """A misspelt key is read as what is meant, and a line says so."""
        configuration = loaded(with_backend("compressable_types: [a/b]") + (
            "caches: {c: {index: {size_backoff_bytes: 1, size_backoff_objects: 2}}}"))
        self.assertEqual(configuration.backends["one"].compressible_types, ("a/b",))
        index = configuration.caches["c"].index
        self.assertEqual((index.max_size_backoff_bytes, index.max_size_backoff_objects), (1, 2))
        self.assertIn("backends.one.compressable_types is read as compressible_types; write that",
                      "\n".join(configuration.notices))

    def test_ignored(self) -> None:
        """A key that never had an effect has a notice."""
        configuration = loaded(with_backend("healthcheck: {port: 9090}"))
        self.assertEqual(configuration.notices, ((
            "t.yaml:1:86: backends.one.healthcheck.port is ignored; write it after the host, "
            "as in prometheus:9090"),))

    def test_both(self) -> None:
        """The right spelling of a key wins over the misspelt one."""
        configuration = loaded(with_backend("compressable_types: [a/b], compressible_types: []"))
        self.assertEqual(configuration.backends["one"].compressible_types, ())
        self.assertIn("is ignored: compressible_types is given too", configuration.notices[0])

    def test_wrong(self) -> None:
        """The value of a misspelt key is checked, and reported by the name that is in the file."""
        (problem,) = problems_of(with_backend("compressable_types: 5"))
        self.assertIn("backends.one.compressable_types: a single value is given", problem)

    def test_anchors(self) -> None:
        """Keys that begin with x- are for anchors, at the top alone."""
        configuration = loaded("x-common: &c {timeout: 5s}\n" + with_backend("<<: *c"))
        self.assertEqual((configuration.backends["one"].timeout, configuration.notices), (5.0, ()))
        (problem,) = problems_of(with_backend("x-y: 1"))
        self.assertIn("unknown key", problem)


class VariableTests(SynchronousTestCase):
    """Variables C{${NAME}} are substituted in values."""

    ENVIRON = {"TOKEN": "s3cret", "EMPTY": ""}  # noqa: RUF012

    def test_put_in(self) -> None:
        """A variable is substituted in every key that the original documents."""
        text = with_backend(
            "healthcheck: {headers: {A: '${TOKEN}'}}, request_headers: {B: 'x ${TOKEN} y'}, "
            "paths: [{path: /, request_headers: {C: '${TOKEN}'}, request_params: "
            "{d: '${EMPTY}'}, response_headers: {E: '${TOKEN}${TOKEN}'}}], "
            "cors: {headers: {F: '${TOKEN}'}}") + (
            "caches: {r: {provider: redis, redis: {password: '${TOKEN}'}}}\n"
            "authenticators: {a: {users: {joe: '${TOKEN}'}}}\n")
        configuration = loaded(text, self.ENVIRON, allowed=True)
        one = configuration.backends["one"]
        (path,) = one.paths
        self.assertEqual(one.healthcheck.headers, {"A": "s3cret"})
        self.assertEqual(one.request_headers, {"B": "x s3cret y"})
        self.assertEqual((path.request_headers, path.request_params, path.response_headers),
                         ({"C": "s3cret"}, {"d": ""}, {"E": "s3crets3cret"}))
        assert one.cors is not None
        self.assertEqual(one.cors.headers, {"F": "s3cret"})
        self.assertEqual(configuration.caches["r"].plugin.password, "s3cret")
        self.assertEqual(configuration.authenticators["a"].users, {"joe": "s3cret"})

    def test_users_credentials(self) -> None:
        """A variable is substituted in the credentials with which a user's requests are sent on."""
        text = ONE[:-2].rstrip("}") + (
            "}, u: {provider: alb, alb: {mechanism: ur, user_router: {users: {joe: "
            "{to_backend: one, to_credential: '${TOKEN}'}}}}}}")
        alb = loaded(text, self.ENVIRON).backends["u"].alb
        assert alb is not None
        self.assertEqual(alb.user_router.users["joe"].to_credential, "s3cret")

    def test_unset(self) -> None:
        """A variable that is not set is reported by its name, at the value's place."""
        (problem,) = problems_of(with_backend("request_headers: {A: '${TOKEN} ${NONE}'}"),
                                 self.ENVIRON)
        self.assertRegex(problem, r"^t\.yaml:1:\d+: backends\.one\.request_headers\.A: "
                         "the environment variable NONE is not set$")

    def test_as_it_is(self) -> None:
        """A text without a name in braces is left as it is."""
        for text in ("$TOKEN", "$2b$12$abc", "${}", "${a b}", "${1}", "$${", "{TOKEN}"):
            one = loaded(with_backend(f"request_headers: {{A: '{text}'}}"), self.ENVIRON)
            self.assertEqual(one.backends["one"].request_headers, {"A": text})

    def test_elsewhere(self) -> None:
        """A variable in a key where none is substituted has a notice."""
        configuration = loaded(with_backend("cache_key_prefix: '${TOKEN}'"), self.ENVIRON)
        self.assertEqual(configuration.backends["one"].cache_key_prefix, "${TOKEN}")
        self.assertIn("backends.one.cache_key_prefix has a ${NAME} that is taken as it is",
                      configuration.notices[0])

    def test_never_shown(self) -> None:
        """A rendered configuration has the variable's name, and so can be loaded again."""
        text = with_backend("paths: [{path: /, request_headers: {X-Tenant: 'a ${TOKEN}'}}]")
        shown = rendered(loaded(text, self.ENVIRON))
        self.assertNotIn("s3cret", shown)
        self.assertEqual(loaded(shown, self.ENVIRON).backends, loaded(text, self.ENVIRON).backends)


# What the original takes for these keys, each in a file where it stands.
CHOICES = (
    ("authenticators: {x: {users_file: /f, users_file_format: %s}}",
     ("csv", "csvNoHeader", "htpasswd")),
    ("authenticators: {x: {provider: %s, users_file: /f}}", ("basic", "clickhouse")),
    ("tracing: {x: {provider: %s}}", ("none", "stdout", "otlp")),
    ("rules: {x: {input_source: %s, input_key: a, next_route: one}}",
     ("url", "url_no_params", "scheme", "host", "hostname", "port", "path", "params", "param",
      "header", "method")),
    ("rules: {x: {input_type: %s, next_route: one}}", ("string", "num", "bool")),
    ("caches: {default: {provider: redis, redis: {client_type: %s}}}",
     ("standard", "cluster")),
    ("caches: {default: {provider: redis, redis: {client_type: %s, sentinel_master: m}}}",
     ("sentinel",)),
    ("caches: {default: {provider: redis, redis: {protocol: %s}}}", ("tcp",)),
    ("caches: {default: {provider: redis, redis: {protocol: %s, endpoint: /r.sock}}}", ("unix",)),
    ("caches: {default: {provider: %s}}",
     ("memory", "redis", "filesystem", "bbolt", "badger")),
    ("logging: {log_level: %s}", ("debug", "info", "warn", "error")),
    ("mgmt: {pprof_listener: %s}", ("mgmt", "metrics", "both", "off")),
)


class ChoiceTests(SynchronousTestCase):
    """Keys that have one of a few values."""

    def test_known(self) -> None:
        """Each value that the original has for a key is read, in any case of its letters."""
        for text, values in CHOICES:
            for value in (*values, *map(str.upper, values)):
                if "provider" in text and value != value.lower():
                    continue
                self.assertEqual(problems_of(ONE + text % value), (), text % value)

    def test_mechanisms(self) -> None:
        """Each mechanism of the original to choose a member of a pool is read."""
        for value in ("rr", "round_robin", "fr", "first_response", "fgr", "first_good_response",
                      "nlm", "newest_last_modified", "tsm", "time_series_merge", "ur",
                      "user_router"):
            text = ONE.rstrip()[:-1] + (
                f", pool: {{provider: alb, alb: {{mechanism: {value}, pool: [one]}}}}}}")
            self.assertEqual(problems_of(text), (), value)


class MoreFilesTests(SynchronousTestCase):
    """Files that the original reads besides the one that is named."""

    def test_beside(self) -> None:
        """Configuration files in conf.d are not read: that is refused, and can be allowed."""
        def asked(allowed: bool) -> tuple[str, ...]:
            sources = Sources("/etc/t.yaml", allows_ineffective=allowed)
            return load(sources, PLUGINS, reading(ONE), lambda path: ["a.yaml", "b.yml"]
                        ).unprotected

        error = self.assertRaises(ConfigurationError, asked, False)
        (problem,) = error.problems
        self.assertTrue(problem.startswith(
            "/etc/t.yaml: conf.d: is not yet effective in this release: a.yaml, b.yml beside "
            "this file is not read"), problem)
        self.assertEqual(len(asked(True)), 1)

    def test_listed(self) -> None:
        """Only files that the original would read count as configuration files."""
        directory = Path(self.mktemp())
        path = str(directory / "t.yaml")
        self.assertEqual(files_beside(path), ())
        (directory / "conf.d").mkdir(parents=True)
        for name in ("b.yaml", "a.conf", "c.yml", "README", "d.yaml.bak"):
            (directory / "conf.d" / name).touch()
        self.assertEqual(list(files_beside(path)), ["a.conf", "b.yaml", "c.yml"])

    def test_no_file(self) -> None:
        """A start without a file looks for no files in conf.d."""
        def read(path: str) -> bytes:
            raise FileNotFoundError

        def beside(path: str) -> list[str]:
            raise AssertionError

        load(Sources(flags={"origin-url": "http://a", "provider": "reverseproxy"}), PLUGINS, read,
             beside)
