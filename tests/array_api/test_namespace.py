"""What NumPy lets nobody intercept: in `covector.numpy` each call means what NumPy means, and is differentiated."""

from __future__ import annotations

import doctest
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import covector
import covector.numpy as cnp
from covector.core.tracer import Tracer
from helpers import assert_same_as_numpy, check

X = np.array([0.5, -1.2, 2.0])
M = np.array([[0.3, -0.7, 1.2], [0.9, 0.1, -0.4]])


def filled(np: Any, x: Any) -> Any:
    y = np.zeros((2, 3))
    for i in range(3):
        y[0, i] = x[i] ** 2
    y[1] = x[::-1]
    return y


def smooth_part(np: Any, x: Any) -> Any:
    return np.piecewise(x, [x < 0, x > 1], [lambda v: v**2, np.sin, 0.5])


# Each is called with the namespace and arrays, in NumPy and here.
CASES: dict[str, tuple[Any, ...]] = {
    "array of elements": (lambda np, x: np.array([x[0], x[1] * x[2], 2.0, 3]), X),
    "array of rows": (lambda np, x: np.array([x, [1.0, x[0], 2], (x[1], x[1], 0)]), X),
    "array, nested": (lambda np, x: np.array([[[x[0]], [1]], [[x[1]], [x[2]]]]), X),
    "array of plain rows and a traced one": (lambda np, x: np.array([np.ones(3), x]), X),
    "array, complex": (lambda np, x: np.array([x[0], 1j * x[1], 2]), X),
    "array in a dtype": (lambda np, x: np.array([x[0], 1.0], dtype=complex), X),
    "array, float32": (lambda np, x: np.array([x[0], x[1]], dtype=np.float32), X.astype(np.float32)),
    "array, ndmin": (lambda np, x: np.array(x, ndmin=3), X),
    "array of a number": (lambda np, x: np.array(x[0], ndmin=1), X),
    "array, order": (lambda np, x: np.array(x, order="F").ravel("A"), M),
    "asarray": (lambda np, x: np.asarray(x) * 2.0, X),
    "asarray of a list": (lambda np, x: np.asarray([x[0], x[1]], dtype=float), X),
    "asanyarray": (lambda np, x: np.asanyarray([x, x]), X),
    "ascontiguousarray": (lambda np, x: np.ascontiguousarray(x.T), M),
    "ascontiguousarray of a number": (lambda np, x: np.ascontiguousarray(x[0]), X),
    "asfortranarray": (lambda np, x: np.asfortranarray(x) + 1.0, M),
    "require": (lambda np, x: np.require([x[0], x[1]], float, ["C", "O", "W"]), X),
    "copy of a list": (lambda np, x: np.copy([x[0], 1.0]), X),
    "zeros": (filled, X),
    "ones": (lambda np, x: _set(np.ones(4), slice(1, 3), x[:2]), X),
    "empty": (lambda np, x: _set(np.empty(3), slice(None), x * x), X),
    "full, then written": (lambda np, x: _set(np.full(3, 7.0), 1, x[0]), X),
    "zeros_like of a plain array": (lambda np, x: _set(np.zeros_like(M), 0, x), X),
    "eye": (lambda np, x: _set(np.eye(3), (0, 2), x[0]), X),
    "identity": (lambda np, x: _set(np.identity(3), 1, x), X),
    "arange, then written": (lambda np, x: _set(np.arange(4.0), 3, x[1]), X),
    "linspace, then written": (lambda np, x: _set(np.linspace(0.0, 1.0, 3), 1, x[1]), X),
    "array, then written": (lambda np, x: _set(np.array([1.0, 2.0]), 0, x[1]), X),
    "copy, then written": (lambda np, x: _set(np.copy(M), (0, 1), x[1]), X),
    "full": (lambda np, x: np.full((2, 3), x), X),
    "full of a number": (lambda np, x: _set(np.full(3, x[0]), 0, 1.0), X),
    "full of a list": (lambda np, x: np.full((2, 2), [x[0], 1.0]), X),
    "linspace": (lambda np, x: np.linspace(x[0], [x[1], x[2]], 4, endpoint=False), X),
    "geomspace": (lambda np, x: np.geomspace(x[0], x[2], 4), X),
    "vander of a list": (lambda np, x: np.vander([x[0], x[1]], 3), X),
    "fromfunction": (lambda np, x: np.fromfunction(lambda i, j: x[0] * i + x[1] * j, (2, 3)), X),
    "fromiter": (lambda np, x: np.fromiter((v * v for v in x), float, 2), X),
    "kaiser": (lambda np, x: np.kaiser(5, x[2]) * np.kaiser(1, x[2]), X),
    "r_": (lambda np, x: np.r_[x, 1.0, 0:2, [x[0], 4]], X),
    "r_ with a traced range": (lambda np, x: np.r_[x[0] : x[2] : 3j], X),
    "r_ with a directive": (lambda np, x: np.r_["1,2,0", x, [1.0, 2.0, 3.0]], X),
    "c_": (lambda np, x: np.c_[x, [1.0, 2.0, 3.0], x**2], X),
    "mgrid": (lambda np, x: np.mgrid[0 : x[0] : 2j, x[1] : x[2] : 3j], X),
    "ogrid": (lambda np, x: np.ogrid[0 : x[0] : 2j, x[1] : x[2] : 3j][1], X),
    "piecewise": (smooth_part, X),
    "piecewise, otherwise": (lambda np, x: np.piecewise(x, [x < 0], [-1.0, lambda v: v**3]), X),
    "piecewise with arguments": (lambda np, x: np.piecewise(x, [x < 0], [lambda v, a, b: a * v + b, 0], 2.0, b=1.0), X),
    "piecewise of a number": (
        lambda np, x: np.piecewise(x[0], [x[0] < 0, x[0] >= 0], [lambda v: -v, lambda v: v**2]),
        X,
    ),
    "vectorize": (lambda np, x: np.vectorize(lambda a, b: a * b + b**2)(x, [[1.0], [2.0]]), X),
    "vectorize, two results": (lambda np, x: np.vectorize(lambda a: (a, a * a))(x)[1], X),
    "vectorize, otypes": (lambda np, x: np.vectorize(lambda a: a * a, otypes=[complex])(x), X),
    "vectorize, excluded": (lambda np, x: np.vectorize(lambda c, v: c[0] * v + c[1], excluded=[0])(x, [1.0, 2.0]), X),
    "vectorize, keywords": (lambda np, x: np.vectorize(lambda a, b=1.0: a * b)(x, b=x[::-1]), X),
    "vectorize, signature": (lambda np, x: np.vectorize(lambda a, b: a @ b, signature="(n),(n)->()")(M, x), X),
    "vectorize, matrix result": (lambda np, x: np.vectorize(lambda a: a[:, None] * a, signature="(n)->(n,n)")(x), M),
    "apply_along_axis": (lambda np, x: np.apply_along_axis(lambda r: r @ x, 1, M), X),
    "apply_along_axis, traced": (lambda np, x: np.apply_along_axis(lambda r: r[::-1] * 2, 0, x), M),
    "sum of a list": (lambda np, x: np.sum([x[0] ** 2, x[1], 3.0]), X),
    "mean of a generator's list": (lambda np, x: np.mean([v * v for v in x]), X),
    "max of a list": (lambda np, x: np.max([x[0], x[1]]), X),
    "dot of lists": (lambda np, x: np.dot([x[0], x[1]], [1.0, 2.0]), X),
    "norm of a list": (lambda np, x: np.linalg.norm([x[0], x[1]]), X),
    "solve of lists": (lambda np, x: np.linalg.solve([[x[0], 1.0], [0.0, x[2]]], [1.0, x[1]]), X),
    "fft of a list": (lambda np, x: np.fft.fft([x[0], x[1], 2.0]), X),
    "interp of a list": (lambda np, x: np.interp([0.4, 1.1], [0, 1, 2], [x[0], x[1], x[2]]), X),
    "sort of a list": (lambda np, x: np.sort([x[0], x[1], 0.1]), X),
    "block": (lambda np, x: np.block([[x[None], np.ones((1, 1))], [np.zeros((1, 4))]]), X),
    "broadcast": (lambda np, x: np.array([a * b for a, b in np.broadcast(x, M)]), X),
    "ndenumerate": (lambda np, x: np.array([v * (i + j) for (i, j), v in np.ndenumerate(x)]), M),
}


