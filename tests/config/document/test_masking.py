"""Tests of L{trickster.config.document.masking}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.config.document.masking import MASK, is_secret_name, masked_text


class NameTests(SynchronousTestCase):
    """Names of what is usually secret."""

    def test_secret(self) -> None:
        """Credentials are known by their names, in headers, parameters and keys."""
        for name in ("Authorization", "+Proxy-Authorization", "Cookie", "Set-Cookie", "password",
                     "db_password", "passwd", "X-Auth-Token", "token", "access_token", "api_key",
                     "X-API-Key", "X-Vault-Key", "secret", "client_secret", "secret_key", "p",
                     "authToken", "accesstoken", "dbPassword", "SESSIONKEY", "jwt", "key",
                     "sessionid", "code_verifier"):
            self.assertTrue(is_secret_name(name), name)

    def test_harmless(self) -> None:
        """Names that only sound alike are not."""
        for name in ("cache_key_prefix", "cache_key_params", "Accept", "query", "keep-alive",
                     "purge_by_key_path", "tokens_per_second", "step", "X-Scope-OrgID", "monkey",
                     "bypass", "group", "top", "input_key", "sessions", "input_keys"):
            self.assertFalse(is_secret_name(name), name)


class TextTests(SynchronousTestCase):
    """Texts with credentials in them."""

    def test_urls(self) -> None:
        """Passwords in URLs are masked, the rest is kept."""
        for text, expected in {
            "http://u:p@h:1/x": f"http://u:{MASK}@h:1/x",
            "http://u:p@ss@h/": f"http://u:{MASK}@h/",
            "https://token@h": f"https://{MASK}@h",
            "http://h/a@b": "http://h/a@b",
            "http://h/?u=me&p=x&q=up": f"http://h/?u=me&p={MASK}&q=up",
            "http://h/?token=": "http://h/?token=",
            "plain text": "plain text",
            '{"a": "b", "password" : "x\\"y", "c": 1}':
                f'{{"a": "b", "password" : "{MASK}", "c": 1}}',
        }.items():
            self.assertEqual(masked_text(text), expected)

    @given(st.text(alphabet="abcZ09:@%!$", min_size=3, max_size=12))
    def test_password_never_shown(self, password: str) -> None:
        """No password is in what is shown."""
        shown = masked_text(f"http://joe:7{password}7@host/path")
        self.assertNotIn(f"7{password}7", shown)
        self.assertTrue(shown.endswith("@host/path"))


class LongTests(SynchronousTestCase):
    """Texts with very many beginnings of secrets."""

    def test_linear(self) -> None:
        """The time to mask a text grows no faster than its length."""
        for piece in ("a", "a:", "//", "://", "a=", "&", '"a": "'):
            self.assertLessEqual(len(masked_text(piece * 100_000)), 2_000_000)

    def test_at_in_names(self) -> None:
        """A URL's authority is masked from its first colon to its last C{@}."""
        self.assertEqual(masked_text("http://a@b:c@h/@x"), "http://a@b:*****@h/@x")
