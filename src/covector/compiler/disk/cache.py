"""Compiled code on disk, from one process to the next.

Entries are executed, so whoever can write them can run programs as this user. Therefore they lie in a directory that
belongs to the user alone (see `folder`), are object code and JSON and never pickles, and begin with a checksum over
key and contents: what was cut short, damaged or renamed is ignored and compiled again. An entry is written under
another name and then moved into place, so that processes that write the same one do not disturb each other.

The cache never makes a computation fail: without a home, without space, on a read-only file system there is none.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
import struct
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folder import Place, UnsafeError, examine, opened_folder

if TYPE_CHECKING:
    from ..native.llvm import Code

__all__ = [
    "Cache",
    "Entry",
    "compiled",
    "directory",
    "enabled",
    "key",
    "linked",
    "object_key",
    "pack",
    "unpack",
]

DIRECTORY = "COVECTOR_CACHE_DIR"
SWITCH = "COVECTOR_CACHE"
LIMIT = 512 * 2**20

# Magic number with the version of this layout, length of the contents, SHA-256 of the key and the contents.
HEADER = struct.Struct("<8sQ32s")
MAGIC = b"covectr1"
KEY = re.compile(r"[0-9a-f]{64}")
FILE = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]{16})?")

ABANDONED = 3600.0  # seconds after which a file that was never moved into place is litter

# Bytes in each directory as far as this process knows, and what it has complained about.
_SIZES: dict[Path, int] = {}
_WARNED: set[str] = set()


@dataclass(frozen=True)
class Entry:
    """One file of the cache: its name, its size in bytes, and when it was last used."""

    name: str
    size: int
    used: float

    @property
    def draft(self) -> bool:
        """Whether it is being written, or its writer has died."""
        return "." in self.name


def enabled() -> bool:
    """Tell whether the environment allows a cache (``COVECTOR_CACHE=0`` does not)."""
    if hasattr(os, "geteuid") and (os.geteuid() != os.getuid() or os.getegid() != os.getgid()):
        return False  # a program that runs as somebody else than who started it must not trust its environment
    return os.environ.get(SWITCH, "").strip().lower() not in ("0", "off", "no", "false")


def directory() -> Path | None:
    """Return where the cache is or would be: ``COVECTOR_CACHE_DIR``, or a folder in the user's place for caches."""
    with suppress(RuntimeError, OSError):  # there may be no home
        asked = os.environ.get(DIRECTORY, "").strip()
        if asked:
            return Path(os.path.abspath(Path(asked).expanduser()))
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA", "")
            return (Path(local) if local else Path.home() / "AppData" / "Local") / "covector" / "cache"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "covector"
        place = Path(os.environ.get("XDG_CACHE_HOME", ""))  # which says that a relative path does not count
        return (place if place.is_absolute() else Path.home() / ".cache") / "covector"
    return None