def _set(y: Any, index: Any, value: Any) -> Any:
    y[index] = value
    return y


@pytest.mark.parametrize("name", CASES)
def test_means_what_numpy_means_and_is_differentiated(name: str) -> None:
    fun, *arrays = CASES[name]
    want = fun(np, *arrays)
    got = fun(cnp, *arrays)
    assert type(got) is type(want)  # plain outside of transforms
    assert_same_as_numpy(got, want)
    assert_same_as_numpy(covector.vjp(lambda *xs: fun(cnp, *xs), *arrays)[0], want)
    check(lambda *xs: fun(cnp, *xs), *arrays)


def test_every_public_name_of_numpy_is_there() -> None:
    public = [name for name in dir(np) if not name.startswith("_")]
    missing = [name for name in public if not hasattr(cnp, name)]
    assert not missing and len(public) > 400
    assert set(public) <= set(dir(cnp)) and set(np.__all__) <= set(cnp.__all__)
    for module in ("linalg", "fft", "random", "testing", "polynomial"):
        theirs, ours = getattr(np, module), getattr(cnp, module)
        assert ours.__name__ == f"covector.numpy.{module}"
        assert not [name for name in theirs.__all__ if not hasattr(ours, name)]
    with pytest.raises(AttributeError, match="covector"):
        cnp.no_such_function
    with pytest.raises(AttributeError, match="covector"):
        cnp.linalg.no_such_function


