"""`jit` inside, outside and on both sides of transforms, in threads, in other processes and on long programs."""

from __future__ import annotations

import concurrent.futures
import math
import multiprocessing
import pickle
import threading
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from compiler.as_python import assert_alike

P = np.array([1.0, 2.0, 3.0])
EYE = np.eye(3) + 0.1

W = np.ones(3)


def f(x: Any) -> Any:
    return np.sum(np.sin(x) * x**2)


def branches(x: Any) -> Any:
    return np.sum(x**2) if x[0] > 0 else np.sum(x**3)


def no_grad_inside(x: Any) -> Any:
    with cv.no_grad():
        y = np.sin(x)
    return np.sum(y * x)


# Each takes `jit`, or a function that returns its argument.
NESTINGS = {
    "grad of jit": lambda j: cv.grad(j(f))(P),
    "jit of grad of jit": lambda j: j(cv.grad(j(f)))(P),
    "third derivative": lambda j: j(cv.jacrev(cv.jacfwd(cv.grad(j(f)))))(P),
    "hessian": lambda j: j(cv.hessian(j(f)))(P),
    "hvp": lambda j: j(lambda x, v: cv.hvp(j(f), (x,), (v,)))(P, P),
    "vjp": lambda j: j(cv.vjp(j(f), P)[1])(1.0),
    "jvp": lambda j: cv.jvp(j(f), (P,), (P,)),
    "linearize": lambda j: j(cv.linearize(j(f), P)[1])(P),
    "linear_transpose": lambda j: cv.linear_transpose(j(lambda x: x * 2), P)(P),
    "vmap of grad": lambda j: j(cv.vmap(j(cv.grad(j(f)))))(EYE),
    "vmap over nothing": lambda j: j(cv.vmap(j(f)))(np.zeros((0, 3))),
    "vmap, one axis": lambda j: j(cv.vmap(j(lambda x, y: x @ y), in_axes=(1, None)))(EYE, P),
    "psum": lambda j: j(cv.vmap(j(lambda x: x / cv.psum(x, "i")), axis_name="i"))(P),
    "checkpoint": lambda j: j(cv.grad(cv.checkpoint(j(f))))(P),
    "aux": lambda j: j(cv.grad(j(lambda x: (f(x), {"a": x * 2})), has_aux=True))(P),
    "two arguments": lambda j: j(cv.value_and_grad(j(lambda x, y: f(x) * y), argnums=(0, 1)))(P, 2.0),
    "tree with an integer": lambda j: j(cv.grad(j(lambda d: f(d["a"]) * d["n"])))({"a": P, "n": 2}),
    "stop_gradient": lambda j: cv.grad(j(lambda x: f(cv.stop_gradient(x)) + x.sum()))(P),
    "no_grad inside": lambda j: j(cv.grad(j(no_grad_inside)))(P),
    "chunks": lambda j: j(cv.jacrev(j(np.sin), chunk_size=2))(P),
    "holomorphic": lambda j: j(cv.grad(j(lambda z: z**2), holomorphic=True))(1j),
    "python integer": lambda j: j(cv.grad(j(lambda x: x**2)))(3),
    "float32": lambda j: j(cv.grad(j(f)))(P.astype(np.float32)),
}


@pytest.mark.parametrize("nesting", NESTINGS)
def test_nestings_agree_with_eager(nesting: str) -> None:
    assert_alike(NESTINGS[nesting](cv.jit), NESTINGS[nesting](lambda g: g))


@pytest.mark.parametrize("make", [lambda: cv.grad(cv.jit(branches)), lambda: cv.jit(cv.grad(branches))])
def test_derivatives_follow_the_branch(make: Any) -> None:
    g = make()
    for x in (P, -P, P, -P):
        assert_allclose(g(x), 2 * x if x[0] > 0 else 3 * x**2)


@pytest.mark.parametrize(
    "convert",
    [
        float,
        math.exp,
        lambda x: complex(x).real,
        np.float64,
        lambda x: math.fsum([x, x]),
        lambda x: sum((x * np.ones(2)).tolist()),
    ],
    ids=["float", "math.exp", "complex", "np.float64", "math.fsum", "tolist"],
)
def test_numbers_that_would_drop_a_derivative_are_refused(convert: Any) -> None:
    h = lambda x: convert(x) ** 2 + x
    for g in (cv.grad(h), cv.grad(cv.jit(h)), cv.jit(cv.grad(h)), cv.jit(cv.grad(cv.jit(h)))):
        with pytest.raises(cv.TracerConversionError):
            g(2.0)
    with pytest.raises(cv.TracerConversionError):
        cv.jvp(cv.jit(h), (2.0,), (1.0,))


