"""The cache on disk: what it keeps, what it refuses, and that nothing that happens to it reaches the computation."""

import contextlib
import errno
import multiprocessing
import os
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from covector.compiler.disk import cache, folder
from covector.compiler.disk.cache import Cache

A, B = "a" * 64, "b" * 64
posix = pytest.mark.skipif(not folder.POSIX, reason="needs owners and permission bits")
as_root = pytest.mark.skipif(not folder.POSIX or os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Cache]:
    cache._WARNED.clear()
    tmp_path.chmod(0o700)
    yield Cache(tmp_path / "deep" / "place")
    cache._WARNED.clear()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Turn any warning into an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def entry_of(store: Cache, key: str = A) -> Path:
    assert store.path is not None
    return store.path / key


def test_what_is_put_is_got(store: Cache) -> None:
    assert store.get(A) is None
    store.put(A, b"first")
    store.put(B, b"")
    assert Cache(store.path).get(A) == b"first"
    assert store.get(B) == b""
    store.put(A, b"second")
    assert store.get(A) == b"second"
    assert sorted(entry.name for entry in store.entries()) == [A, B]


@posix
def test_only_the_user_can_read_or_write(store: Cache) -> None:
    before = os.umask(0)
    try:
        store.put(A, b"data")
    finally:
        os.umask(before)
    assert store.path is not None
    for made in (store.path.parent, store.path):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry_of(store).stat().st_mode) == 0o600
    assert os.listdir(store.path) == [A]  # no draft is left


@pytest.mark.parametrize("key", ["", "a", "A" * 64, "../" + "a" * 61, "a" * 63 + "/", "a" * 64 + "\n", "a" * 65])
def test_keys_are_hashes(store: Cache, key: str) -> None:
    for use in (store.get, lambda key: store.put(key, b"")):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            use(key)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:20],
        lambda data: b"",
        lambda data: data + b"x",
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:8] + bytes(8) + data[16:],
        lambda data: data[:16] + bytes(32) + data[48:],
        lambda data: os.urandom(len(data)),
    ],
)
def test_damaged_entries_are_as_if_they_were_not_there(store: Cache, damage) -> None:
    store.put(A, b"the contents of this entry")
    path = entry_of(store)
    path.write_bytes(damage(path.read_bytes()))
    with silence():
        assert store.get(A) is None
        store.put(A, b"again")
        assert store.get(A) == b"again"


def test_an_entry_counts_only_under_its_own_key(store: Cache) -> None:
    store.put(A, b"data")
    entry_of(store).rename(entry_of(store, B))
    assert store.get(B) is None


def refuses(store: Cache, why: str) -> None:
    """Check that the store is not used, that this is said once, and how to change it."""
    with pytest.warns(RuntimeWarning, match=why) as record:
        assert store.get(A) is None
    assert len(record) == 1
    assert "COVECTOR_CACHE_DIR" in str(record[0].message) and "COVECTOR_CACHE=0" in str(record[0].message)
    with silence():
        assert store.get(A) is None
        assert Cache(store.path).get(A) is None


@posix
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_directory_that_others_can_write_is_refused(store: Cache, mode: int) -> None:
    store.put(A, b"data")
    assert store.path is not None
    store.path.chmod(mode)
    refuses(store, rf"directory .* can be written by other users \(mode {mode:04o}\).*chmod go-w")
    with silence():
        store.put(B, b"data")
    assert os.listdir(store.path) == [A]
    assert "can be written" in (store.refusal() or "")
    with pytest.raises(PermissionError, match="can be written"):
        store.clear()
    store.path.chmod(0o755)  # which others may read
    assert store.get(A) == b"data"


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_refused(store: Cache, mode: int) -> None:
    store.put(A, b"data")
    entry_of(store).chmod(mode)
    refuses(store, rf"file .* can be written by other users \(mode {mode:04o}\).*chmod go-w")
    store.put(A, b"new")  # its place in the directory is ours
    assert store.get(A) == b"new"


@as_root
def test_a_directory_of_another_user_is_refused(store: Cache) -> None:
    store.put(A, b"data")
    assert store.path is not None
    os.chown(store.path, 1234, 1234)
    refuses(store, "directory .* belongs to user 1234, not to user 0.*chown 0 ")


