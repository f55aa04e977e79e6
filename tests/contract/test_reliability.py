"""Exceptions leave no trace; threads and asyncio tasks do not see each other."""

import asyncio
import concurrent.futures
import contextvars
import gc
import threading
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

X = np.array([0.3, -1.2, 2.0])


class Interruption(BaseException):
    """Neither an Exception nor anything the library could know."""


ERRORS = [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, StopIteration, Interruption]

TRANSFORMS = {
    "grad": lambda f: cv.grad(lambda x: np.sum(f(x)))(X),
    "vjp": lambda f: cv.vjp(f, X),
    "jvp": lambda f: cv.jvp(f, (X,), (X,)),
    "jacrev": lambda f: cv.jacrev(f)(X),
    "jacfwd": lambda f: cv.jacfwd(f)(X),
    "jacrev rows": lambda f: cv.jacrev(f, chunk_size=1)(X),
    "hessian": lambda f: cv.hessian(lambda x: np.sum(f(x)))(X),
    "hvp": lambda f: cv.hvp(lambda x: np.sum(f(x)), (X,), (X,)),
    "vmap": lambda f: cv.vmap(f)(X),
    "vmap chunked": lambda f: cv.vmap(f, chunk_size=2)(X),
    "linearize": lambda f: cv.linearize(f, X),
    "linear_transpose": lambda f: cv.linear_transpose(f, X)(X),
    "checkpoint": lambda f: cv.grad(cv.checkpoint(lambda x: np.sum(f(x))))(X),
    "eval_shape": lambda f: cv.eval_shape(f, X),
    "make_graph": lambda f: cv.make_graph(f)(X),
    "functional": lambda f: cv.functional.vjp(f, X, X),
    "grad of vmap": lambda f: cv.grad(lambda x: cv.vmap(f)(x).sum())(X),
    "vmap of grad": lambda f: cv.vmap(cv.grad(f))(X),
    "jvp of grad": lambda f: cv.jvp(cv.grad(lambda x: np.sum(f(x))), (X,), (X,)),
}


