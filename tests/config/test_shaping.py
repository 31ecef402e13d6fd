"""Tests of L{trickster.config.shaping}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, loaded, problems_of
from trickster.config.shaping import OLDER_NAMES


class OlderNameTests(SynchronousTestCase):
    """Keys of earlier generations are read as the present ones."""

    def test_origins(self) -> None:
        """C{origins} is read as backends, and the type of an origin or a cache as its provider."""
        configuration = loaded("origins: {one: {origin_type: prometheus, "
                               "origin_url: 'http://a'}}\ncaches: {c: {cache_type: memory}}")
        self.assertEqual(configuration.backends["one"].provider, "prometheus")
        self.assertEqual(configuration.caches["c"].provider, "memory")

    def test_listeners(self) -> None:
        """Ports of C{frontend}, C{metrics} and C{mgmt} are read as those of the listeners."""
        configuration = loaded(ONE + """\
frontend: {listen_address: 127.0.0.2, listen_port: 1, connections_limit: 7}
metrics: {listen_port: 2}
mgmt: {listen_port: 3, ping_handler_path: /ping}
""")
        found = configuration.listeners
        self.assertEqual([found[n].port for n in ("default", "metrics", "mgmt")], [1, 2, 3])
        self.assertEqual((found["default"].address, found["default"].connections_limit),
                         ("127.0.0.2", 7))
        self.assertEqual((found["mgmt"].address, configuration.mgmt.ping_handler_path),
                         ("127.0.0.1", "/ping"))

    def test_progressive(self) -> None:
        """The first documented form of progressive forwarding is understood."""
        configuration = loaded("""\
origins:
  web:
    origin_type: reverseproxycache
    origin_url: http://a
    paths:
      files: {path: /f/, match_type: prefix, handler: proxycache,
              progressive_collapsed_forwarding: true}
      plain: {path: /p}
      basic: {path: /b, progressive_collapsed_forwarding: false}
""")
        paths = configuration.backends["web"].paths
        self.assertEqual([each.name for each in paths], ["files", "plain", "basic"])
        self.assertEqual([each.is_progressive for each in paths], [True, None, False])

    def test_spelling(self) -> None:
        """Problems and notices name keys as the file does."""
        problems = problems_of("origins: {a: {origin_type: x, origin_url: 'http://a', "
                               "timeout: 1}}\nfrontend: {listen_port: -1}")
        self.assertEqual([p.split(": ")[1] for p in problems],
                         ["origins.a.origin_type", "origins.a.timeout", "frontend.listen_port"])
        notices = loaded(ONE.replace("backends", "origins").replace("}}", ", latency_max: 1s}}")).notices
        self.assertIn("origins.one.latency_max", notices[0])

    def test_both_names(self) -> None:
        """A key given by both its names is refused: which one is meant is not known."""
        problems = problems_of(ONE + "origins: {}\n")
        self.assertEqual(problems, (
            ("t.yaml:2:1: origins: is an older name of backends, which is given too "
            "(t.yaml:1:1); keep one of them"),))

    def test_listeners_win(self) -> None:
        """A listener's key wins over the older block's, with a notice."""
        configuration = loaded(ONE + "frontend: {listen_port: 1, connections_limit: 7}\n"
                               "listeners: {default: {port: 2}}\nmgmt: {listen_port: 8484}\n")
        default = configuration.listeners["default"]
        self.assertEqual((default.port, default.connections_limit), (2, 7))
        self.assertEqual(configuration.notices, ((
            "t.yaml:2:12: frontend.listen_port is an older name of listeners.default.port, "
            "which is given too (t.yaml:3:23) and wins; leave it out"),))

    def test_equal(self) -> None:
        """A key given by both names with one value, as Trickster 2.0 shows it, has no notice."""
        configuration = loaded(ONE + "metrics: {listen_port: 8482, listen_address: ''}\n"
                               "listeners: {metrics: {port: 8482, address: ''}}\n")
        self.assertEqual((configuration.listeners["metrics"].port, configuration.notices),
                         (8482, ()))

    def test_moved(self) -> None:
        """A key that has moved to another block is read there, with a notice."""
        configuration = loaded(ONE + "main: {ping_handler_path: /alive, instance_id: 3}\n"
                               "reloading: {listen_port: 9, rate_limit: 3s}\n")
        self.assertEqual((configuration.mgmt.ping_handler_path, configuration.main.instance_id,
                          configuration.listeners["mgmt"].port), ("/alive", 3, 9))
        self.assertEqual(configuration.notices[0], (
            "t.yaml:2:8: main.ping_handler_path is read as mgmt.ping_handler_path; write that"))
        (problem,) = problems_of(ONE + "main: {ping_handler_path: 'a b'}")
        self.assertIn("main.ping_handler_path: ", problem)
        (problem,) = problems_of(ONE + "reloading: {nonsense: 1}")
        self.assertIn("reloading: unknown key", problem)

    def test_all_moved(self) -> None:
        """Each key that has moved is read in its new place, with a notice of its own."""
        configuration = loaded(ONE + """\
main: {config_handler_path: /c, ping_handler_path: /p, health_handler_path: /h,
       pprof_server: metrics}
reloading: {handler_path: /r, drain_timeout: 7s, rate_limit: 9s, listen_address: 127.0.0.3,
            listen_port: 11}
""")
        mgmt, listener = configuration.mgmt, configuration.listeners["mgmt"]
        self.assertEqual(
            (mgmt.config_handler_path, mgmt.ping_handler_path, mgmt.health_handler_path,
             mgmt.reload_handler_path, mgmt.pprof_listener, mgmt.reload_drain_timeout,
             mgmt.reload_rate_limit, listener.address, listener.port),
            ("/c", "/p", "/h", "/r", "metrics", 7.0, 9.0, "127.0.0.3", 11))
        self.assertEqual(sum(" is read as " in line for line in configuration.notices), 9)
        configuration = loaded(ONE + "main: {reload_handler_path: /s, pprof_listener: 'off'}\n")
        self.assertEqual((configuration.mgmt.reload_handler_path, configuration.mgmt.pprof_listener),
                         ("/s", "off"))

    def test_unknown(self) -> None:
        """Unknown keys of the older blocks are reported with near names."""
        (problem,) = problems_of(ONE + "frontend: {listen_prot: 1}")
        self.assertIn("frontend.listen_prot: unknown key; did you mean 'listen_port'?", problem)
        (problem,) = problems_of(ONE + "metrics: 5")
        self.assertIn("metrics: expected a mapping", problem)

    def test_nothing(self) -> None:
        """An empty older block sets no keys."""
        self.assertEqual(problems_of(ONE + "frontend:\nmetrics:\nmgmt:\n"), ())

    def test_wrong_shapes(self) -> None:
        """Blocks of the wrong shape are reported once, each by the general reader."""
        problems = problems_of("backends: [a]\nlisteners: 5\ncaches: x\nmgmt: [x]\n")
        self.assertEqual(sorted({p.split(": ")[1] for p in problems}),
                         ["backends", "caches", "listeners", "mgmt"])


class TableTests(SynchronousTestCase):
    """The table of older names."""

    def test_older_names(self) -> None:
        """No older name is read as another older one."""
        self.assertEqual(set(OLDER_NAMES) & set(OLDER_NAMES.values()), set())