def test_ufuncs_dtypes_and_classes_are_those_of_numpy() -> None:
    for name in ("sin", "add", "float64", "ndarray", "int8", "pi", "newaxis", "errstate", "ndindex", "s_", "dtype"):
        assert getattr(cnp, name) is getattr(np, name)
    assert issubclass(cnp.vectorize, np.vectorize) and issubclass(cnp.ndenumerate, np.ndenumerate)


@pytest.mark.parametrize("name", ["sum", "zeros", "linalg.norm", "array", "fft.fft", "sort", "piecewise"])
def test_functions_pickle(name: str) -> None:
    function: Any = cnp
    for part in name.split("."):
        function = getattr(function, part)
    assert pickle.loads(pickle.dumps(function)) is function


def test_results_are_plain_arrays_outside_of_transforms() -> None:
    made = [cnp.zeros(2), cnp.array([1.0]), cnp.arange(3), cnp.full(2, 1.0), cnp.r_[1, 2], cnp.linspace(0, 1, 3)]
    made += [cnp.asarray([1]), cnp.eye(2), cnp.mgrid[0:2], cnp.fromiter([1.0], float), cnp.copy([1.0])]
    assert all(type(x) is np.ndarray for x in made)
    x = np.ones(2)
    assert cnp.asarray(x) is x and cnp.asanyarray(x) is x and cnp.array(x) is not x


def test_import_is_lazy() -> None:
    program = "import sys, covector; assert 'covector.numpy' not in sys.modules; covector.numpy.zeros(1)"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)})


# --- copies and identity ----------------------------------------------------------------------------------------------


def test_asarray_inside_a_transform_returns_what_need_not_change() -> None:
    def fun(t: Any) -> Any:
        assert cnp.asarray(t) is t and cnp.asarray(t, dtype=float) is t and cnp.asarray(t, copy=False) is t
        with pytest.raises(ValueError, match="copy"):
            cnp.asarray(t, dtype=np.float32, copy=False)
        with pytest.raises(ValueError, match="copy"):
            cnp.asarray([t[0]], copy=False)
        with pytest.raises(ValueError, match="cpu"):
            cnp.asarray(t, device="gpu")
        copied = cnp.array(t)
        copied[0] = 0.0
        return cnp.sum(t) + cnp.sum(copied**2)

    assert covector.grad(fun)(np.array([3.0, 4.0])).tolist() == [1.0, 9.0]