class Cache:
    """A directory of entries, each found by its key.

    Parameters
    ----------
    path : Path, optional
        The directory; by default the one that the environment names, or none if it switches the cache off.
    limit : int
        How many bytes the entries may have together; those used longest ago go first.
    """

    def __init__(self, path: Path | None = None, *, limit: int = LIMIT) -> None:
        place = path if path is not None else directory() if enabled() else None
        self.path = place if place is None else Path(os.path.abspath(place))
        self.limit = limit

    def get(self, key: str) -> bytes | None:
        """Return what was stored under `key`, or None."""
        _check(key)
        if self.path is None:
            return None
        try:
            with opened_folder(self.path) as at, at(key).opened(os.O_RDONLY) as descriptor:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    return None
                examine(status, "file", at(key).path)
                with open(descriptor, "rb", closefd=False) as file:
                    data = _contents(key, file.read(HEADER.size), status.st_size, file.read)
                if data is not None:
                    with suppress(OSError):  # a file system that is read-only does not remember
                        at(key).touch()
                return data
        except (OSError, UnsafeError) as reason:
            self._complain(reason)
            return None

    def put(self, key: str, data: bytes) -> None:
        """Store `data` under `key`."""
        _check(key)
        size = HEADER.size + len(data)
        if self.path is None or size > self.limit // 4:
            return
        try:
            with opened_folder(self.path, make=True) as at:
                draft = at(f"{key}.{secrets.token_hex(8)}")
                try:
                    fresh = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                    with draft.opened(fresh) as descriptor, open(descriptor, "wb", closefd=False) as file:
                        file.write(HEADER.pack(MAGIC, len(data), _digest(key, data)))
                        file.write(data)
                    draft.move(at(key))
                except BaseException:
                    with suppress(OSError):
                        draft.remove()
                    raise
                self._bound(at, size)
        except (OSError, UnsafeError) as reason:
            self._complain(reason)

    def entries(self) -> list[Entry]:
        """List what is stored, the longest unused first; nothing where there is no usable directory."""
        try:
            return self._each(lambda at, entry: True)
        except (OSError, UnsafeError):
            return []

    def clear(self) -> int:
        """Remove everything stored, and nothing else, and return how many entries that were.

        Raises
        ------
        PermissionError
            If the directory is not safe to use; see `refusal`.
        """

        def removed(at: Place, entry: Entry) -> bool:
            with suppress(OSError):
                at(entry.name).remove()
                return True
            return False

        try:
            gone = self._each(removed)
        except FileNotFoundError:
            return 0
        except UnsafeError as reason:
            raise PermissionError(str(reason)) from None
        if self.path is not None:
            _SIZES.pop(self.path, None)
        return sum(not entry.draft for entry in gone)

    def refusal(self) -> str | None:
        """Say why nothing is stored, if there is a reason."""
        if not enabled():
            return f"{SWITCH} in the environment switches it off."
        if self.path is None:
            return "The user who runs this process has no home directory."
        try:
            with opened_folder(self.path):
                return None
        except FileNotFoundError:
            return None  # it will be made
        except (OSError, UnsafeError) as reason:
            return str(reason)

    def report(self) -> str:
        """Say where the cache is and what it holds, for people to read."""
        entries = [entry for entry in self.entries() if not entry.draft]
        size = sum(entry.size for entry in entries)
        lines = [
            f"directory  {self.path or 'none'}",
            f"holds      {len(entries)} entries, {size / 2**20:.1f} MiB of at most {self.limit / 2**20:.0f} MiB",
        ]
        if entries:
            lines.append(f"last used  {time.strftime('%Y-%m-%d %H:%M', time.localtime(entries[-1].used))}")
        reason = self.refusal()
        return "\n".join([*lines, f"not used   {reason}"] if reason else lines)

    def _each(self, accept: Any) -> list[Entry]:
        """Return the entries that `accept` accepts, which may remove them, in order of use."""
        if self.path is None:
            return []
        with opened_folder(self.path) as at:
            return [entry for entry in _scan(self.path, at) if accept(at, entry)]

    def _bound(self, at: Place, added: int) -> None:
        """Keep the directory below its limit. It is counted at first and whenever it seems full."""
        assert self.path is not None
        known = _SIZES.get(self.path, self.limit) + added
        if known > self.limit:
            entries = _scan(self.path, at)
            known = sum(entry.size for entry in entries)
            # A tenth more than necessary goes, so that the next entry does not count again.
            aim = self.limit - self.limit // 10 if known > self.limit else known
            old = time.time() - ABANDONED
            for entry in entries:
                if entry.used < old if entry.draft else known > aim:
                    with suppress(OSError):
                        at(entry.name).remove()
                    known -= entry.size
        _SIZES[self.path] = known

    def _complain(self, reason: Exception) -> None:
        """Say once per process what is unsafe; the rest is as if there were no cache."""
        text = str(reason)
        if isinstance(reason, UnsafeError) and text not in _WARNED:
            _WARNED.add(text)
            warnings.warn(
                f"covector does not use its cache of compiled code. {text} Set {DIRECTORY} to another directory, or "
                f"{SWITCH}=0 to do without.",
                RuntimeWarning,
                stacklevel=2,
            )


