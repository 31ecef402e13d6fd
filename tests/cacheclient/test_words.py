"""Tests of L{trickster.cacheclient.words}."""

from __future__ import annotations

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from trickster.admin.management import CACHES_PATH, PURGE_PATH
from trickster.cacheclient.words import Question, place_at, question

DEFAULT = "http://127.0.0.1:8484"


def asked(*words: str) -> Question:
    """:return: what a command line asks; a file's listener is at its name."""
    return question(words, lambda path: f"http://{path}:1")


class WordsTests(SynchronousTestCase):
    """What command lines ask."""

    def test_commands(self) -> None:
        """Caches, entries and purges are asked for in the words of the management API."""
        for words, expected in (
                (("ls",), Question(DEFAULT, CACHES_PATH)),
                (("ls", "--json"), Question(DEFAULT, CACHES_PATH, None, True)),
                (("show", "a/b"), Question(DEFAULT, f"{CACHES_PATH}/a%2Fb/entries")),
                (("show", "-n", "5", "--prefix=/a b", "x"),
                 Question(DEFAULT, f"{CACHES_PATH}/x/entries?prefix=%2Fa+b&limit=5")),
                (("show", "x", "-backend", "b", "-n", "5", "--json"),
                 Question(DEFAULT, f"{CACHES_PATH}/x/entries?backend=b&limit=5", None, True)),
                (("purge", "--all"), Question(DEFAULT, PURGE_PATH, {"all": True})),
                (("purge", "-b", "p", "--query", "up", "--start", "5", "--end=6"),
                 Question(DEFAULT, PURGE_PATH,
                          {"backend": "p", "query": "up", "start": "5", "end": "6"})),
                (("purge", "--tag", "t", "--soft"),
                 Question(DEFAULT, PURGE_PATH, {"tag": "t", "soft": True}))):
            self.assertEqual(asked(*words), expected, words)

    def test_place(self) -> None:
        """The listener is where it is said to be, or a configuration says; one dash will do."""
        for words, place in (
                (("--mgmt", "http://h:9/"), "http://h:9"), (("-mgmt=https://h/x",), "https://h/x"),
                (("-m", "http://[::1]:9"), "http://[::1]:9"), (("-config", "file"), "http://file:1"),
                (("-c", "file"), "http://file:1"), (("-config=file", "-mgmt", "http://h"), "http://h")):
            self.assertEqual(asked("ls", *words).place, place, words)

    def test_misuse(self) -> None:
        """What makes no sense is refused."""
        for words in ((), ("list",), ("ls", "x"), ("show",), ("show", "a", "b"), ("show", "a", "-n", "5", "b"), ("show", "-", "-", "-"),
                      ("show", "a", "--", "b"), ("show", "a", "--frob"), ("purge",),
                      ("purge", "/a"), ("purge", "--soft"), ("purge", "--start", "5"), ("ls", "--frob"),
                      ("ls", "--mgmt", "h:9"), ("ls", "--mgmt", "http://"), ("ls", "--mgmt", "ftp://h"),
                      ("ls", "--mgmt", "http://h?x"), ("ls", "--mgmt", "http://h:x"), ("show", "x", "-n")):
            with self.assertRaises(UsageError, msg=words):
                asked(*words)

    def test_place_at(self) -> None:
        """A listener on all addresses is asked on this machine's own."""
        for address, place in (("", DEFAULT), ("0.0.0.0", DEFAULT), ("::", DEFAULT),
                               ("10.0.0.1", "http://10.0.0.1:8484"), ("::1", "http://[::1]:8484")):
            self.assertEqual(place_at(address, 8484), place)