PICKS: dict[str, Any] = {
    "asarray": lambda np, a, i: np.asarray(a)[i],
    "asarray, more indices": lambda np, a, i: np.asarray(a)[1:, i],
    "asanyarray": lambda np, a, i: np.asanyarray(a)[i] ** 2,
    "array": lambda np, a, i: np.array(a)[i],
    "array of a list": lambda np, a, i: np.array([1.0, 2.0, 3.0])[i],
    "take": lambda np, a, i: np.take(a, i),
    "take, axis": lambda np, a, i: np.take(a, i, axis=1),
    "take of a list": lambda np, a, i: np.take([1.0, 2.0, 3.0], i),
    "take by a list": lambda np, a, i: np.take(a, [i, 0], axis=0),
    "integers": lambda np, a, i: np.asarray(a.astype(int))[i],
    "twice": lambda np, a, i: np.asarray(a)[np.asarray([2, 0, 1])[i]],
}


@pytest.mark.parametrize("name", PICKS)
def test_batched_integers_pick_from_plain_arrays(name: str) -> None:
    fun = PICKS[name]
    a = np.arange(9.0).reshape(3, 3)
    lanes = np.array([2, 0, 1, 2])
    got = covector.vmap(lambda i: fun(cnp, a, i))(lanes)
    assert_same_as_numpy(got, np.stack([fun(np, a, i) for i in lanes]))
    slopes = covector.vmap(covector.grad(lambda t, i: cnp.sum(fun(cnp, a, i) * t)), in_axes=(None, 0))(1.5, lanes)
    np.testing.assert_allclose(slopes, [np.sum(fun(np, a, i)) for i in lanes])


def test_asarray_of_a_plain_array_is_read_only_inside_a_transform() -> None:
    plain = np.ones((2, 3))

    def fun(t: Any) -> Any:
        a = cnp.asarray(plain)
        assert cnp.asarray(a) is a and np.asarray(a).tolist() == plain.tolist()
        for value in (t, 5.0):
            with pytest.raises(ValueError, match="read-only"):
                a[0] = value
        with pytest.raises(ValueError, match="read-only"):
            a[0][1] = t
        b = a.copy()
        b[0] = t
        return cnp.sum(a @ b.T)

    assert covector.grad(fun)(3.0) == 6.0
    assert plain.tolist() == np.ones((2, 3)).tolist()
    assert cnp.asarray(plain) is plain


def test_the_callers_arrays_do_not_change() -> None:
    source = np.array([1.0, 2.0])

    def fun(t: Any) -> Any:
        y = cnp.array(source)
        y[0] = t
        z = cnp.copy(source)
        z[1] = t * t
        return cnp.sum(y * z)

    assert covector.grad(fun)(3.0) == 1.0 + 2.0 * 6.0
    assert source.tolist() == [1.0, 2.0]


def test_contiguous_copies_are_separate_where_numpy_makes_one() -> None:
    def fun(np: Any, x: Any) -> Any:
        y = np.array(x)
        rows, columns = np.ascontiguousarray(y.T), np.ascontiguousarray(y)
        rows[0] = 5.0
        columns[0, 1] = 7.0
        return np.stack([y, rows.T, columns])

    assert_same_as_numpy(covector.vjp(lambda x: fun(cnp, x), M)[0], fun(np, M))


# --- questions --------------------------------------------------------------------------------------------------------


def test_questions_about_lists_of_traced_values() -> None:
    def fun(t: Any) -> Any:
        assert cnp.ndim([t, t]) == 1 and cnp.shape([[t], [1.0]]) == (2, 1) and cnp.size([t, 2.0, t]) == 3
        assert cnp.ndim(t) == 0 and cnp.size(M) == 6 and cnp.shape(t) == ()
        assert cnp.isscalar(t) and not cnp.isscalar([t]) and cnp.isscalar(1.0)
        assert not cnp.iscomplexobj([t, t]) and cnp.iscomplexobj(t * 1j) and cnp.isrealobj(t)
        assert cnp.result_type(t, np.float32) == np.float64 and cnp.can_cast(t, np.complex128)
        b = cnp.broadcast(t * np.ones((2, 1)), M)
        assert (b.shape, b.ndim, b.nd, b.size, b.numiter, b.index) == ((2, 3), 2, 2, 6, 2, 0)
        next(b)
        assert b.index == 1
        b.reset()
        assert b.index == 0 and len(list(b.iters[0])) == 6
        return t

    covector.grad(fun)(2.0)


