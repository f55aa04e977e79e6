"""Whatever can be called can be compiled, in every place where a function can stand."""

from __future__ import annotations

import functools
import inspect
import operator
import re
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import covector as cv
from compiler.as_python import agrees, assert_alike

A = np.array([3.0, -1.0, 2.0, 0.0])

Point = namedtuple("Point", "x y")


class Body:
    rate = 2.0

    def __init__(self) -> None:
        self.v = np.full(4, 2.0)

    @cv.jit
    def method(self, x: Any) -> Any:
        """Scale."""
        return x * self.rate * self.v

    @cv.jit(static_argnums=2)
    def powers(self, x: Any, n: int) -> Any:
        return [x**k for k in range(n)]

    @staticmethod
    @cv.jit
    def static(x: Any) -> Any:
        return x * 2

    @cv.jit
    @staticmethod
    def static_below(x: Any) -> Any:
        return x * 2

    @classmethod
    @cv.jit
    def of_class(cls, x: Any) -> Any:
        return x * cls.rate

    @property
    @cv.jit
    def doubled(self) -> Any:
        return self.v * 2

    @cv.jit
    def __call__(self, x: Any) -> Any:
        return self.method(x) + 1

    @cv.jit
    def __getitem__(self, i: Any) -> Any:
        return self.v[i]


class Faster(Body):
    rate = 5.0

    @cv.jit
    def method(self, x: Any) -> Any:
        return super().method(x) * 10


def test_methods_of_every_kind() -> None:
    b = Body()
    for _ in range(2):
        assert_alike(b.method(A), A * 4)
        assert_alike(b.powers(A, 2), [np.ones(4), A])
        assert_alike((b.static(A), Body.static(A)), (A * 2, A * 2))
        assert_alike((b.of_class(A), Body.of_class(A)), (A * 2, A * 2))
        assert_alike(b.doubled, b.v * 2)
        assert_alike(b(A), A * 4 + 1)
        assert_alike(b[1], np.float64(2.0))
        assert_alike(Body.method(b, A), A * 4)


def test_a_static_method_may_be_decorated_from_above() -> None:
    assert_alike((Body().static_below(A), Body.static_below(A)), (A * 2, A * 2))


def test_super_and_overridden_attributes() -> None:
    b = Faster()
    for _ in range(2):
        assert_alike(b.method(A), A * 100)
        assert_alike(b.of_class(A), A * 5)
        assert_alike(b(A), A * 100 + 1)


def test_a_class_method_below_is_one_above() -> None:
    made = cv.jit(classmethod(lambda cls, x: (cls.__name__ == "int") * x))
    assert type(made) is classmethod
    assert made.__get__(None, int)(2.0) == 2.0


def test_a_decorated_function_looks_like_the_function() -> None:
    assert (Body.method.__name__, Body.method.__doc__, Body.method.__qualname__) == ("method", "Scale.", "Body.method")
    assert list(inspect.signature(Body.method).parameters) == ["self", "x"]
    assert "Body.method" in repr(Body.method) and "Body.method" in repr(Body().method)


def test_bound_methods_have_the_methods_of_compiled_functions() -> None:
    b = Body()
    b.method(A)
    assert b.method.cache_info().specialisations >= 1
    assert "multiply" in str(b.method.lower(A).graph)
    assert_array_equal(b.method.bind(A)(A), A * 4)


def test_lambdas_partials_and_operators() -> None:
    agrees(functools.partial(lambda a, b, k=1: a + b + k, A, k=2), A)
    agrees(operator.itemgetter(1), A)
    agrees(operator.methodcaller("sum", axis=0), A)
    agrees(Point, (A, 2.0))
    agrees(A.__add__, A)


@pytest.mark.parametrize("fun", [abs, sum, max, min, len, sorted, list, tuple], ids=lambda f: f.__name__)
def test_builtins(fun: Any) -> None:
    agrees(fun, A)


@pytest.mark.parametrize(
    "call",
    [
        lambda j: j(np.sin)(A),
        lambda j: j(np.add.reduce)(A),
        lambda j: j(np.multiply.outer)(A, A),
        lambda j: j(np.sum)(A, axis=0, keepdims=True),
        lambda j: j(np.where)(A > 0),
        lambda j: j(np.array)([A, A * 2]),
        lambda j: j(np.einsum)("i,i->", A, A),
        lambda j: j(np.linalg.norm)(A),
        lambda j: j(np.zeros)(3),
        lambda j: j(pow)(A, 2.0),
        lambda j: j(float)(2),
    ],
)
def test_functions_of_numpy(call: Any) -> None:
    def twice(f: Any) -> Any:
        g = cv.jit(f)

        def run(*args: Any, **kwargs: Any) -> Any:
            assert_alike(g(*args, **kwargs), f(*args, **kwargs))
            return g(*args, **kwargs)

        return run

    assert_alike(call(twice), call(lambda f: f))


@pytest.mark.filterwarnings("ignore:coroutine")
def test_coroutines_and_generators_are_refused() -> None:
    async def coroutine(x: Any) -> Any:
        return x

    def generator(x: Any) -> Any:
        yield x

    for fun in (coroutine, generator):
        with pytest.raises(TypeError, match=re.escape(fun.__name__)):
            cv.jit(fun)(A)


@pytest.mark.parametrize("thing", [3, "s", A, [np.sin], np], ids=lambda t: type(t).__name__)
def test_what_cannot_be_called_is_refused(thing: Any) -> None:
    with pytest.raises(TypeError, match="jit: the first argument must be a function, got"):
        cv.jit(thing)
    with pytest.raises(TypeError, match="jit: the first argument must be a function, got"):
        cv.jit(static_argnums=0)(thing)


def test_keywords_positions_and_missing_arguments_are_pythons() -> None:
    f = cv.jit(lambda x, *rest, k=2.0, **more: (x * k, rest, more))
    assert_alike(f(A, 1, z=A, k=3), (A * 3, (1,), {"z": A}))
    assert_alike(f(A), (A * 2, (), {}))
    for wrong in (lambda: f(), lambda: cv.jit(lambda x: x)(A, A), lambda: cv.jit(lambda x: x)(y=A)):
        with pytest.raises(TypeError, match="argument"):
            wrong()


def test_jit_of_jit_and_fifty_levels() -> None:
    f: Any = lambda x: x
    for _ in range(50):
        f = cv.jit(lambda x, inner=f: inner(x) + 1)
    assert_array_equal(f(A), A + 50)


def test_recursion() -> None:
    @cv.jit
    def fibonacci(n: Any) -> Any:
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert [fibonacci(n) for n in (0, 1, 7, 10)] == [0, 1, 13, 55]

    @cv.jit
    def even(n: Any) -> Any:
        return True if n == 0 else odd(n - 1)

    @cv.jit
    def odd(n: Any) -> Any:
        return False if n == 0 else even(n - 1)

    assert (even(10), odd(7), even(3)) == (True, True, False)


def test_recursion_without_end_is_pythons_error() -> None:
    f = cv.jit(lambda x: f(x))
    with pytest.raises(RecursionError):
        f(A)
    assert_array_equal(cv.jit(lambda x: x + 1)(A), A + 1)