def test_errors_of_transforms_are_those_without_jit() -> None:
    for j in (cv.jit, lambda g: g):
        with pytest.raises(TypeError, match="must return a scalar"):
            j(cv.grad(j(np.sin)))(P)
        with pytest.raises(TypeError, match=r"dtype int64.*astype\(float\)"):
            j(cv.grad(j(np.sum)))(np.arange(3))
        with pytest.raises(cv.ConcretizationError, match="np.where"):
            j(cv.vmap(j(lambda x: x if x > 0 else -x)))(P)
    assert_array_equal(cv.vmap(cv.jit(lambda x, s: x if s > 0 else -x), in_axes=(0, None))(P, 1.0), P)


# --- threads and processes --------------------------------------------------------------------------------------------


def test_sixteen_threads_with_shapes_and_branches() -> None:
    @cv.jit
    def mixed(x: Any) -> Any:
        if np.sum(x) > 0:
            x = x * 2
        return np.cumsum(x) * int(np.sum(x > 0))

    def work(k: int) -> None:
        rng = np.random.default_rng(k % 4)
        for _ in range(20):
            x = rng.normal(size=rng.integers(1, 4))
            assert_allclose(mixed(x), mixed.__wrapped__(x), rtol=1e-13)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert mixed.cache_info().specialisations == mixed.cache_info().misses


def test_an_error_in_one_thread_is_its_own() -> None:
    g = cv.jit(lambda x, i: x[i])

    def work(k: int) -> None:
        for i in range(100):
            if (k + i) % 2:
                assert g(P, i % 3) == P[i % 3]
            else:
                with pytest.raises(IndexError):
                    g(P, 3)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_an_array_outside_that_another_thread_changes() -> None:
    w, stop, g = np.zeros(3), threading.Event(), cv.jit(lambda x: x * w)

    def write() -> None:
        while not stop.is_set():
            w[:] = (w[0] + 1) % 5

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(500):
            assert np.isin(g(np.ones(3)), range(5)).all()
    finally:
        stop.set()
        writer.join()


@cv.jit
def top(x: Any) -> Any:
    return np.linalg.inv(np.outer(x, x) + np.eye(len(x))) @ (x * W if x[0] > 0 else -x)


class Thing:
    def __init__(self) -> None:
        self.w = np.full(3, 3.0)

    @cv.jit
    def method(self, x: Any) -> Any:
        return x * self.w


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_compiled_functions_in_other_processes(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    local = cv.jit(lambda x: x * 5)
    local(P)
    top(P)
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert_allclose(pool.submit(top, -P).result(), top(-P))
        assert_array_equal(pool.submit(Thing().method, P).result(), P * 3)
        assert_array_equal(pool.submit(local, P).result(), P * 5)


def test_a_local_function_must_have_been_called_before_pickling() -> None:
    with pytest.raises(pickle.PicklingError, match="top of a module, or call it first"):
        pickle.dumps(cv.jit(lambda x: x))


# --- long programs and many elements ----------------------------------------------------------------------------------


def steps(x: Any, n: int) -> Any:
    for _ in range(n):
        x = x * 0.999 + np.sin(x) * 1e-3
    return x


def test_a_loop_of_a_thousand_steps_and_its_gradient() -> None:
    assert_allclose(cv.jit(steps, static_argnums=1)(P, 1000), steps(P, 1000), rtol=1e-12)
    compiled = cv.jit(cv.grad(lambda x: steps(x, 1000).sum()))(P)
    assert_allclose(compiled, cv.grad(lambda x: steps(x, 1000).sum())(P), rtol=1e-11)


def test_an_array_filled_element_by_element() -> None:
    def recurrence(x: Any) -> Any:
        y = np.zeros(300)
        for k in range(300):
            y[k] = x[k % 3] * k + (y[k - 1] if k else 0) * 0.5
        return y

    assert_allclose(cv.jit(recurrence)(P), recurrence(P), rtol=1e-13)


def test_a_million_elements() -> None:
    x = np.linspace(-3.0, 3.0, 1_000_000)
    assert_allclose(cv.jit(lambda x: np.sum(np.exp(-(x**2))))(x), np.sum(np.exp(-(x**2))), rtol=1e-12)
    assert_allclose(cv.jit(cv.grad(lambda x: np.sum(np.exp(-(x**2)))))(x), -2 * x * np.exp(-(x**2)), atol=1e-14)


def test_hundreds_of_leaves() -> None:
    many = [np.full(3, float(i)) for i in range(200)]
    assert_array_equal(cv.jit(sum)(many), sum(many))
    assert_alike(cv.jit(lambda x: [x * i for i in range(200)])(P), [P * i for i in range(200)])
    assert_array_equal(cv.jit(lambda x: sum((m * x for m in many), 0 * x))(P), sum(many) * P)
