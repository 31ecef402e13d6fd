"""Tests of L{trickster.config.checks.listeners}."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, CheckCase, loaded, problems_of, told_by, with_backend
from trickster.config.checks.listeners import check_listeners
from trickster.config.options.backends import BackendOptions
from trickster.config.options.listeners import ListenerOptions
from trickster.config.options.model import Configuration


class ListenerTests(CheckCase):
    """Addresses and ports of listeners."""

    def test_same_port(self) -> None:
        """Two listeners cannot have one port, unless their addresses differ."""
        told = "port 8480 is that of listener 'default' too; expected another port or address"
        two = ONE.replace("}}", "}, two: {provider: reverseproxy, origin_url: 'http://a', "
                          "listener_name: other}}")
        self.assertTold(two + "listeners: {other: {address: 127.0.0.1}}",
                        f"listeners.other.port: {told}")
        self.assertTold(ONE + "metrics: {listen_port: 8480}", f"metrics.listen_port: {told}")
        self.assertTold(two + "listeners: {default: {address: 127.0.0.1}, "
                        "other: {address: 127.0.0.2}}")

    def test_unused(self) -> None:
        """A listener that no backend is on is not opened, so that it has no port; it is named."""
        text = ONE + "listeners: {other: {port: 8481}}"
        self.assertTold(text)
        configuration = loaded(text)
        self.assertEqual(list(configuration.opened), ["default", "metrics", "mgmt"])
        self.assertEqual(configuration.notices, (
            "t.yaml:2:13: listeners.other is not opened: no backend is on it",))
        moved = loaded(with_backend("listener_name: other") + "listeners: {other: {port: 1}}")
        self.assertEqual(list(moved.opened), ["metrics", "mgmt", "other"])
        self.assertEqual(moved.notices, ())

    def test_same_as_built_in(self) -> None:
        """A clash with a default port is reported at the port that the file gives."""
        self.assertEqual(problems_of(ONE + "listeners: {default: {port: 8481}}"), ((
            "t.yaml:2:23: listeners.default.port: port 8481 is that of listener 'metrics' too; "
            "expected another port or address"),))

    def test_closed(self) -> None:
        """Port 0 is none: it clashes with nothing, but where backends are it has to be open."""
        self.assertTold(ONE + "listeners: {metrics: {port: 0}, mgmt: {port: 0}}")
        self.assertTold(ONE + "listeners: {default: {port: 0}}",
                        "listeners.default.port: there are backends on this listener; "
                        "expected a port above 0")

    def test_address(self) -> None:
        """An address of a listener has no port and no scheme."""
        for address in ("127.0.0.1:80", "http://x", "a b", "[::1]", "1.2.3", "127.0.0.256"):
            (problem,) = problems_of(ONE + f"listeners: {{default: {{address: '{address}'}}}}")
            self.assertIn("is not an address", problem)
        self.assertTold(ONE + "listeners: {default: {address: '::1'}, mgmt: {address: localhost}}")

    def test_trusted_proxies(self) -> None:
        """Trusted proxies are addresses and networks; a network has no bits beyond its prefix."""
        self.assertTold(ONE + "listeners: {default: {trusted_proxies: [10.0.0.0/8, '::1']}}")
        for network in ("10.0.0.1/8", "proxy.example", "", "10.0.0.0/33", "0-255"):
            (problem,) = problems_of(
                ONE + f"listeners: {{default: {{trusted_proxies: ['::1', '{network}']}}}}")
            self.assertIn("listeners.default.trusted_proxies[1]: ", problem)
            self.assertIn("is not a network; expected one such as 10.0.0.0/8", problem)


class ClashTests(SynchronousTestCase):
    """Two listeners on one port."""

    def test_addresses(self) -> None:
        """Two listeners on one port clash if their addresses are equal, or one is all of them."""
        told = ("listeners.b.port: port 1 is that of listener 'a' too; expected another port or "
                "address")
        for one, other in product(("", "0.0.0.0", "::", "127.0.0.1", "::1"), repeat=2):
            configuration = Configuration(
                listeners={"a": ListenerOptions(port=1, address=one),
                           "b": ListenerOptions(port=1, address=other)},
                backends={name: BackendOptions(listener_name=name) for name in "ab"})
            clash = one == other or not {"", "0.0.0.0", "::"}.isdisjoint((one, other))
            self.assertEqual(told_by(check_listeners, configuration), (told,) if clash else ())