def assert_untouched():
    """A computation that would notice a level, an axis name or a switch left behind."""
    assert cv.grad(lambda x: x * cv.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert_allclose(cv.vmap(cv.grad(lambda x: x**3))(X), 3 * X**2, rtol=1e-15)
    assert cv.jvp(lambda x: cv.vjp(lambda y: x * y**2, x)[1](1.0)[0], (3.0,), (1.0,))[1] == 12.0
    with pytest.raises(NameError):
        cv.axis_size("i")
    assert type(np.sin(X)) is np.ndarray


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_exception_in_the_function(name, error):
    def f(x):
        y = np.sum(x) * 2.0
        raise error(y.shape)

    with pytest.raises(error):
        TRANSFORMS[name](f)
    assert_untouched()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_exception_deep_inside_nested_transforms_and_switches(error):
    def innermost(z):
        with cv.no_grad(), cv.enable_grad():
            raise error

    def f(x):
        with cv.no_grad():
            return cv.vmap(lambda y: cv.grad(lambda z: innermost(z) * y)(x), axis_name="i")(X).sum()

    with pytest.raises(error):
        cv.hessian(f)(1.0)
    assert_untouched()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_exception_caught_inside_the_outer_function(error):
    """The outer transform goes on after an inner one failed."""

    def f(x):
        def fails(y):
            raise error(x * y)

        for inner in (cv.grad, cv.jacfwd, lambda g: lambda x: cv.vmap(g)(np.ones(2) * x)):
            with pytest.raises(error):
                inner(fails)(x)
        return x**2 + cv.grad(lambda y: x * y**2)(x)

    assert cv.grad(f)(3.0) == 18.0
    assert cv.jvp(f, (3.0,), (1.0,))[1] == 18.0
    assert_array_equal(cv.vmap(f)(np.array([1.0, 2.0])), [3.0, 12.0])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_exception_in_a_custom_rule(error):
    switch = {"raise": True}

    @cv.custom_vjp
    def f(x):
        return 2 * x

    def bwd(_, ct):
        if switch["raise"]:
            raise error
        return (2 * ct,)

    f.defvjp(lambda x: (f(x), None), bwd)
    _, vjp_fn = cv.vjp(lambda x: np.sin(f(x)), X)
    with pytest.raises(error):
        vjp_fn(X)
    with pytest.raises(error):
        cv.jacrev(f)(X)
    assert_untouched()
    switch["raise"] = False
    assert_allclose(vjp_fn(X)[0], 2 * np.cos(2 * X) * X, rtol=1e-15)


def test_exception_injected_at_every_step_of_a_program():
    """The n-th NumPy call of the function raises, for every n; afterwards everything still works."""

    class Injected(Exception):
        pass

    def program(x, fail_at):
        steps = [np.sin, lambda y: y * x, np.exp, lambda y: y / (1 + x**2), lambda y: y[::-1], np.tanh, np.cumsum]
        y = x
        for k, step in enumerate(steps):
            y = step(y)
            if k == fail_at:
                raise Injected
        return y.sum()

    expected = cv.grad(lambda x: program(x, None))(X)
    for k in range(7):
        for run in (cv.grad, cv.jacfwd, cv.hessian, lambda f: lambda x: cv.vmap(f)(x[None])):
            with pytest.raises(Injected):
                run(lambda x, k=k: program(x, k))(X)
        assert_array_equal(cv.grad(lambda x: program(x, None))(X), expected)


def test_bad_arguments_leave_no_trace():
    for call in (
        lambda: cv.grad(np.sin)(X),
        lambda: cv.vjp(np.sin, X)[1](1.0),
        lambda: cv.jvp(np.sin, (X,), (1.0,)),
        lambda: cv.vmap(np.sin)(1.0),
        lambda: cv.jacrev(np.sin, chunk_size=0)(X),
    ):
        with pytest.raises((TypeError, ValueError)):
            call()
        assert_untouched()


def test_generator_suspended_inside_a_transform_of_another_frame():
    """A generator that traces is closed half way; levels stay balanced."""

    def steps(x):
        try:
            yield x * 2
            yield x * 3
        finally:
            x + 1

    def f(x):
        g = steps(x)
        first = next(g)
        g.close()
        return first

    assert cv.grad(f)(1.0) == 2.0
    assert_untouched()


def test_memory_stays_flat():
    def work():
        x = np.ones(2000)
        cv.grad(lambda x: np.sum(np.sin(x) * cv.grad(lambda y: np.sum(y**2 * x))(x)))(x)
        cv.vmap(cv.jacfwd(lambda v: v * v))(np.ones((4, 3)))
        _, vjp_fn = cv.vjp(lambda x: np.exp(x) * x, x)
        vjp_fn(x)
        with pytest.raises(TypeError):
            cv.grad(np.sin)(x)

    for _ in range(50):
        work()
    gc.collect()
    tracemalloc.start()
    try:
        work()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            work()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # one array kept per call would be 1.6 MB
    assert grown < 100_000


# --- threads ----------------------------------------------------------------------------------------------------------


def nested_work(seed):
    """Several nested transforms whose result depends on the seed only."""
    x = np.random.default_rng(seed).uniform(0.5, 1.5, size=4)

    def energy(x, s):
        with cv.no_grad():
            c = np.sum(x)
        return np.sum(np.sin(x * s) ** 2) + c * x[0] + cv.grad(lambda y: y**2 * x[1])(s)

    h = cv.hessian(energy)(x, 2.0)
    batched = cv.vmap(cv.grad(energy), in_axes=(None, 0))(x, np.arange(1.0, 4.0))
    lanes = cv.vmap(lambda v: v * cv.psum(v**2, "i"), axis_name="i")(x)
    return h, batched, lanes, cv.jvp(lambda s: cv.jacrev(lambda x: energy(x, s))(x), (1.5,), (1.0,))[1]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_eight_threads_nesting_transforms_give_exact_results():
    expected = [nested_work(seed) for seed in range(8)]
    barrier = threading.Barrier(8)

    def work(seed):
        barrier.wait(30)
        return all(same(nested_work(seed), expected[seed]) for _ in range(10))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [True] * 8


def test_threads_started_inside_a_traced_function_run_their_own_transforms():
    def f(x):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            slopes = list(pool.map(cv.grad(lambda y: y**3), [1.0, 2.0, 3.0]))
        return x * sum(slopes)

    assert cv.grad(f)(2.0) == 42.0
    assert cv.grad(cv.grad(lambda x: f(x) * x))(2.0) == 84.0


def test_thread_with_a_copied_context_closes_over_outer_values():
    def f(x):
        context = contextvars.copy_context()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            slope = pool.submit(context.run, cv.grad(lambda y: x * y**2), 3.0).result()
        return slope * x  # 6 x²

    assert cv.grad(f)(2.0) == 24.0


def test_vjp_fn_called_concurrently():
    a = np.random.default_rng(0).normal(size=(50, 50))
    x = np.random.default_rng(1).normal(size=50)
    _, vjp_fn = cv.vjp(lambda x: np.tanh(a @ np.sin(x)) * np.exp(x), x)
    cts = np.random.default_rng(2).normal(size=(64, 50))
    expected = [vjp_fn(ct)[0] for ct in cts]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda ct: vjp_fn(ct)[0], cts))
    assert same(got, expected)


