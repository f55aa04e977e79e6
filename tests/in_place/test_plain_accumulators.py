"""``a += t`` with a plain array `a`: the name is bound to a traced array where nobody else refers to the old one.

Nobody can then tell that the array itself did not change. Anybody who can makes it an error.
"""

from __future__ import annotations

import functools
import operator
import textwrap
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector.core.tracer import Tracer
from helpers import check
from in_place.programs import same_bits

X = np.array([1.3, 0.4, 2.1])
ROWS = np.array([[0.7, -1.2, 0.4, 1.6], [-0.9, 0.5, 1.1, -0.3], [1.4, 0.8, -0.6, 0.9]])
ROW = np.array([0.6, 1.2, -0.8, 1.5])

TRANSFORMS: dict[str, Callable[..., Any]] = {
    "vjp": lambda f, x: cv.vjp(f, x),
    "jvp": lambda f, x: cv.jvp(f, (x,), (np.ones_like(x),)),
    "vmap": lambda f, x: cv.vmap(f)(np.stack([x, x + 0.5])),
    "grad of grad": lambda f, x: cv.grad(lambda y: np.sum(cv.grad(lambda z: np.sum(f(z)))(y) * y))(x),
    "vmap of grad": lambda f, x: cv.vmap(cv.grad(lambda y: np.sum(f(y))))(np.stack([x, x + 0.5])),
}
each_transform = pytest.mark.parametrize("transform", TRANSFORMS)


def means_the_same(source: str, positive: bool = False) -> None:
    """Check the statements against NumPy: values to the bit, derivatives of both orders and modes, batches."""
    namespace: dict[str, Any] = {"np": np}
    body = f"{source}\nreturn {{k: u for k, u in locals().items() if hasattr(u, 'dtype')}}"
    exec("def program(x, v):\n" + textwrap.indent(body, "    "), namespace)
    program = namespace["program"]
    args = (abs(ROWS), abs(ROW)) if positive else (ROWS, ROW)
    want = program(*args)
    assert len(want) > 2
    for got in (cv.vjp(program, *args)[0], cv.jvp(program, args, args)[0]):
        assert got.keys() == want.keys()
        for name, value in want.items():
            same_bits(got[name], value, name)
    check(lambda *xs: {name: u for name, u in program(*xs).items() if u.dtype.kind in "fc"}, *args)


# --- one reference ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["np.full(4, 1.43)", "np.full((2, 4), 1.43)", "np.full((2, 3, 4), 1.43, order='F')"])
@pytest.mark.parametrize("value", ["v", "x[1]", "v[0]"])
@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "**", "%", "//"])
def test_every_operator(symbol: str, value: str, start: str) -> None:
    means_the_same(f"a = {start}\na {symbol}= {value}\ny = a * v", positive=True)


OPERATORS_OF_INTEGERS = ["a &= k", "a |= k", "a ^= k", "a <<= k", "a >>= k", "a += k", "a *= k", "a //= k + 1"]


@pytest.mark.parametrize("statement", OPERATORS_OF_INTEGERS)
def test_integers(statement: str) -> None:
    """Traced under vmap only; elsewhere they have no derivative, and are plain."""
    means_the_same(f"k = np.argmax(x)\na = np.full(4, 13)\n{statement}\ny = a * v")
    means_the_same(f"k = np.argsort(x[0])\na = np.full((2, 4), 13)\n{statement}\ny = a * v")


def test_masks() -> None:
    means_the_same("a = np.zeros((3, 4), bool)\na |= x > 0\na &= v > 0\na ^= x > 1\ny = np.where(a, x, v)")