@as_root
def test_a_file_of_another_user_is_refused(store: Cache) -> None:
    store.put(A, b"data")
    os.chown(entry_of(store), 1234, 1234)
    refuses(store, "file .* belongs to user 1234, not to user 0")


@as_root
def test_a_directory_in_a_place_of_another_user_is_refused(store: Cache, tmp_path: Path) -> None:
    store.put(A, b"data")
    assert store.path is not None
    os.chown(store.path.parent, 1234, 1234)
    refuses(store, "lies in .*deep, whose owner, user 1234, can exchange it")
    os.chown(store.path.parent, 0, 0)
    assert store.get(A) == b"data"
    (tmp_path / "way").symlink_to(store.path.parent)
    os.chown(tmp_path / "way", 1234, 1234, follow_symlinks=False)
    refuses(Cache(tmp_path / "way" / "place"), "lies in .*way, whose owner, user 1234, can exchange it")


@posix
def test_another_user_refuses_our_files(store: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(A, b"data")
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    refuses(store, f"directory .* belongs to user {user}, not to user {user + 1}")


@posix
def test_a_directory_in_a_place_open_to_everybody_is_refused(store: Cache) -> None:
    store.put(A, b"data")
    assert store.path is not None
    store.path.parent.chmod(0o777)
    refuses(store, "where any user can exchange it .*chmod o-w")
    store.path.parent.chmod(0o1777)  # as /tmp: only owners can rename
    assert store.get(A) == b"data"


@posix
def test_links_are_not_followed(store: Cache, tmp_path: Path) -> None:
    store.put(A, b"data")
    assert store.path is not None
    other = tmp_path / "link"
    other.symlink_to(store.path)
    refuses(Cache(other), "symbolic link")
    secret = tmp_path / "elsewhere"
    entry_of(store).rename(secret)
    entry_of(store).symlink_to(secret)
    assert store.get(A) is None
    store.put(A, b"new")
    assert not entry_of(store).is_symlink() and store.get(A) == b"new"
    # The way to the directory may have links: a home or its cache folder often does.
    (tmp_path / "way").symlink_to(store.path.parent)
    assert Cache(tmp_path / "way" / "place").get(A) == b"new"


@posix
def test_what_is_not_a_file_is_not_read(store: Cache) -> None:
    store.put(B, b"data")
    os.mkfifo(entry_of(store))  # reading it would wait for ever
    entry_of(store, "c" * 64).mkdir()
    with silence():
        assert store.get(A) is None
        assert store.get("c" * 64) is None
        store.put("c" * 64, b"data")
        assert store.get("c" * 64) is None
        assert [entry.name for entry in store.entries()] == [B]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("where", ["open", "write", "replace", "mkdir"])
def test_a_disk_that_refuses_is_as_if_there_were_no_cache(
    store: Cache, monkeypatch: pytest.MonkeyPatch, error: int, where: str
) -> None:
    def fails(*args: object, **options: object) -> None:
        raise OSError(error, os.strerror(error))

    if where == "write":
        monkeypatch.setattr(cache, "open", fails, raising=False)
    else:
        monkeypatch.setattr(os, where, fails)
    with silence():
        store.put(A, b"data")
        assert store.get(A) is None
    monkeypatch.undo()
    assert store.get(A) is None
    if store.path is not None and store.path.exists():
        assert os.listdir(store.path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_no_draft(store: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(B, b"data")
    real = open

    def full(descriptor: int, mode: str, **options: bool):
        return real("/dev/full", mode) if mode == "wb" else real(descriptor, mode, **options)

    monkeypatch.setattr(cache, "open", full, raising=False)
    with silence():
        store.put(A, b"data" * 10000)
    assert store.path is not None
    assert os.listdir(store.path) == [B] and store.get(B) == b"data"


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with silence():
            store = Cache(path)
            store.put(A, b"data")
            assert store.get(A) is None
            assert store.entries() == [] and store.refusal()


def test_entries_used_longest_ago_go_first(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    store = Cache(tmp_path / "small", limit=10_000)
    keys = [f"{k:064x}" for k in range(14)]
    for age, key in enumerate(keys[:9]):
        store.put(key, bytes(1000))
        os.utime(entry_of(store, key), (age, age))
    assert store.get(keys[0]) is not None  # now the one used last
    for key in keys[9:]:
        store.put(key, bytes(1000))
    left = {entry.name for entry in store.entries()}
    assert sum(entry.size for entry in store.entries()) <= store.limit
    assert keys[0] in left and set(keys[9:]) <= left
    assert keys[1] not in left
    store.put(A, bytes(9_000))  # more than a quarter of the room
    assert store.get(A) is None


def test_litter_of_processes_that_died_is_removed(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    store = Cache(tmp_path / "small", limit=10_000)
    store.put(A, bytes(100))
    old, young, foreign = (entry_of(store, name) for name in (f"{A}.{'0' * 16}", f"{A}.{'1' * 16}", "README"))
    for path in (old, young, foreign):
        path.write_bytes(bytes(3000))
    os.utime(old, (1, 1))
    for k in range(12):
        store.put(f"{k:064x}", bytes(1000))
    assert not old.exists() and young.exists() and foreign.exists()
    assert store.clear() > 0
    assert os.listdir(store.path or "") == ["README"]


def hammer(path: Path, seed: int) -> int:
    """Write, read and clear what others write, read and clear; return how many readings were right."""
    store, right = Cache(path, limit=40_000), 0
    for k in range(150):
        key = f"{(seed + k) % 7:064x}"
        data = key.encode() * 50
        store.put(key, data)
        got = store.get(key)
        assert got is None or got == data
        right += got is not None
        if k % 50 == 49:
            store.clear()
    return right


@pytest.mark.parametrize("method", ["spawn"] if sys.platform == "win32" else ["fork", "spawn"])
def test_processes_share_a_directory(tmp_path: Path, method: str) -> None:
    tmp_path.chmod(0o700)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork where threads run
        with multiprocessing.get_context(method).Pool(4) as pool:
            right = pool.starmap(hammer, [(tmp_path / "shared", seed) for seed in range(4)])
    assert all(count > 20 for count in right)


TEXT = "define double @f(double %x) {\n  %y = fadd double %x, 1.5\n  ret double %y\n}\n"


def test_code_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    tmp_path.chmod(0o700)
    monkeypatch.setenv("COVECTOR_CACHE_DIR", str(tmp_path / "code"))
    monkeypatch.delenv("COVECTOR_CACHE", raising=False)
    call = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
    first = cache.compiled(TEXT, ["f"])
    second = cache.compiled(TEXT, ["f"])
    assert first.seconds["codegen"] > 0 and second.seconds["codegen"] == 0
    assert call(first.address("f"))(1.0) == call(second.address("f"))(1.0) == 2.5
    assert cache.compiled(TEXT, ["f"], level=1).seconds["codegen"] > 0
    # An entry whose checksum is right, but which cannot be linked, is replaced.
    store = Cache()
    for entry in store.entries():
        store.put(entry.name, b"no object at all")
    third = cache.compiled(TEXT, ["f"])
    assert third.seconds["codegen"] > 0 and call(third.address("f"))(np.pi) == np.pi + 1.5
    assert cache.compiled(TEXT, ["f"]).seconds["codegen"] == 0


def command(*arguments: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "COVECTOR_CACHE_DIR": str(path), **environment}
    variables.pop("COVECTOR_CACHE", None) if "COVECTOR_CACHE" not in environment else None
    line = [sys.executable, "-m", "covector", "cache", *arguments]
    return subprocess.run(line, capture_output=True, text=True, env=variables)


@posix
def test_the_command_shows_and_clears(store: Cache) -> None:
    assert store.path is not None
    empty = command("info", path=store.path)
    assert empty.returncode == 0 and str(store.path) in empty.stdout and "0 entries" in empty.stdout
    store.put(A, bytes(2000))
    store.put(B, bytes(2000))
    assert "2 entries" in command("info", path=store.path).stdout
    cleared = command("clear", path=store.path)
    assert cleared.returncode == 0 and "2 entries" in cleared.stdout and store.entries() == []
    assert "off" in command("info", path=store.path, COVECTOR_CACHE="0").stdout
    store.put(A, b"data")
    store.path.chmod(0o777)
    assert "can be written by other users" in command("info", path=store.path).stdout
    refused = command("clear", path=store.path)
    assert refused.returncode == 1 and "can be written by other users" in refused.stderr
    assert entry_of(store).exists()
    assert command(path=store.path).returncode == 2
