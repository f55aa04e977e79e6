"""Whole programs from disk: they compute what freshly compiled ones do, and are never those of another program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.special

import covector as cv
from covector.compiler.backend import Executable, executable
from covector.compiler.disk import cache, programs
from covector.compiler.disk.contents import UnstorableError, contents_of, from_meta, to_meta
from covector.compiler.loops.fuse import fuse
from covector.compiler.loops.plan import plan
from covector.compiler.native.emit import emit
from covector.compiler.passes.expand import expand
from covector.compiler.passes.roll import roll
from covector.compiler.passes.simplify import simplify
from covector.core.graph import Graph, record
from covector.core.values import aval_of

X = np.linspace(0.5, 2.0, 6)
M = np.random.default_rng(0).normal(size=(20, 20))
TABLE = np.random.default_rng(1).normal(size=50)


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("COVECTOR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("COVECTOR_CACHE", raising=False)
    monkeypatch.delenv("COVECTOR_DEBUG", raising=False)
    yield tmp_path / "cache"


def graph_of(fun: Callable[..., Any], *args: Any) -> Graph:
    def flat(*xs: Any) -> Any:
        out = fun(*xs)
        return out if isinstance(out, tuple) else (out,)

    return record(flat, [aval_of(np.asarray(x)) for x in args], "test")


def is_warm(made: Executable) -> bool:
    return "emit" not in made.seconds


def loop(x: Any) -> Any:
    for k in range(40):
        x = np.sin(x) + TABLE[k]
    return x


def written(x: Any, i: Any) -> Any:
    y = np.zeros(6) + x
    y[i] = 7.0
    return y


PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "elementwise": (lambda x: np.sin(x) * 2.0 + x, (X,)),
    "several outputs": (lambda x: (x + 1, np.sum(x), x * 2), (X,)),
    "an input and a constant returned": (lambda x: (x, TABLE, x + 1, 3.0), (X,)),
    "a number": (lambda x: np.exp(x), (0.5,)),
    "nothing in it": (lambda x: np.cumsum(x), (np.empty(0),)),
    "own array": (lambda x: x + TABLE[:6] * TABLE[6:12], (X,)),
    "matrix product": (lambda x: x @ M @ x, (M,)),
    "loop": (loop, (X,)),
    "gather": (lambda x, i: x[i], (X, np.array([5, 0, -6]))),
    "scatter": (written, (X, np.array([3, -1]))),
    "host call": (lambda x: np.sort(x)[::-1] + np.linalg.eigvalsh(np.outer(x, x)), (X,)),
    "host call with options": (lambda x: np.fft.rfft(x, n=10, norm="ortho"), (X,)),
    "host calls in a loop": (lambda x: loop(np.sort(x, kind="stable")), (X,)),
    "special": (lambda x: scipy.special.gammaln(x) + scipy.special.jv(2, x), (X,)),
    "complex": (lambda x: np.exp(1j * x) * (2 - 1j), (X,)),
    "float32": (lambda x: np.tanh(x) * np.float32(0.1), (X.astype(np.float32),)),
    "bool": (lambda x: (x > 1) & (x < 2), (X,)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_warm_equals_cold(name: str) -> None:
    fun, args = PROGRAMS[name]
    cold, warm = executable(graph_of(fun, *args)), executable(graph_of(fun, *args))
    assert not is_warm(cold) and is_warm(warm)
    first, second = cold(*map(np.asarray, args)), warm(*map(np.asarray, args))
    expected = fun(*args)
    for x, y, z in zip(first, second, expected if isinstance(expected, tuple) else (expected,), strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
        np.testing.assert_allclose(y, z, rtol=1e-6 if name == "float32" else 1e-12)


def test_errors_from_disk_are_the_same() -> None:
    for _ in range(2):
        made = executable(graph_of(lambda x, i: x[i], X, np.array([0, 1])))
        with pytest.raises(IndexError, match="index 6 is out of bounds for axis 0 with size 6"):
            made(X, np.array([0, 6]))
    assert is_warm(made)
    for _ in range(2):
        made = executable(graph_of(np.linalg.cholesky, M))
        with pytest.raises(np.linalg.LinAlgError):
            made(-np.eye(20))
    assert is_warm(made)


def test_stages_of_a_program_from_disk_are_made_on_demand() -> None:
    def fun(x: Any) -> Any:
        return np.sum(np.sin(x) ** 2)

    cold = cv.jit(fun).lower(X)
    texts = (repr(cold.simplified), cold.llvm)
    lowered = cv.jit(fun).lower(X)
    lowered.compile()
    assert (repr(lowered.simplified), lowered.llvm) == texts and lowered.kernels is not None
    f = cv.jit(fun)
    f(X)
    (row,) = f.compile_report().rows
    assert row["load"] > 0 and "llvm" not in row


# --- what is never mixed up -------------------------------------------------------------------------------------------


def test_other_constants_options_and_inputs_are_other_programs() -> None:
    long = np.ones(200_000)

    def made(table: Any, **options: Any) -> Executable:
        return executable(graph_of(lambda x: x * table, long), **options)

    ramp = np.arange(200_000.0)
    assert not is_warm(made(ramp))
    assert is_warm(made(ramp.copy()))
    changed = ramp.copy()
    changed[77_777] = -1.0
    other = made(changed)
    assert not is_warm(other) and other(long)[0][77_777] == -1.0
    assert not is_warm(made(ramp.astype(np.float32)))
    assert not is_warm(made(ramp, threads=1)) and is_warm(made(ramp, threads=1))
    assert not is_warm(made(ramp, threads=2))
    assert not is_warm(made(ramp, donate=(0,)))
    uniform = [np.full(200_000, x) for x in (0.0, -0.0, 1.0, np.nan)]
    assert not any(is_warm(made(table)) for table in uniform)
    assert is_warm(made(np.broadcast_to(np.float64(-0.0), 200_000)))
    short = executable(graph_of(lambda x: x * 2.0, X))
    assert not is_warm(short) and not is_warm(executable(graph_of(lambda x: x * 2.0, X[:5])))
    assert not is_warm(executable(graph_of(lambda x: x * np.float64(2.0), X)))


def test_a_constant_that_is_changed_in_place() -> None:
    table = np.arange(6.0)

    def fun(x: Any) -> Any:
        return x * table

    assert executable(graph_of(fun, X))(X)[0][5] == 10.0
    table = np.array([0.0, 1, 2, 3, 4, 7])
    assert executable(graph_of(fun, X))(X)[0][5] == 14.0


def test_every_library_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(np.sin, X)
    name = programs.program_key(graph, None, ())
    assert name == programs.program_key(graph, None, ()) is not None
    monkeypatch.setattr(programs, "_surroundings", lambda: "others")
    assert programs.program_key(graph, None, ()) not in (name, None)
    monkeypatch.setattr(programs, "layout", lambda: None)
    monkeypatch.undo()
    monkeypatch.setattr(programs, "layout", lambda: None)
    assert programs.program_key(graph, None, ()) not in (name, None)


def test_functions_of_users_are_not_compared() -> None:
    for factor in (1.0, 2.0):
        ruled = cv.custom_jvp(lambda x, factor=factor: np.sin(x) * factor)
        ruled.defjvp(lambda primals, tangents, ruled=ruled: (ruled(*primals), tangents[0]))
        graph = graph_of(lambda x, ruled=ruled: ruled(x) + 1, X)
        assert programs.program_key(graph, None, ()) is None
        made = executable(graph)
        assert not is_warm(made)
        np.testing.assert_allclose(made(X)[0], np.sin(X) * factor + 1)
    mine = np.frompyfunc(lambda x: x, 1, 1)
    for x in (lambda x: x, mine, type("int", (), {"__module__": "builtins"})):
        graph = graph_of(np.sin, X)
        graph.equations[0].params = {"function": x}
        assert programs.program_key(graph, None, ()) is None


def test_debugging_and_no_cache_check_every_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    executable(graph_of(np.sin, X))
    monkeypatch.setenv("COVECTOR_DEBUG", "1")
    assert not is_warm(executable(graph_of(np.sin, X)))
    monkeypatch.delenv("COVECTOR_DEBUG")
    monkeypatch.setenv("COVECTOR_CACHE", "0")
    assert not is_warm(executable(graph_of(np.sin, X)))
    monkeypatch.delenv("COVECTOR_CACHE")
    assert is_warm(executable(graph_of(np.sin, X)))


# --- what is damaged --------------------------------------------------------------------------------------------------


def _entry() -> tuple[Graph, str]:
    graph = graph_of(lambda x: np.sort(x) * TABLE[:6] + 1, X)
    name = programs.program_key(graph, None, ())
    assert name is not None
    executable(graph)
    return graph, name


def test_damaged_entries_are_compiled_again(empty: Path) -> None:
    graph, name = _entry()
    file = empty / name
    good = file.read_bytes()
    for bad in (b"", good[:-1], good[:60], good[:100] + b"\0" + good[101:]):
        file.write_bytes(bad)
        made = executable(graph)
        assert not is_warm(made) and np.allclose(made(X)[0], X * TABLE[:6] + 1)
        assert is_warm(executable(graph))


@pytest.mark.parametrize("damage", ["missing", "primitive", "constant", "offset", "dtype", "code", "integer", "blob"])
def test_entries_that_say_nonsense_are_compiled_again(damage: str) -> None:
    graph, name = _entry()
    store = cache.Cache()
    data = store.get(name)
    assert data is not None
    meta, blob = cache.unpack(data)
    assert meta["hosts"][0]["primitive"] == "argsort"
    if damage == "missing":
        del meta["arena"]
    elif damage == "primitive":
        meta["hosts"][0]["primitive"] = "no such thing"
    elif damage == "constant":
        meta["constants"] = [["constant", 1000]]
    elif damage == "offset":
        meta["constants"] = [["array", [6], "<f8", len(blob)]]
    elif damage == "dtype":
        meta["outputs"][0][1] = "nonsense"
    elif damage == "code":
        meta["code"] = "0" * 64
    elif damage == "integer":
        meta.update(routines=["dgemm"], integer=16)
    else:
        meta, blob = {}, b""
    store.put(name, cache.pack(meta, blob))
    made = executable(graph)
    assert not is_warm(made) and np.allclose(made(X)[0], X * TABLE[:6] + 1)
    assert is_warm(executable(graph))


def test_without_its_object_a_program_is_compiled_again(empty: Path) -> None:
    graph, name = _entry()
    for file in empty.iterdir():
        if file.name != name:
            file.unlink()
    assert not is_warm(executable(graph)) and is_warm(executable(graph))


# --- what is written --------------------------------------------------------------------------------------------------


def _contents(graph: Graph) -> Any:
    return contents_of(emit(plan(fuse(roll(simplify(expand(graph)))))))


def test_arrays_of_the_program_are_not_written() -> None:
    table = np.random.default_rng(2).normal(size=100_000)
    graph = graph_of(lambda x: (x * table, np.sort(x)), table)
    contents = _contents(graph)
    meta, blob = to_meta(contents, graph)
    assert len(blob) < 1000 and len(json.dumps(meta)) < 2000
    again = graph_of(lambda x: (x * table, np.sort(x)), table)
    found = from_meta(meta, blob, again)
    assert any(np.array_equal(c, table) for c in found.constants)
    assert found.hosts[0].primitive is contents.hosts[0].primitive
    assert found.hosts[0].params == contents.hosts[0].params


def test_values_survive() -> None:
    graph = graph_of(lambda x: np.sort(x), X)
    contents = _contents(graph)
    (eq,) = contents.hosts
    params = {
        "a": (1, -0.0, True, None, "x", 2 - 1j, float("inf")),
        "b": [slice(1, None, -2), np.dtype("<f4"), {"k": (), 3: []}],
        "c": np.float32(0.1),
        "d": np.arange(6, dtype=np.int16).reshape(2, 3),
        "e": np.array(2.5),
        "f": np.empty((0, 3)),
    }
    eq.params = params
    meta, blob = to_meta(contents, graph)
    found = from_meta(json.loads(json.dumps(meta)), blob, graph).hosts[0].params
    assert repr(found) == repr(params)
    assert type(found["c"]) is np.float32 and found["d"].dtype == np.int16 and found["e"].shape == ()
    for strange in (object(), {1}, lambda x: x, np.array([None])):
        eq.params = {"a": strange}
        with pytest.raises(UnstorableError):
            to_meta(contents, graph)


def test_a_fresh_process_needs_no_pass(empty: Path) -> None:
    program = (
        "import sys, numpy as np, covector as cv; f = cv.jit(cv.grad(lambda x: np.sum(np.sin(x) ** 2)));"
        "print(f(np.arange(3.0))); print(*sorted(m for m in sys.modules if m.startswith('covector.compiler.')))"
    )
    environment = {**os.environ, "COVECTOR_CACHE_DIR": str(empty)}
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
        for _ in range(2)
    ]
    cold, warm = [run.stdout.splitlines() for run in runs]
    assert cold[0] == warm[0]
    modules = ("passes.simplify", "passes.roll", "loops.fuse", "loops.plan", "native.emit", "native.nests", "math")
    passes = {f"covector.compiler.{name}" for name in modules}
    assert passes <= set(cold[1].split()) and not passes & set(warm[1].split())
