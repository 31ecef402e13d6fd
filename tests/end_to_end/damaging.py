"""Damage to files of every kind, at random."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

# Times that a program may be quicker.
_TRIES = 1000


def damaged(place: Path, chance: Random, share: float = 0.5) -> None:
    """
    Damage some of what is in a directory, each in another way.

    :param share: of the files that are damaged; of the directories in others,
        it is a tenth of that.  The ones above all may be refused for good.
    """
    for path in sorted(_within(place)):
        # It may be gone by now, or be in a directory that is.
        with suppress(OSError):
            if path.is_file() and chance.random() < share:
                chance.choice(_WAYS)(path, chance)
            elif path.is_dir() and path.parent != place and chance.random() < share / 10:
                chance.choice(_DIRECTORY_WAYS)(path, chance)


def _within(place: Path) -> Iterator[Path]:
    """:return: all that is in a directory, but for what goes while it is looked at."""
    for directory, directories, files in os.walk(place):
        yield from (Path(directory, name) for name in (*directories, *files))


def emptied(place: Path) -> None:
    """Remove all that was in a directory; a program may put there what it likes, meanwhile too."""
    for name in os.listdir(place):
        taken_away(place / name, place.parent)


def taken_away(path: Path, beside: Path | None = None) -> None:
    """
    Remove what is under a path, in one step for a program that uses it; there need not be
    anything.

    :param beside: a directory on the same disk in which no program looks for anything; by default
        that in which the path is.
    """
    with (tempfile.TemporaryDirectory(dir=beside or path.parent, ignore_cleanup_errors=True) as
          aside, suppress(FileNotFoundError)):
        path.rename(Path(aside, path.name))


def shut_out(place: Path) -> None:
    """Have a file where a directory was, which a program may be making anew all the while."""
    for _ in range(_TRIES):
        taken_away(place)
        with suppress(FileExistsError):
            with place.open("xb") as file:
                file.write(b"no directory")
            return
    raise AssertionError(f"{place} is made again and again")


def replaced(place: Path, chance: Random) -> None:
    """Move a directory away, have a file or nothing there for a moment, and maybe move it back."""
    aside = place.with_name(f"{place.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    place.rename(aside)
    with suppress(OSError):
        if chance.random() < 0.5:
            place.write_bytes(b"no directory")
            time.sleep(chance.uniform(0.0, 0.2))
            place.unlink()
        if chance.random() < 0.5:
            aside.rename(place)
    # A store that makes its file does not make the directory.
    place.mkdir(exist_ok=True)


def _some_octets(path: Path, chance: Random) -> None:
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for _ in range(chance.randrange(1, 20)):
            file.seek(chance.randrange(max(1, size)))
            file.write(chance.randbytes(chance.choice((1, 1, 8, 300))))


def _one_bit(path: Path, chance: Random) -> None:
    with path.open("r+b") as file:
        at = chance.randrange(max(1, file.seek(0, os.SEEK_END)))
        file.seek(at)
        octet = file.read(1) or b"\0"
        file.seek(at)
        file.write(bytes([octet[0] ^ 1 << chance.randrange(8)]))


def _cut_off(path: Path, chance: Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size + 1))


def _extended(path: Path, chance: Random) -> None:
    with path.open("ab") as file:
        file.write(chance.randbytes(chance.randrange(1, 10_000)))


def _written_over(path: Path, chance: Random) -> None:
    path.write_bytes(chance.randbytes(path.stat().st_size))


def _zeros(path: Path, chance: Random) -> None:
    path.write_bytes(bytes(path.stat().st_size + chance.randrange(2)))


def _removed(path: Path, chance: Random) -> None:
    path.unlink()


def _a_directory(path: Path, chance: Random) -> None:
    path.unlink()
    path.mkdir()
    if chance.random() < 0.5:
        (path / "in it").write_bytes(b"1")


def _a_pipe(path: Path, chance: Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _a_link(path: Path, chance: Random) -> None:
    path.unlink()
    path.symlink_to(chance.choice(("/etc/passwd", "/dev/zero", "not-there", path.name)))


def _another(path: Path, chance: Random) -> None:
    others = [each for each in path.parent.iterdir() if each.is_file()]
    path.write_bytes(chance.choice(others or [path]).read_bytes())


_WAYS: tuple[Callable[[Path, Random], None], ...] = (
    _some_octets, _one_bit, _cut_off, _extended, _written_over, _zeros, _removed, _a_directory,
    _a_pipe, _a_link, _another)


def _no_directory(path: Path, chance: Random) -> None:
    shutil.rmtree(path)
    chance.choice((Path.touch, os.mkfifo, lambda path: path.symlink_to("/")))(path)


def _gone(path: Path, chance: Random) -> None:
    shutil.rmtree(path)


def _other_rights(path: Path, chance: Random) -> None:
    path.chmod(chance.choice((0o777, 0o000, 0o500)))


_DIRECTORY_WAYS: tuple[Callable[[Path, Random], None], ...] = (
    _no_directory, _gone, _other_rights)
