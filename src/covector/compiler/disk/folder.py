"""A directory that belongs to this user alone: how it is made, examined, and used without being fooled.

Everything is examined through the descriptor it is then used by, so that nothing can be exchanged in between, and
names are looked up relative to the directory's descriptor. Where there are no owners and permission bits as POSIX
knows them, a user's folders are guarded by access lists, which what is made in them inherits.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["File", "Place", "UnsafeError", "examine", "opened_folder"]

POSIX = hasattr(os, "geteuid") and os.open in os.supports_dir_fd
# A fifo must not block, a link must not be followed; absent where there is no such thing.
SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class UnsafeError(Exception):
    """Somebody else could have written this; the message says why and what to do."""


@dataclass(frozen=True)
class File:
    """A name in an open directory; without the directory's descriptor, by its path."""

    folder: Path
    name: str
    descriptor: int | None

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def _reached(self) -> str:
        return self.name if self.descriptor is not None else str(self.path)

    @contextmanager
    def opened(self, flags: int) -> Iterator[int]:
        """Open the file itself, for this user only if that makes it, and give its descriptor."""
        descriptor = os.open(self._reached, flags | SAFELY, 0o600, dir_fd=self.descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def status(self) -> os.stat_result:
        return os.stat(self._reached, dir_fd=self.descriptor, follow_symlinks=False)

    def touch(self) -> None:
        """Make now the time of last use."""
        follow = os.utime not in os.supports_follow_symlinks
        os.utime(self._reached, dir_fd=self.descriptor, follow_symlinks=follow)

    def remove(self) -> None:
        os.unlink(self._reached, dir_fd=self.descriptor)

    def move(self, other: File) -> None:
        """Take the place of `other` in one step."""
        os.replace(self._reached, other._reached, src_dir_fd=self.descriptor, dst_dir_fd=other.descriptor)


Place = Callable[[str], File]


def examine(status: os.stat_result, what: str, path: Path) -> None:
    """Refuse what this user does not own or others may write."""
    if not POSIX:
        return
    user = os.geteuid()
    if status.st_uid != user:
        raise UnsafeError(
            f"The {what} {path} belongs to user {status.st_uid}, not to user {user}, who runs this process. "
            f"Run `chown {user} {path}` if it should be yours, or remove it."
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnsafeError(
            f"The {what} {path} can be written by other users (mode {stat.S_IMODE(status.st_mode):04o}). "
            f"Run `chmod go-w {path}` if nobody else has used that, or remove it."
        )


def _examine_around(path: Path) -> None:
    """Refuse a directory that others could exchange for another one.

    Whoever owns a folder or may write into it may rename what is in it; where the sticky bit is set, as in ``/tmp``,
    only the owners may. Both the way as it is written and the way that its links lead must be safe. Groups are
    trusted: in many places everybody has a group of their own.
    """
    trusted = (0, os.geteuid())
    for around in dict.fromkeys([*path.parents, *Path(os.path.realpath(path)).parents]):
        itself, target = os.lstat(around), os.stat(around)
        owner = next((status.st_uid for status in (itself, target) if status.st_uid not in trusted), None)
        if owner is not None:
            raise UnsafeError(f"The directory {path} lies in {around}, whose owner, user {owner}, can exchange it.")
        if target.st_mode & stat.S_IWOTH and not target.st_mode & stat.S_ISVTX:
            raise UnsafeError(
                f"The directory {path} lies in {around}, where any user can exchange it "
                f"(mode {stat.S_IMODE(target.st_mode):04o}). Run `chmod o-w {around}`."
            )


def _make(path: Path) -> None:
    """Make a directory, and the missing ones around it, for this user only."""
    with suppress(FileExistsError):
        if not path.parent.is_dir():
            _make(path.parent)
        os.mkdir(path, 0o700)


@contextmanager
def opened_folder(path: Path, *, make: bool = False) -> Iterator[Place]:
    """Open a directory and give the means to name files in it.

    Raises
    ------
    UnsafeError
        If others can change it, or if it is a symbolic link: what it leads to is then up to who made the link.
    OSError
        If there is none, or it cannot be used.
    """
    if make:
        _make(path)
    if not POSIX:
        os.listdir(path)  # as an OSError that says what is wrong, if something is
        yield lambda name: File(path, name, None)
        return
    if path.is_symlink():
        raise UnsafeError(f"The directory {path} is a symbolic link. Name the directory that it leads to instead.")
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | SAFELY)
    try:
        examine(os.fstat(descriptor), "directory", path)
        _examine_around(path)
        yield lambda name: File(path, name, descriptor)
    finally:
        os.close(descriptor)