def _check(key: str) -> None:
    if not KEY.fullmatch(key):
        raise ValueError(f"a key of the cache is 64 hexadecimal digits, as cache.key() makes them, got {key!r}")


def _digest(key: str, data: bytes) -> bytes:
    return hashlib.sha256(key.encode() + data).digest()


def _contents(key: str, header: bytes, size: int, read: Any) -> bytes | None:
    """Return what follows the header if it is what was written under this key."""
    if len(header) != HEADER.size:
        return None
    magic, length, digest = HEADER.unpack(header)
    if magic != MAGIC or length != size - HEADER.size:
        return None
    data: bytes = read()
    return data if _digest(key, data) == digest else None


def _scan(path: Path, at: Place) -> list[Entry]:
    found = []
    for name in filter(FILE.fullmatch, os.listdir(path)):
        with suppress(OSError):  # another process may have removed it
            status = at(name).status()
            if stat.S_ISREG(status.st_mode):
                found.append(Entry(name, status.st_size, status.st_mtime))
    return sorted(found, key=lambda entry: entry.used)


@cache
def _program() -> str:
    """Describe this covector: its version and, for who works on it, the state of its files."""
    package = sys.modules[__name__.split(".")[0]]
    root = str(Path(__file__).resolve().parents[2])
    files = sorted(_sources(root, len(root)))
    return f"covector {package.__version__} {files}"


def _sources(folder: str, skip: int) -> Iterator[tuple[str, int, int]]:
    """The name, size and time of every source file; pathlib takes three times as long."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name.endswith(".py"):
                status = entry.stat()
                yield entry.path[skip:], status.st_size, status.st_mtime_ns
            elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                yield from _sources(entry.path, skip)


def key(*parts: str | bytes) -> str:
    """Return the key of what is made from `parts` by this covector and this LLVM for this processor."""
    from ..native.llvm import target

    return _hashed(_program(), target().version, *parts)


def _hashed(*parts: str | bytes) -> str:
    """Return one hash of several parts; each with its length, so that no two lists of parts look the same."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(struct.pack("<cQ", b"s" if isinstance(part, str) else b"b", len(data)))
        digest.update(data)
    return digest.hexdigest()


def pack(meta: dict[str, Any], blob: bytes) -> bytes:
    """Put what JSON can say and bytes that it cannot into one value for `Cache.put`."""
    head = json.dumps(meta, allow_nan=True, separators=(",", ":")).encode()
    return struct.pack("<Q", len(head)) + head + blob


def unpack(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Take apart what `pack` put together.

    Raises
    ------
    ValueError
        If it is something else.
    """
    size = struct.unpack_from("<Q", data)[0] if len(data) >= 8 else len(data)
    if size > len(data) - 8:
        raise ValueError("not a packed value: it is shorter than it says")
    meta = json.loads(data[8 : 8 + size])
    if not isinstance(meta, dict):
        raise ValueError("not a packed value: it does not begin with a JSON object")
    return meta, data[8 + size :]


def compiled(text: str, names: Iterable[str], *, level: int = 3) -> Code:
    """Return `llvm.compile_ir`'s result, from disk if it is there."""
    from ..native.llvm import compile_ir

    names = tuple(names)
    name = object_key(text, names, level=level)
    code = linked(name, names)
    if code is None:
        code = compile_ir(text, names, level=level)
        Cache().put(name, code.object)
    return code


def linked(name: str, names: Iterable[str]) -> Code | None:
    """Return the functions `names` of the object stored under `name`; None if it is not there or cannot be linked."""
    from ..native.llvm import load_object

    data = Cache().get(name)
    if data is not None:
        with suppress(RuntimeError):
            return load_object(data, names)
    return None


def object_key(text: str, names: Iterable[str], *, level: int = 3) -> str:
    """Return the key of an object, which depends on the text and on LLVM, but not on who wrote the text."""
    from ..native.llvm import target

    return _hashed("object", target().version, str(level), *names, text)