FORMS = {
    "product of matrices": "a = np.eye(4)\na @= np.outer(v, v)",
    "twice": "a = np.zeros(4)\na += v\na *= v",
    "in a loop": "a = np.zeros(4)\nfor i in range(3):\n    a += x[i] * v",
    "outer products": "a = np.zeros((4, 4))\nfor i in range(3):\n    a += np.outer(x[i], v)",
    "in a nested loop": "a = np.ones(4)\nfor i in range(2):\n    for r in (0, 2):\n        a *= x[r] + i",
    "broadcast": "a = np.zeros((3, 4))\na -= v",
    "more dimensions": "a = np.ones((2, 3, 4))\na *= x",
    "no dimension": "a = np.zeros(())\na += v[0]\na *= v[1]",
    "complex": "a = np.zeros(4, complex)\na += v\na *= 1j\na -= v",
    "not contiguous": "a = np.ones((4, 3)).T.copy(order='K')\na *= x",
    "by itself": "a = np.full(4, 0.5)\na += a * v\na *= a",
    "result of an operation": "a = np.zeros(4)\nb = a\na = a + 1.0\na += v",
    "used before": "a = np.full(4, 0.5)\ny = v * a\na += v\nz = v * a",
    "used as a matrix before": "a = np.full((4, 4), 0.5)\ny = a @ v\na += v\nz = a @ v",
    "written to afterwards": "a = np.zeros(4)\na += v\na[1] = 7.0\nw = a[1:]\nw *= v[0]\na += w.sum()",
    "read afterwards": "a = np.zeros(4)\na += v\nb = a\na += 1.0\ny = b * v",
    "two names": "a, b = np.zeros(4), np.ones(4)\na += v\nb *= a",
    "swapped": "a, b = np.zeros(4), np.ones(4)\na, b = b, a\na += v\nb -= a",
    "items of a list": "a = [np.zeros(4) for _ in range(3)]\nfor i in range(3):\n    a[i] += x[i]\na = np.stack(a)",
    "item of a dict": "d = {'sum': np.zeros(4)}\nd['sum'] += v\nd['sum'] *= v\nd = d['sum']",
    "attribute": "o = type('Sums', (), {})()\no.a = np.zeros(4)\no.a += v\no.a /= 2.0\no = o.a",
    "class attribute": "class C:\n    a = np.zeros(4)\nC.a += v\nC = C.a",
    "cell of a closure": (
        "a = np.zeros(4)\ndef add(y):\n    nonlocal a\n    a += y\nadd(v)\nadd(v * v)\nadd = 1\ny = a * v"
    ),
    "argument": "def add(a, y):\n    a += y\n    return a\ny = add(np.zeros(4), v)\nadd = 1",
    "generator": (
        "def rows():\n    for i in range(3):\n        a = np.zeros(4)\n        a += x[i] * v\n        yield a\n"
        "y = np.stack(list(rows()))\nrows = 1"
    ),
    "recursion": (
        "def add(a, n):\n    a += x[n]\n    return add(a * v, n - 1) if n else a\ny = add(np.ones(4), 2)\nadd = 1"
    ),
    "try": "a = np.zeros(4)\ntry:\n    a += np.ones(5)\nexcept ValueError:\n    a += v",
}


@pytest.mark.parametrize("name", FORMS)
def test_one_reference(name: str) -> None:
    means_the_same(FORMS[name])


def test_the_name_stands_for_a_traced_array_afterwards() -> None:
    def f(t: Any) -> Any:
        a = np.zeros(3)
        assert type(a) is np.ndarray
        a += t
        assert isinstance(a, Tracer)
        return a

    for run in TRANSFORMS.values():
        run(f, X)


def test_the_dtype_is_that_of_the_accumulator() -> None:
    def f(t: Any) -> Any:
        a = np.zeros(3, np.float32)
        a += t
        assert a.dtype == np.float32
        return a

    out, pull = cv.vjp(f, X)
    assert out.dtype == np.float32
    assert_array_equal(out, X.astype(np.float32))
    (bar,) = pull(np.array([1.0, 2.0, 3.0], np.float32))
    assert bar.dtype == np.float64
    assert_array_equal(bar, [1.0, 2.0, 3.0])
    tangent = cv.jvp(f, (X,), (X,))[1]
    assert tangent.dtype == np.float32
    assert_array_equal(tangent, X.astype(np.float32))
    assert cv.vmap(f)(X[None]).dtype == np.float32


# --- under transforms -------------------------------------------------------------------------------------------------


def powers(t: Any) -> Any:
    total, term = np.zeros(3), np.ones(3)
    for k in range(1, 4):
        term *= t
        total += term / k
    return total


def powers_out_of_place(t: Any) -> Any:
    total, term = np.zeros(3), np.ones(3)
    for k in range(1, 4):
        term = term * t
        total = total + term / k
    return total


COMPOSED: dict[str, Callable[[Any], Any]] = {
    "jacrev": lambda f: cv.jacrev(f)(X),
    "jacfwd": lambda f: cv.jacfwd(f)(X),
    "hessian": lambda f: cv.hessian(lambda t: np.sum(f(t) ** 2))(X),
    "jacrev of jacrev": lambda f: cv.jacrev(cv.jacrev(f))(X),
    "jacfwd of jacrev": lambda f: cv.jacfwd(cv.jacrev(f))(X),
    "third order": lambda f: cv.grad(lambda x: np.sum(cv.hessian(lambda t: np.sum(f(t)))(x)))(X),
    "grad of vmap": lambda f: cv.grad(lambda x: np.sum(cv.vmap(lambda c: f(c * x))(X)))(X),
    "vmap of jvp": lambda f: cv.vmap(lambda t: cv.jvp(f, (X,), (t,))[1])(np.eye(3)),
    "vmap of vmap": lambda f: cv.vmap(cv.vmap(lambda c, t: f(c * t), (0, None)), (None, 0))(X, np.eye(3) + X),
    "linearize": lambda f: cv.linearize(f, X)[1](X),
    "checkpoint": lambda f: cv.grad(lambda t: np.sum(cv.checkpoint(f)(t) ** 2))(X),
    **{name: lambda f, run=run: run(lambda t: f(t) * t, X) for name, run in TRANSFORMS.items() if "grad" in name},
}