def test_large_array_shared_by_threads_stays_the_callers():
    x, w = np.linspace(0.0, 1.0, 100_000), np.linspace(1.0, 2.0, 100_000)
    g = cv.grad(lambda x, k: np.sum(np.sin(k * x) * w))

    def work(k):
        return np.allclose(g(x, float(k)), k * np.cos(k * x) * w, rtol=1e-14)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(1, 33)))
    assert x.flags.writeable and w.flags.writeable


def test_one_transformed_function_shared_by_threads():
    g = cv.jacrev(lambda x: np.sin(x) * x.sum())
    expected = [g(X * k) for k in range(32)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert same(list(pool.map(lambda k: g(X * k), range(32))), expected)


def test_exceptions_in_one_thread_do_not_reach_another():
    def work(k):
        if k % 2:
            with pytest.raises(ZeroDivisionError):
                cv.grad(lambda x: x * cv.grad(lambda y: 1 // 0)(x))(1.0)
            return True
        return same(nested_work(0), expected)

    expected = nested_work(0)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(24)))


# --- asyncio ----------------------------------------------------------------------------------------------------------


def test_asyncio_tasks_do_not_see_each_other():
    expected = [nested_work(seed) for seed in range(6)]

    async def work(seed):
        results = []
        for _ in range(3):
            with cv.no_grad():
                await asyncio.sleep(0)
                results.append(same(nested_work(seed), expected[seed]))
                await asyncio.sleep(0)
            results.append(same(nested_work(seed), expected[seed]))
            await asyncio.sleep(0)
        return all(results)

    async def main():
        return await asyncio.gather(*(work(seed) for seed in range(6)))

    assert asyncio.run(main()) == [True] * 6


def test_event_loop_inside_a_traced_function():
    """Tasks inherit the context of the function that runs the loop, and with it the transforms that are active."""

    async def square(x):
        await asyncio.sleep(0)
        return x**2

    async def constant(x):
        with cv.no_grad():
            await asyncio.sleep(0)
            return x**2

    async def main(x):
        a, b, c = await asyncio.gather(constant(x), square(x), constant(x))
        return a + b + c

    assert cv.grad(lambda x: asyncio.run(main(x)))(3.0) == 6.0


def test_cancelled_task_leaves_no_trace():
    async def held():
        with cv.no_grad():
            await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(held())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return cv.grad(lambda x: x**2)(3.0)

    assert asyncio.run(main()) == 6.0
    assert_untouched()