def test_finite_elements_are_checked_by_value() -> None:
    assert covector.grad(lambda x: cnp.sum(cnp.asarray_chkfinite([x[0], 1.0]) ** 2))(X).tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(covector.ConcretizationError, match="vmap"):
        covector.vmap(cnp.asarray_chkfinite)(M)


def test_arange_follows_start_and_step() -> None:
    def fun(a: Any, b: Any) -> Any:
        return cnp.arange(a, 2.05, b)

    out, pull = covector.vjp(fun, 0.1, 0.5)
    assert_same_as_numpy(out, np.arange(0.1, 2.05, 0.5))
    assert [float(g) for g in pull(np.ones(4))] == [4.0, 6.0]
    assert covector.grad(lambda t: cnp.sum(cnp.arange(t) * t))(3.0) == 3.0
    assert covector.jvp(lambda t: cnp.arange(0.0, t, dtype=np.float32), (2.5,), (1.0,))[0].dtype == np.float32
    with pytest.raises(covector.ConcretizationError, match=r"np\.arange"):
        covector.vmap(cnp.arange)(np.array([2.0, 3.0]))
    with pytest.raises(TypeError, match="arange"):
        covector.grad(lambda t: cnp.arange(t, 1, 2, 3, 4))(1.0)


# --- what cannot work says so -----------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "lists of unequal length": (
        lambda t: cnp.array([[t, t], [t]]),
        ValueError,
        r"inhomogeneous.*test_namespace\.py:\d+",
    ),
    "objects": (lambda t: cnp.array([t, None], dtype=object), covector.TracerConversionError, "dtype=object"),
    "a string among numbers": (lambda t: cnp.array([t[0], "a"]), covector.TracerConversionError, "strings"),
    "None among numbers": (lambda t: cnp.array([t[0], None]), covector.TracerConversionError, "NoneType"),
    "nditer": (lambda t: cnp.nditer([t]), covector.NotDifferentiableError, "ndenumerate"),
    "matrix": (lambda t: cnp.r_["r", t], ValueError, "matrix"),
    "an unknown directive": (lambda t: cnp.r_["x", t], ValueError, "directive"),
    "piecewise, too few functions": (lambda t: cnp.piecewise(t, [t < 0, t > 0], [1.0]), ValueError, "functions"),
    "vectorize, a wrong signature": (lambda t: cnp.vectorize(abs, signature="(n->()")(t), ValueError, "signature"),
    "vectorize, too few arguments": (
        lambda t: cnp.vectorize(np.add, signature="(),()->()")(t),
        TypeError,
        "wrong number of positional",
    ),
    "vectorize, nothing to call with": (lambda t: cnp.vectorize(abs)(t[:0]), ValueError, "otypes"),
    "fromiter, too short": (lambda t: cnp.fromiter(iter([t[0]]), float, 2), ValueError, "too short"),
    "an infinite element": (lambda t: cnp.asarray_chkfinite(t / 0.0), ValueError, "infs"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    fun, error, message = REFUSED[name]
    with np.errstate(all="ignore"), pytest.raises(error, match=message):
        covector.vjp(fun, X)


def test_vectorize_as_decorator() -> None:
    @cnp.vectorize(otypes=[float])
    def step(a: Any, b: Any) -> Any:
        return a * b if b > 0 else a

    assert covector.grad(lambda x: cnp.sum(step(x, X)))(X).tolist() == [0.5, 1.0, 2.0]
    assert step(X, X).tolist() == [0.25, -1.2, 4.0]
    empty = covector.vjp(lambda x: step(x[:0], X[:0]), X)[0]
    assert empty.shape == (0,) and not isinstance(empty, Tracer)


@pytest.mark.parametrize("documented", [cnp, cnp.array_api], ids=["namespace", "array_api"])
def test_examples_run(documented: Any) -> None:
    examples = doctest.DocTestParser().get_doctest(documented.__doc__, {}, documented.__name__, None, 0)
    assert examples.examples
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(examples).failed == 0


def test_own_functions_keep_the_documentation_of_numpy() -> None:
    for name in ("array", "asarray", "arange", "piecewise", "sort", "ndim"):
        text = getattr(cnp, name).__doc__
        assert text.index("NumPy's documentation") < text.index(getattr(np, name).__doc__)
