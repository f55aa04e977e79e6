"""`jit`: what goes in and comes out, and the forms it can be used in."""

from __future__ import annotations

import functools
import threading
import time
from collections import OrderedDict, namedtuple
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector.core.primitive import PRIMITIVES, load_late_rules
from covector.core.tracer import running

load_late_rules()

X = np.array([0.5, -1.0, 2.0])
M = np.arange(6.0).reshape(2, 3) + 0.5


def same(got: Any, expected: Any) -> None:
    """Equal in structure, type, dtype, shape, and value up to rounding."""
    got, expected = [cv.tree.flatten(x) for x in (got, expected)]
    assert got[1] == expected[1]
    for a, b in zip(got[0], expected[0], strict=True):
        assert type(a) is type(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype and np.shape(a) == np.shape(b)
        assert_allclose(a, b, rtol=1e-6 if np.asarray(b).dtype.itemsize <= 4 else 1e-13)


Point = namedtuple("Point", "x y")

FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "an array": (lambda x: np.sin(x) * 2 + 1, (X,)),
    "a reduction is a scalar": (lambda x: np.sum(x**2), (X,)),
    "a reduction over an axis": (lambda x: np.sum(x, axis=0), (M,)),
    "a reduction of single precision": (lambda x: np.mean(x), (X.astype(np.float32),)),
    "an element is a scalar": (lambda x: x[1], (X,)),
    "an element by an ellipsis is an array": (lambda x: x[1, ...], (X,)),
    "reshaped to no dimensions": (lambda x: (x[:1] + 1).reshape(()), (X,)),
    "where of scalars is an array": (lambda x: np.where(x[0] > 0, x[0], 1.0), (X,)),
    "tensordot is an array": (lambda x: np.tensordot(x, x, 1), (X,)),
    "an array of no dimensions": (lambda x: x, (np.array(2.0),)),
    "a function of one": (lambda x: x * 2, (np.array(2.0),)),
    "a copy of one": (lambda x: (np.copy(x), x.astype(np.float32), x.T, x.real), (np.array(2.0),)),
    "a NumPy scalar": (lambda x: (x, x * 2, np.real(x)), (np.float32(2),)),
    "Python numbers": (lambda x: (x, x + 1, 2 * x, x / 2, x // 2, x % 2, -x, abs(x), x**2, 2**x, x**-1), (3,)),
    "Python floats": (lambda x: (x, x + 1, 1 - x, x**2.0, 2**x), (1.5,)),
    "a Python bool": (lambda b, x: (b, x * b), (True, X)),
    "a Python complex number": (lambda z, x: z * x, (1j, X)),
    "integers": (lambda n: (n + 1, n // 2, n % 3, n & 1, np.sum(n)), (np.arange(5),)),
    "bools": (lambda b: (~b, b & True, np.any(b)), (np.array([True, False]),)),
    "complex numbers": (lambda z: (z * 1j, np.abs(z), z.real, np.conj(z)), (np.array([1 + 2j, 3.0]),)),
    "single precision stays": (lambda x: np.exp(x) * 2.0 + 1, (X.astype(np.float32),)),
    "half of one": (lambda x, s: x * s + s, (X.astype(np.float32), 2.0)),
    "a Python int beside small integers": (lambda x, n: x + n, (np.array([1, 2], np.int8), 3)),
    "a number computed from numbers is weak": (lambda x, s: x * (2 * s + 1), (X.astype(np.float32), 2.0)),
    "a choice with a Python number": (lambda x, s: np.where(x > 0, x, s), (X.astype(np.float32), 2.5)),
    "a comparison in single precision": (lambda x, s: x < s, (np.array([0.1], np.float32), 0.1)),
    "a NumPy scalar decides": (lambda x, s: x * s, (X.astype(np.float32), np.float64(2))),
    "empty": (lambda x: (x * 2, np.sum(x)), (np.zeros((0, 3)),)),
    "a tree": (lambda p: {"s": p["a"] + p["b"][0], "t": [p["b"][1], None]}, ({"a": X, "b": (X, 2.0)},)),
    "a named tuple": (lambda p: Point(p.y, p.x * 2), (Point(X, 1.0),)),
    "an ordered dict": (lambda d: OrderedDict(b=d["a"], a=d["b"]), (OrderedDict(a=X, b=M),)),
    "constants": (lambda x: (x, 3, 2.5, np.float32(1), np.ones(2), None), (X,)),
    "no arguments": (lambda: np.arange(3.0) * 2, ()),
    "nothing": (lambda x: None, (X,)),
    "twice the same": (lambda x: (x * 2,) * 2, (X,)),
    "a transpose": (lambda x: x.T, (M,)),
    "a list of numbers": (lambda xs: sum(xs), ([1.0, 2.0, X],)),
    "in place": (lambda x: _doubled_tail(x), (X,)),
}


def _doubled_tail(x: Any) -> Any:
    y = x.copy()
    y[1:] *= 2
    tail = y[2:]
    tail += 1
    return y


@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiled_gives_what_numpy_gives(name: str) -> None:
    f, args = FUNCTIONS[name]
    g = cv.jit(f)
    for _ in range(2):  # the general way, then the short one
        same(g(*args), f(*args))
    assert g.cache_info().specialisations == 1
    same(g.bind(*args)(*args), f(*args))
    same(g.lower(*args).compile()(*args), f(*args))


def test_other_byte_order_and_layout() -> None:
    g = cv.jit(lambda x: x * 2 + 1)
    for x in (X.astype(">f8"), np.asfortranarray(M), M[:, ::2], M.T, M[::-1], np.broadcast_to(X, (2, 3))):
        for _ in range(2):
            same(g(x), (x * 2 + 1).astype(float))


def test_results_are_nobody_elses() -> None:
    constant = np.ones(3)
    f = cv.jit(lambda x, y: (x, x.T, y[:2], constant, x))
    x, y = X.copy(), X.copy()
    for _ in range(2):
        out = f(x, y)
        assert all(r.flags.writeable for r in out)
        for a in out:
            assert not any(np.shares_memory(a, b) for b in (x, y, constant))
        assert sum(np.shares_memory(a, b) for a in out for b in out) == len(out)


def test_arguments_stay_as_they_are() -> None:
    @cv.jit
    def f(x: Any) -> Any:
        x[0] = 7
        x += 1
        return x

    x = X.copy()
    assert_array_equal(f(x), [8, 0, 3])
    assert_array_equal(f(x), [8, 0, 3])
    assert_array_equal(x, X)


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_every_primitive_returns_what_it_returns_alone(name: str) -> None:
    primitive = PRIMITIVES[name]
    if primitive.family in ("collective", "call") or name == "loop":
        pytest.skip("takes functions, programs or named axes")
    for sample in primitive.samples:
        got = cv.jit(lambda *args, sample=sample: primitive(*args, **sample.params))
        expected = primitive.impl(*sample.args, **sample.params)
        got = got(*sample.args)
        for a, b in zip(*([x if primitive.multiple else (x,) for x in (got, expected)]), strict=True):
            assert type(a) is type(b) or primitive.writes
            assert np.asarray(a).dtype == np.asarray(b).dtype and np.shape(a) == np.shape(b)


# --- forms of use -----------------------------------------------------------------------------------------------------


def test_decorator_with_and_without_arguments() -> None:
    @cv.jit
    def f(x: Any) -> Any:
        """Doc."""
        return x + 1

    @cv.jit(static_argnums=1)
    def g(x: Any, n: int) -> Any:
        return np.stack([x] * n)

    assert f.__doc__ == "Doc." and f.__name__ == "f" and f.__wrapped__(1) == 2
    assert_array_equal(f(X), X + 1)
    assert g(X, 2).shape == (2, 3) and g(X, 3).shape == (3, 3)
    assert repr(f).endswith("f>") and "f" in repr(f)


class Model:
    def __init__(self, scale: float) -> None:
        self.weights = np.array([1.0, 2.0, 3.0])
        self.scale = scale

    @cv.jit
    def predict(self, x: Any) -> Any:
        return np.sum(self.weights * x) * self.scale

    def __call__(self, x: Any) -> Any:
        return self.weights * x


def test_methods_and_objects() -> None:
    first, second = Model(1.0), Model(2.0)
    expected = np.sum(first.weights * X)
    for _ in range(2):
        assert_allclose(first.predict(X), expected)
        assert_allclose(second.predict(X), 2 * expected)
        assert_allclose(Model.predict(first, X), expected)
    first.weights = first.weights * 2
    assert_allclose(first.predict(X), 2 * expected)
    assert first.predict.cache_info().specialisations == 2
    assert_allclose(first.predict.lower(X).compile()(first, X), 2 * expected)
    assert_allclose(first.predict.bind(X)(X), 2 * expected)
    assert_allclose(cv.jit(first)(X), first.weights * X)
    assert_allclose(cv.jit(first.__call__)(X), first.weights * X)


def test_other_callables() -> None:
    assert_allclose(cv.jit(np.sin)(X), np.sin(X))
    assert_allclose(cv.jit(np.linalg.norm)(X), np.linalg.norm(X))
    assert_allclose(cv.jit(functools.partial(np.add, 1.0))(X), X + 1)
    assert_allclose(cv.jit(cv.jit(np.cos))(X), np.cos(X))
    assert_allclose(cv.jit(cv.grad(np.sum))(X), np.ones(3))
    with pytest.raises(TypeError, match=r"jit: .*must be a function"):
        cv.jit(3)


def test_keyword_arguments_and_defaults() -> None:
    f = cv.jit(lambda x, y=2.0, *, z: x * y + z)
    for _ in range(2):
        assert_allclose(f(X, z=1.0), X * 2 + 1)
        assert_allclose(f(X, z=X, y=3.0), X * 3 + X)
        assert_allclose(f(x=X, y=1.0, z=0), X)
    with pytest.raises(TypeError):
        f(X)


def test_jit_inside_jit_and_inside_recording() -> None:
    inner = cv.jit(lambda x: np.sin(x) if np.sum(x) > 0 else x)
    outer = cv.jit(lambda x: inner(x) * 2)
    assert_allclose(outer(X), np.sin(X) * 2)
    assert_allclose(outer(-X), -X * 2)
    assert "sin" in repr(cv.make_graph(cv.jit(np.sin))(X))
    assert cv.eval_shape(cv.jit(np.sum), M).shape == ()


# --- static arguments -------------------------------------------------------------------------------------------------


def test_static_arguments_compare_by_value() -> None:
    @functools.partial(cv.jit, static_argnames=("mode", "table"))
    def f(x: Any, mode: Any, table: Any = None) -> Any:
        return x * (1 if mode == "plus" else -1) + (0 if table is None else len(table))

    assert_allclose(f(X, "plus"), X)
    assert_allclose(f(X, "pl" + "us"), X)
    assert_allclose(f(X, mode="plus"), X)
    assert_allclose(f(X, "minus"), -X)
    assert f.cache_info().misses == 3
    assert_allclose(f(X, "plus", table=np.arange(4)), X + 4)
    assert_allclose(f(X, "plus", table=np.arange(4)), X + 4)
    assert_allclose(f(X, "plus", table=np.arange(5)), X + 5)
    assert f.cache_info().misses == 5


def test_static_values_of_different_types_are_different() -> None:
    f = cv.jit(lambda x, n: x * n if type(n) is int else x + n, static_argnums=1)
    assert_allclose([f(3.0, 1), f(3.0, 1.0), f(3.0, True)], [3.0, 4.0, 4.0])
    assert f.cache_info().specialisations == 3


def test_strings_and_functions_among_the_arguments_are_static() -> None:
    f = cv.jit(lambda x, op, g: g(x) if op == "apply" else x)
    for _ in range(2):
        assert_allclose(f(X, "apply", np.sin), np.sin(X))
        assert_allclose(f(X, "skip", np.sin), X)
        assert_allclose(f(X, "apply", lambda x: x * 3), X * 3)


def test_wrong_static_arguments() -> None:
    with pytest.raises(ValueError, match="static_argnums=3"):
        cv.jit(lambda x: x, static_argnums=3)
    with pytest.raises(ValueError, match="no parameter 'y'"):
        cv.jit(lambda x: x, static_argnames="y")
    with pytest.raises(TypeError, match="static_argnums must be"):
        cv.jit(lambda x: x, static_argnums="x")
    with pytest.raises(TypeError, match=r"static argument 1 of .* is a bytearray, which cannot be compared"):
        cv.jit(lambda x, n: x, static_argnums=1)(X, bytearray())


def test_wrong_arguments_and_results() -> None:
    with pytest.raises(TypeError, match="dtype <U1"):
        cv.jit(lambda x: x)(np.array(["a"]))
    with pytest.raises(TypeError, match="MaskedArray"):
        cv.jit(lambda x: x)(np.ma.masked_array(X))
    with pytest.raises(TypeError, match=r"jit: the output of .* is a builtins.str"):
        cv.jit(lambda x: "text")(X)
    with pytest.raises(TypeError):
        cv.jit(lambda x: x)(X, X)


# --- out= -------------------------------------------------------------------------------------------------------------


def test_out() -> None:
    f = cv.jit(lambda x: {"a": x + 1, "b": (np.sum(x), x * 2)})
    out = {"a": np.empty(3), "b": (np.empty(()), np.empty(3))}
    for _ in range(2):
        assert f(X, out=out) is out
        assert_allclose(out["a"], X + 1)
        assert_allclose(out["b"][0], np.sum(X))
    g = cv.jit(lambda x: x + 1)
    x = X.copy()
    assert g(x, out=x) is x
    assert_allclose(x, X + 1)
    with pytest.raises(ValueError, match=r"shape \(3,\).*got shape \(2,\)"):
        g(X, out=np.empty(2))
    with pytest.raises(ValueError, match="structure"):
        g(X, out=(np.empty(3),))
    with pytest.raises(TypeError, match="same_kind"):
        g(X, out=np.empty(3, int))


def test_out_of_numpys_own_functions() -> None:
    for f, x in ((np.negative, X), (np.cumsum, M)):
        out = np.empty(x.size)
        assert cv.jit(f)(x, out=out) is out
        assert_allclose(out, f(x))


def test_a_parameter_called_out_is_the_functions_own() -> None:
    f = cv.jit(lambda x, out: x + out)
    assert_allclose(f(X, out=np.ones(3)), X + 1)


def test_donated_arguments() -> None:
    f = cv.jit(lambda x, y: x * 2 + y, donate_argnums=0)
    for _ in range(2):
        assert_allclose(f(X.copy(), X), X * 3)


# --- inspection -------------------------------------------------------------------------------------------------------


def test_inspection() -> None:
    f = cv.jit(lambda x: np.sum(np.sin(x) ** 2))
    assert repr(f.compile_report()) == "nothing compiled yet"
    lowered = f.lower(X)
    assert [eq.primitive.name for eq in lowered.graph][:1] == ["sin"]
    assert lowered.guards == []
    assert "graph" in repr(lowered.simplified)
    assert "define" in lowered.llvm
    assert lowered.kernels is not None
    compiled = lowered.compile()
    assert_allclose(compiled(X), np.sum(np.sin(X) ** 2))
    with pytest.raises(TypeError, match=r"other structure.*float64\[2\]"):
        compiled(X[:2])
    assert f.cache_info() == (0, 1, 1)
    f(X)
    assert f.cache_info() == (1, 1, 1)
    (row,) = f.compile_report().rows
    assert row["trace"] > 0 and row["compile"] > 0 and "float64[3]" in row["program"]
    assert "trace" in repr(f.compile_report())
    f.cache_clear()
    assert f.cache_info() == (0, 0, 0)
    assert_allclose(f(X), np.sum(np.sin(X) ** 2))


# --- threads, errors --------------------------------------------------------------------------------------------------


def test_many_threads_compile_once() -> None:
    @cv.jit
    def f(x: Any) -> Any:
        time.sleep(0.05)
        return np.sin(x) + x.shape[0]

    start = threading.Barrier(16)

    def call(n: int) -> Any:
        start.wait()
        return [f(np.full(n, 1.0)) for _ in range(20)]

    with ThreadPoolExecutor(16) as pool:
        for n, results in zip([3, 4] * 8, pool.map(call, [3, 4] * 8), strict=True):
            for r in results:
                assert_allclose(r, np.sin(1.0) + n * np.ones(n))
    assert f.cache_info().misses == 2


def test_functions_that_record_each_other_in_two_threads_do_not_wait_forever() -> None:
    first_inside, second_inside = threading.Event(), threading.Event()

    @cv.jit
    def f(x: Any) -> Any:
        first_inside.set()
        second_inside.wait(5)
        return x + float(g(np.ones(2))[0])

    @cv.jit
    def g(x: Any) -> Any:
        if x.ndim == 1 and not second_inside.is_set():
            second_inside.set()
            first_inside.wait(5)
            return x * float(f(np.ones(2))[0])
        return x * 2

    with ThreadPoolExecutor(2) as pool:
        a, b = pool.submit(f, np.ones(2)), pool.submit(g, np.ones(2))
        assert np.all(np.isfinite(a.result(timeout=30))) and np.all(np.isfinite(b.result(timeout=30)))


def test_a_function_that_calls_itself() -> None:
    @functools.partial(cv.jit, static_argnums=1)
    def power(x: Any, n: int) -> Any:
        return x if n == 1 else x * power(x, n - 1)

    assert_allclose(power(X, 4), X**4)

    @cv.jit
    def halved(x: Any) -> Any:
        return x if np.sum(x) < 1 else halved(x / 2)

    assert_allclose(halved(np.array([8.0])), [0.5])


def test_an_error_leaves_nothing_behind() -> None:
    fail = [True]

    @cv.jit
    def f(x: Any) -> Any:
        y = x + 1
        if fail[0]:
            raise KeyError("mine")
        return y

    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            f(X)
        assert running() is None
    assert f.cache_info().specialisations == 0
    fail[0] = False
    assert_allclose(f(X), X + 1)

    @cv.jit
    def g(x: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        g(X)
    assert running() is None


def test_errors_of_numpy_are_numpys() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        cv.jit(lambda x, y: x + y)(X, np.ones(2))
    take = cv.jit(lambda x, i: x[i])
    assert take(X, 1) == X[1]
    with pytest.raises(IndexError):
        take(X, 5)
    assert take(X, -1) == X[-1]


def test_large_python_integers_run_as_python() -> None:
    f = cv.jit(lambda n: n * 2)
    assert f(2**40) == 2**41
    assert f(2**70) == 2**71
    with pytest.raises(OverflowError):
        cv.jit(lambda x, n: x + n)(np.uint8(3), 300)
