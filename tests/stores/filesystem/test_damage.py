"""Whatever is in the directory, a store gives what was put, or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stores.filesystem.storecase import StoreCase, away
from trickster.errors import StoreError
from trickster.stores.filesystem.directory import OWN
from trickster.stores.filesystem.store import FilesystemStore
from trickster.stores.filesystem.value_file import header

VALUES = {"a": b"1" * 10, "b~" + "0" * 32: b"2" * 200_000, "c": b""}
_ONE_FILE = st.tuples(st.sampled_from(["cut", "extend", "change", "swap", "delete"]),
                      st.integers(0, 10), st.integers(0, 300_000))


def _linked(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _full(path: Path) -> None:
    path.mkdir()
    (path / "within").write_bytes(b"")


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(header("a", b"1" * 10, 1e12))
        file.truncate(1 << 40)


def _unreadable(path: Path) -> None:
    path.write_bytes(b"x")
    path.chmod(0)


_KINDS: tuple[Callable[[Path], None], ...] = (
    _linked, os.mkfifo, Path.mkdir, _sparse, _unreadable, lambda path: os.mknod(path, 0o140600))


class DamageTests(StoreCase):
    """Files that are not as they were written."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(_ONE_FILE, min_size=1, max_size=4), st.booleans())
    def test_any_damage(self, damages: list[tuple[str, int, int]], is_new: bool) -> None:
        """Of files that are cut off, extended, changed, swapped or gone, each is whole or a miss."""
        self.successResultOf(self.damaged(damages, is_new))

    async def damaged(self, damages: list[tuple[str, int, int]], is_new: bool) -> None:
        """Damage files, and look what a store gives."""
        away(self.path)
        store = self.store()
        for key, value in VALUES.items():
            await store.put(key, value, 600.0)
        files = [path for path in sorted((self.path / OWN).rglob("*")) if path.is_file()]
        if is_new:
            await store.stopService()
            files.append(self.path / OWN / "index")
        for damage, number, place in damages:
            _damage(damage, files[number % len(files)], files[place % len(files)], place)
        if is_new:
            store = self.store()
        for key, value in VALUES.items():
            self.assertIn(await store.get(key), (value, None))
            self.assertIn(store.peek(key, 20), (value[:20], None))
        self.assertLessEqual(set(await store.keys("")), set(VALUES))
        for key in VALUES:
            self.assertTrue(await store.put(key, b"new", 600.0))
            self.assertEqual(await store.get(key), b"new")
        self.assertEqual(store.usage().objects, 3)
        await store.stopService()

    async def test_other_kinds(self) -> None:
        """What is no file is a miss at once, is neither followed nor waited for, and is replaced."""
        for make in _KINDS:
            for ask in ("get", "put", "replace", "delete", "keys", "scan"):
                away(self.path)
                store = self.store()
                self.file("a").parent.mkdir(parents=True)
                make(self.file("a"))
                if ask == "scan":
                    self.clock.advance(10.0)
                await self.asked(store, ask)
                self.assertTrue(await store.put("a", b"1", 60.0))
                self.assertEqual(await store.get("a"), b"1")
                await store.stopService()

    async def asked(self, store: FilesystemStore, ask: str) -> None:
        """Ask for what is not there."""
        if ask == "get":
            self.assertIsNone(await store.get("a"))
        elif ask == "put":
            self.assertTrue(await store.put("a", b"2", 60.0))
        elif ask == "replace":
            self.assertTrue(await store.replace("a", b"2", 60.0, None))
        elif ask == "delete":
            self.assertEqual(await store.delete(["a"]), 0)
        elif ask == "keys":
            self.assertEqual(list(await store.keys("")), [])

    async def test_full_directory(self) -> None:
        """A directory with something in it stays, costs its own key only, and is told."""
        store = self.store()
        await store.put("b", b"2", 60.0)
        self.file("a").parent.mkdir(parents=True, exist_ok=True)
        _full(self.file("a"))
        self.assertIsNone(await store.get("a"))
        with self.assertRaises(StoreError) as caught:
            await store.put("a", b"1", 60.0)
        self.assertIn(self.file("a").parent.name, str(caught.exception))
        self.clock.advance(10.0)
        self.assertEqual((await store.delete(["a"]), list(await store.keys(""))), (0, ["b"]))
        self.assertTrue((self.file("a") / "within").exists())
        self.assertEqual([path for path in self.values() if path.suffix], [])

    async def test_foreign_files(self) -> None:
        """What has no name of ours is let alone, in the directory and in what is the store's."""
        store = self.store()
        await store.put("a", b"1", 60.0)
        own = self.path / OWN
        foreign = [self.path / "cache.index", self.path / "a.data", own / "notes.txt",
                   own / "zz", own / "0", self.file("a").parent / "notes.txt",
                   self.file("a").parent / "A", self.file("a").parent / ("a" * 45),
                   self.file("a").parent / ("A" * 46), self.file("a").parent / "x.tmp"]
        for path in foreign:
            path.write_bytes(b"mine")
            os.utime(path, (0, 0))
        self.clock.advance(100.0)
        await store.keys("")
        await store.delete(["a"])
        self.assertEqual([path.read_bytes() for path in foreign], [b"mine"] * len(foreign))
        self.assertEqual(store.usage().objects, 0)

    async def test_of_another_key(self) -> None:
        """A file that is whole, under the name of another key, is a miss, and goes."""
        store = self.store()
        await store.put("a", b"1", 60.0)
        await store.put("b", b"2", 60.0)
        self.file("a").rename(self.file("b"))
        self.assertIsNone(await store.get("b"))
        self.assertFalse(self.file("b").exists())
        self.assertEqual(store.peek("a", 20), None)

    async def test_link_to_a_value(self) -> None:
        """A link is not followed, also where it leads to what would be the value."""
        store = self.store()
        await store.put("a", b"1", 60.0)
        elsewhere = self.file("a").rename(self.path / "elsewhere")
        self.file("a").symlink_to(elsewhere)
        self.assertTrue(await store.replace("a", b"2", 60.0, None))
        self.file("a").unlink()
        self.file("a").symlink_to(elsewhere)
        self.assertIsNone(await store.get("a"))
        self.assertTrue(elsewhere.exists())

    async def test_removed_by_hand(self) -> None:
        """All of it may be removed while the store runs: it is empty then, and works on."""
        store = self.store()
        for number in range(20):
            await store.put(f"{number}", b"1", 600.0)
        away(self.path)
        self.assertIsNone(await store.get("1"))
        self.assertIsNone(store.peek("2", 20))
        self.assertTrue(await store.put("3", b"2", 600.0))
        self.assertEqual(await store.get("3"), b"2")
        self.clock.advance(10.0)
        self.assertEqual((store.usage().objects, store.usage().octets), (1, 4096))

    async def test_damaged_goes(self) -> None:
        """A damaged file is removed once it is read, and counts no more."""
        store = self.store()
        await store.put("a", b"1", 60.0)
        self.file("a").write_bytes(self.file("a").read_bytes()[:-1] + b"2")
        self.assertIsNone(await store.get("a"))
        self.assertFalse(self.file("a").exists())
        self.assertEqual((store.usage().objects, self.told), (0, []))

    async def test_hostile_keys(self) -> None:
        """Keys that are paths, or no text that could be written, are keys like others."""
        store = self.store()
        keys = ["/etc/passwd", "../../x", "\ud800", "a\x00b", ".", "lock", "index", "~" * 5000]
        for key in keys:
            self.assertTrue(await store.put(key, key[:9].encode("utf-8", "replace"), 60.0))
        self.assertEqual(sorted(await store.keys("")), sorted(keys))
        self.assertEqual(await store.delete(keys), len(keys))

    async def test_too_long(self) -> None:
        """A key or a value beyond all bounds is refused, and not there."""
        store = self.store()
        for key, value in (("x" * 70_000, b"1"), ("a", bytes(65 << 20))):
            self.assertFalse(await store.put(key, value, 60.0))
            self.assertIsNone(await store.get(key))
            self.assertFalse(await store.replace(key, value, 60.0, None))
        self.assertEqual(set(self.told), {("refusal", "size_bytes")})


def _damage(damage: str, path: Path, other: Path, place: int) -> None:
    if not path.exists():
        return
    octets = path.read_bytes()
    if damage == "cut":
        path.write_bytes(octets[:place % (len(octets) + 1)])
    elif damage == "extend":
        path.write_bytes(octets + b"\x00" * (1 + place % 9000))
    elif damage == "change" and octets:
        place %= len(octets)
        path.write_bytes(octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1:])
    elif damage == "swap" and other.exists() and path.name != "index":
        path.rename(other)
    elif damage == "delete":
        path.unlink()