@pytest.mark.parametrize("name", COMPOSED)
def test_as_out_of_place(name: str) -> None:
    run = COMPOSED[name]
    got, want = run(powers), run(powers_out_of_place)
    for a, b in zip(cv.tree.leaves(got), cv.tree.leaves(want), strict=True):
        assert_allclose(a, b, rtol=1e-14)


def test_only_the_accumulator_is_mapped() -> None:
    def f(t: Any, c: Any) -> Any:
        a = np.zeros((2, 3))
        a += c
        a *= t
        return a

    c = np.arange(6.0).reshape(2, 3)
    assert_array_equal(cv.vmap(f, (0, None))(np.stack([X, -X]), c), [c * X, c * -X])
    assert_array_equal(cv.vmap(f, (None, 0))(X, np.stack([c, -c])), [c * X, c * -X])


def test_derivatives_of_an_inner_function_are_summed() -> None:
    def total(x: Any) -> Any:
        g = np.zeros(3)
        for _ in range(2):
            g += cv.grad(lambda y: np.sum(y**3 * x))(x)
        return np.sum(g * x)

    assert_allclose(cv.grad(total)(X), 24 * X**3, rtol=1e-14)
    assert_allclose(cv.jvp(total, (X,), (X,))[1], 24 * np.sum(X**4), rtol=1e-14)
    assert_allclose(cv.hessian(total)(X), np.diag(72 * X**2), rtol=1e-13)


def test_an_inner_value_does_not_stay_in_an_outer_accumulator() -> None:
    """The inner transform has ended when the sum is used: an error, not a number without its derivative."""

    def outer(x: Any) -> Any:
        total = np.zeros(3)

        def inner(y: Any) -> Any:
            nonlocal total
            total += y * x
            return np.sum(y**2)

        return np.sum(cv.grad(inner)(x)) + np.sum(total)

    for run in (cv.grad(outer), lambda x: cv.jvp(outer, (x,), (x,))):
        with pytest.raises(cv.LeakedTracerError):
            run(X)


@each_transform
def test_an_accumulator_of_the_caller_does_not_become_a_number(transform: str) -> None:
    sums = SimpleNamespace(a=np.zeros(3))

    def f(t: Any) -> Any:
        sums.a += t
        return t * 2.0

    TRANSFORMS[transform](lambda t: f(t), X)
    with pytest.raises(cv.LeakedTracerError):
        sums.a + 1.0
    with pytest.raises(cv.CovectorError):
        np.asarray(sums.a)


def test_without_transform_the_array_itself_changes() -> None:
    """Also while a transform runs, by values that it does not follow."""
    a = np.zeros(3)
    b = a
    a += X
    assert b is a

    def f(t: Any) -> Any:
        nonlocal a
        a += X
        a += t > 1.0
        return t

    cv.vjp(f, X)
    assert b is a
    assert_array_equal(b, 2 * X + (X > 1.0))


# --- several references -----------------------------------------------------------------------------------------------


SEVERAL = {
    "alias": "a = kept\na += t",
    "item": "items = [kept]\nitems[0] += t",
    "attribute": "o = SimpleNamespace(a=kept)\no.a += t",
    "default argument": "def add(y, a=kept):\n    a += y\nadd(t)",
    "closure": "def add():\n    nonlocal kept\n    kept += t\nadd()",
    "view": "a = kept[::-1]\na += t",
    "view of its own": "a = np.zeros(6)[::2]\na += t",
    "reshaped": "a = np.zeros(3).reshape(1, 3)\na += t",
    "rows": "for row in np.zeros((2, 3)):\n    row += t",
    "has a view": "a = np.zeros(3)\nw = a[1:]\na += t",
    "in a list too": "a = np.zeros(3)\nitems = [a]\na += t",
    "items of a list": "for a in [np.zeros(3), kept]:\n    a += t",
    "twice in a list": "items = [np.zeros(3)] * 2\nitems[0] += t",
    "memory": "a = np.zeros(3)\nm = memoryview(a)\na += t",
    "product": "a = np.eye(3)\nb = a\na @= np.multiply.outer(t, t)",
    "out": "a = np.zeros(3)\nnp.add(a, t, out=a)",
    "positional out": "a = np.zeros(3)\nnp.add(a, t, a)",
    "out assigned": "a, z = np.zeros(3), 1.0\nz += np.add(a, t, out=a)[0]",
    "method": "a = np.zeros(3)\na.__iadd__(t)",
    "operator": "a = np.zeros(3)\noperator.iadd(a, t)",
    "folded": "functools.reduce(operator.iadd, [t, t], kept)",
}


