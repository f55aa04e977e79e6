"""What compiled functions are given and what they give back: layouts, memory, size, and many threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import covector as cv
from compositions.cases import assert_close

RNG = np.random.default_rng(5)
AT = np.array([0, -1, 2, 2])


def written(x: Any) -> Any:
    y = x * 2.0
    y[1:] += x[:-1]
    y[AT] = x[AT] - 1
    return y


def repeated(x: Any) -> Any:
    y = x
    for _ in range(12):
        y = np.sin(y) * x + np.mean(y)
    return y


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda x: x,
    "a view": lambda x: (x[1:], x.T, x[::-1], np.reshape(x, -1)),
    "elementwise": lambda x: (np.exp(x) * x, x, x * 2 > 1),
    "sums": lambda x: (np.sum(x), np.sum(x, axis=0), np.max(x, axis=-1), np.mean(x)),
    "a gradient": cv.grad(lambda x: np.log(np.sum(np.exp(x)))),
    "pieces": lambda x: np.concatenate([x[::-2], x, x[:1]]),
    "places": lambda x: x[AT],
    "written": written,
    "gradient of written": cv.grad(lambda x: np.sum(written(x) ** 2)),
    "repeated": repeated,
    "product": lambda x: x @ x.T,
    "a host call": lambda x: (np.sort(x, axis=0), np.fft.fft(x).real),
}

X = RNG.uniform(-1.0, 1.0, (6, 17))


def misaligned(x: Any) -> Any:
    out = np.frombuffer(bytearray(x.nbytes + 1), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    out[...] = x
    return out


def read_only(x: Any) -> Any:
    x = x.copy()
    x.flags.writeable = False
    return x


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "C": lambda x: x.copy(),
    "Fortran": np.asfortranarray,
    "every second": lambda x: np.repeat(np.repeat(x, 2, 0), 2, 1)[::2, ::2],
    "backwards": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "bytes swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "misaligned": misaligned,
    "read only": read_only,
    "stretched": lambda x: np.broadcast_to(x[:1], x.shape),
    "in the middle": lambda x: np.pad(x, 3)[3:-3, 3:-3],
}


def same(got: Any, want: Any, rtol: float = 1e-12) -> None:
    got, want = cv.tree.leaves(got), cv.tree.leaves(want)
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        w = np.asarray(w)
        assert_close(g, w.astype(w.dtype.newbyteorder("=")), rtol, 0.0)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_layout(name: str, layout: str) -> None:
    """After a call with an ordinary array, and before one."""
    f, x = FUNCTIONS[name], LAYOUTS[layout](X)
    np.testing.assert_array_equal(x, X if layout != "stretched" else np.broadcast_to(X[:1], X.shape))
    kept = x.copy()
    want = f(x)
    first, later = cv.jit(f), cv.jit(f)
    later(X)
    for compiled in (first, later):
        for _ in range(2):
            same(compiled(x), want)
        same(compiled(X), f(X))
    assert x.tobytes() == kept.tobytes()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_share_no_memory(name: str) -> None:
    """Neither with arguments nor with each other, of this call or of an earlier one."""
    compiled, x = cv.jit(FUNCTIONS[name]), X.copy()
    results = [y for _ in range(3) for y in cv.tree.leaves(compiled(x)) if isinstance(y, np.ndarray)]
    for k, y in enumerate(results):
        assert y.flags.writeable
        assert not np.shares_memory(x, y)
        assert not any(np.shares_memory(y, z) for z in results[:k])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_changed_between_calls(name: str) -> None:
    compiled, x = cv.jit(FUNCTIONS[name]), X.copy()
    earlier = []
    for _ in range(4):
        earlier.append((compiled(x), FUNCTIONS[name](x.copy())))
        for y in cv.tree.leaves(earlier[-1][0]):
            if isinstance(y, np.ndarray) and y.dtype.kind == "f":
                y += 0.0  # writing to a result is nobody else's business
        x *= -1.25
    for got, want in earlier:
        same(got, want)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_million_elements(threads: int) -> None:
    """Results of earlier calls stay as they were; sums do not depend on how many threads share the work."""
    x = RNG.uniform(-1.0, 1.0, 1_000_003)
    m = x[:999_999].reshape(3, -1)

    def f(x: Any, m: Any) -> Any:
        y = np.exp(x) * np.sin(x)
        return y, np.sum(y), np.max(x), np.sum(m * m, axis=0), np.mean(m, axis=1), np.cumsum(x)[-1], y[::-3] + 1

    g = cv.grad(lambda x: np.log(np.sum(np.exp(x))) + np.sum(x[1:] * x[:-1]))
    for fun, args in ((f, (x, m)), (g, (x,))):
        compiled = cv.jit(fun, threads=threads)
        first = compiled(*args)
        same(first, fun(*args), 1e-11)
        halves = compiled(*[a / 2 for a in args])
        same(halves, fun(*[a / 2 for a in args]), 1e-11)
        same(first, fun(*args), 1e-11)
        other = cv.jit(fun, threads=1 if threads == 1 else 3)(*args)
        for a, b in zip(cv.tree.leaves(compiled(*args)), cv.tree.leaves(other), strict=True):
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("size", [5, 3000, 250_000])
def test_sixteen_threads_call_one_function(size: int) -> None:
    """From the first call on, which compiles it, with arguments of their own and of two shapes."""

    @cv.jit
    def f(x: Any, s: Any) -> Any:
        y = np.exp(-x * s)
        if s > 4:
            y = y + 1
        return {"y": y, "total": np.sum(y * x), "back": cv.grad(lambda x: np.sum(np.sin(x * s)))(x)}

    def plain(x: Any, s: Any) -> Any:
        y = np.exp(-x * s)
        if s > 4:
            y = y + 1
        return {"y": y, "total": np.sum(y * x), "back": s * np.cos(x * s)}

    start = threading.Barrier(16)

    def work(k: int) -> list[Any]:
        rng = np.random.default_rng(k)
        start.wait()
        done = []
        for _ in range(6):
            x, s = rng.uniform(0.0, 1.0, size + k % 2), float(k % 7)
            done.append((x, s, f(x, s)))
        return done

    with ThreadPoolExecutor(16) as pool:
        for done in pool.map(work, range(16)):
            for x, s, got in done:
                same(got, plain(x, s), 1e-11)
    assert f.cache_info().specialisations == 4
