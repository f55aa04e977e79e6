"""Where the cache is, what its entries are called, and how their contents are packed."""

import subprocess
import sys
from pathlib import Path

import pytest

from covector.compiler.disk import cache
from covector.compiler.disk.cache import Cache
from covector.compiler.native import llvm

A = "a" * 64


def test_the_environment_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COVECTOR_CACHE", raising=False)
    monkeypatch.setenv("COVECTOR_CACHE_DIR", str(tmp_path / "named"))
    assert Cache().path == tmp_path / "named"
    monkeypatch.setenv("COVECTOR_CACHE_DIR", "~/here")
    assert Cache().path == Path.home() / "here"
    monkeypatch.setenv("COVECTOR_CACHE", "0")
    off = Cache()
    assert off.path is None
    off.put(A, b"data")
    assert off.get(A) is None and off.entries() == [] and off.clear() == 0
    assert "COVECTOR_CACHE" in (off.refusal() or "")
    monkeypatch.delenv("COVECTOR_CACHE")
    monkeypatch.delenv("COVECTOR_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache().path == tmp_path / "covector"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert Cache().path == Path.home() / ".cache" / "covector"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert Cache().path == Path.home() / "Library" / "Caches" / "covector"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert Cache().path == tmp_path / "covector" / "cache"


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    for name in ("COVECTOR_CACHE_DIR", "COVECTOR_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    store = Cache()
    store.put(A, b"data")
    assert store.get(A) is None
    assert "no home" in (store.refusal() or "")


def test_keys_depend_on_every_part_and_on_where_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), (b"abc",), ("abc", b""), ()]
    keys = {cache.key(*given) for given in parts}
    assert len(keys) == len(parts)
    assert cache.key("x") == cache.key("x") and len(cache.key("x")) == 64
    before = cache.key("x")
    target = llvm.target()
    changed = type(target)(**{**vars(target), "version": target.version + ",+feature"})
    monkeypatch.setattr(llvm, "target", lambda: changed)
    assert cache.key("x") != before


def test_keys_are_the_same_in_another_process() -> None:
    program = "from covector.compiler.disk import cache; print(cache.key('x', b'y'))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == cache.key("x", b"y")


def test_packing() -> None:
    meta = {"names": ["f"], "shape": [2, 3], "x": 0.1, "none": None, "text": "é"}
    for blob in (b"", b"\x00\xff object"):
        assert cache.unpack(cache.pack(meta, blob)) == (meta, blob)
    packed = cache.pack(meta, b"")
    for wrong in (b"", b"short", packed[:-1], b"\xff" * 40, cache.pack([], b""), packed[:8] + b"\xff" + packed[9:]):
        with pytest.raises(ValueError):
            cache.unpack(wrong)