def several(name: str) -> Callable[[Any, Any], Any]:
    """``f(t, kept)`` that runs the statements, in a file of the user."""
    namespace: dict[str, Any] = {
        "np": np,
        "SimpleNamespace": SimpleNamespace,
        "operator": operator,
        "functools": functools,
    }
    source = "def f(t, kept):\n" + textwrap.indent(SEVERAL[name], "    ") + "\n    return t"
    exec(compile(source, "user_code.py", "exec"), namespace)
    return namespace["f"]


@each_transform
@pytest.mark.parametrize("name", SEVERAL)
def test_several_references(name: str, transform: str) -> None:
    """Refused with the line and the form that works; the array of the caller is left as it was."""
    f, kept = several(name), np.array([5.0, 6.0, 7.0])
    with pytest.raises(cv.TracerConversionError, match=r"user_code\.py:\d+ .*np\.zeros_like\(t\)"):
        TRANSFORMS[transform](lambda t: f(t, kept), X)
    assert_array_equal(kept, [5.0, 6.0, 7.0])


def test_an_argument_of_the_transformed_function_is_the_callers() -> None:
    def f(t: Any, a: Any) -> Any:
        a += t
        return np.sum(a * t)

    kept = np.ones(3)
    with pytest.raises(cv.TracerConversionError):
        cv.grad(f)(X, kept)
    assert_array_equal(kept, np.ones(3))
    assert_allclose(cv.grad(f, (0, 1))(X, kept)[0], 2 * X + 1.0)
    assert_array_equal(kept, np.ones(3))


@pytest.mark.parametrize("name", ["alias", "item", "attribute", "default argument", "closure", "view", "folded"])
def test_constants_are_added_whoever_refers_to_the_array(name: str) -> None:
    """A value without derivative is a plain one, also where it stands in an array that could be written to."""
    f, got, want = several(name), np.ones(3), np.ones(3)

    def constant(t: Any) -> Any:
        f(np.floor(t), got)
        f(np.zeros_like(t) + 2.0, got)
        return t * got

    f(np.floor(X), want)
    f(np.full(3, 2.0), want)
    assert_array_equal(cv.grad(lambda t: np.sum(constant(t)))(X), want)
    assert_array_equal(got, want)


# --- errors -----------------------------------------------------------------------------------------------------------


def _add(a: Any, y: Any) -> Any:
    a += y
    return a


def _subtract(a: Any, y: Any) -> Any:
    a -= y
    return a


def _read_only() -> Any:
    a = np.zeros(3)
    a.setflags(write=False)
    return a


ERRORS: dict[str, tuple[Callable[..., Any], Callable[[], Any], Callable[[Any], Any], str]] = {
    "float into integers": (_add, lambda: np.zeros(3, int), lambda t: t, "add"),
    "float into a mask": (_add, lambda: np.zeros(3, bool), lambda t: t, "add"),
    "complex into real": (_add, lambda: np.zeros(3), lambda t: t * 1j, "add"),
    "more dimensions": (_add, lambda: np.zeros(3), lambda t: np.stack([t, t]), "non-broadcastable"),
    "other length": (_add, lambda: np.zeros(2), lambda t: t, "broadcast"),
    "difference of masks": (_subtract, lambda: np.zeros(3, bool), lambda t: t > 1.0, "boolean subtract"),
    "read-only": (_add, _read_only, lambda t: t, "read-only"),
}


@each_transform
@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_numpys(name: str, transform: str) -> None:
    """And the name keeps the array it had, unchanged."""
    update, make, value, match = ERRORS[name]
    with pytest.raises((TypeError, ValueError), match=match) as numpys:
        update(make(), value(X))

    def f(t: Any) -> Any:
        o = SimpleNamespace(a=make())
        with pytest.raises(numpys.type, match=match):
            if update is _add:
                o.a += value(t)
            else:
                o.a -= value(t)
        assert type(o.a) is np.ndarray
        assert_array_equal(o.a, make())
        return t

    TRANSFORMS[transform](f, X)
