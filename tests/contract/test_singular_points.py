"""The table of conventions at singular points: each row in both modes, alone and batched.

A case is (function, point, Jacobian). Functions take one float array, return an array or a scalar.
"""

import warnings

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

inf, nan = np.inf, np.nan
Z, O = np.zeros, np.ones

ROWS = {
    # abs, sign: 0
    "abs": (np.abs, [0.0], [[0.0]]),
    "abs among others": (np.abs, [-2.0, 0.0, 3.0], np.diag([-1.0, 0.0, 1.0])),
    "absolute of -0.0": (np.absolute, [-0.0], [[0.0]]),
    "builtin abs": (abs, [0.0], [[0.0]]),
    "fabs": (np.fabs, [0.0], [[0.0]]),
    "sign": (np.sign, [0.0, 2.0], Z((2, 2))),
    # ties are shared evenly
    "maximum tie": (lambda x: np.maximum(x[0], x[1]), [1.0, 1.0], [0.5, 0.5]),
    "minimum tie": (lambda x: np.minimum(x[0], x[1]), [1.0, 1.0], [0.5, 0.5]),
    "fmax tie": (lambda x: np.fmax(x[0], x[1]), [1.0, 1.0], [0.5, 0.5]),
    "fmin tie": (lambda x: np.fmin(x[0], x[1]), [1.0, 1.0], [0.5, 0.5]),
    "maximum with a constant": (lambda x: np.maximum(x, 0.0), [0.0, 1.0, -1.0], np.diag([0.5, 1.0, 0.0])),
    "constant first": (lambda x: np.minimum(0.0, x), [0.0, 1.0, -1.0], np.diag([0.5, 0.0, 1.0])),
    "maximum with itself": (lambda x: np.maximum(x, x), [3.0], [[1.0]]),
    "max of two": (np.max, [1.0, 1.0, 0.0], [0.5, 0.5, 0.0]),
    "max of three": (np.max, [2.0, 2.0, 2.0], [1 / 3, 1 / 3, 1 / 3]),
    "min": (np.min, [1.0, 1.0, 2.0, 1.0], [1 / 3, 1 / 3, 0.0, 1 / 3]),
    "max along an axis": (
        lambda x: np.max(x.reshape(2, 2), axis=1),
        [1.0, 1.0, 3.0, 2.0],
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
    ),
    "method max": (lambda x: x.max(), [1.0, 1.0], [0.5, 0.5]),
    "maximum.reduce": (lambda x: np.maximum.reduce(x), [1.0, 1.0, 0.0], [0.5, 0.5, 0.0]),
    "fmax ignores NaN": (lambda x: np.fmax(x[0], x[1]), [nan, 1.0], [0.0, 1.0]),
    "fmin ignores NaN": (lambda x: np.fmin(x[0], x[1]), [1.0, nan], [1.0, 0.0]),
    # clip: 1 on the closed interval
    "clip": (lambda x: np.clip(x, 0.0, 1.0), [0.0, 1.0, 0.5, -0.1, 1.1], np.diag([1.0, 1.0, 1.0, 0.0, 0.0])),
    "clip below": (lambda x: np.clip(x, 0.0, None), [0.0, -1.0, 2.0], np.diag([1.0, 0.0, 1.0])),
    "clip above": (lambda x: x.clip(None, 1.0), [1.0, 2.0], np.diag([1.0, 0.0])),
    # order: the element taken, stable
    "sort": (np.sort, [1.0, 1.0, 0.0], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "stable sort": (lambda x: np.sort(x, kind="stable"), [2.0, 1.0, 2.0, 1.0], np.eye(4)[[1, 3, 0, 2]]),
    "by argmax": (lambda x: x[np.argmax(x)], [0.0, 3.0, 3.0], [0.0, 1.0, 0.0]),
    "by argmin": (lambda x: x[np.argmin(x)], [0.0, 3.0, 0.0], [1.0, 0.0, 0.0]),
    "by argsort": (lambda x: x[np.argsort(x, kind="stable")], [1.0, 1.0, 0.0], np.eye(3)[[2, 0, 1]]),
    # unbounded partials
    "sqrt": (np.sqrt, [0.0, 4.0], np.diag([inf, 0.25])),
    "cbrt": (np.cbrt, [0.0, 1.0], np.diag([inf, 1 / 3])),
    "log": (np.log, [0.0, 2.0], np.diag([inf, 0.5])),
    "log2": (np.log2, [0.0], [[inf]]),
    "log1p": (np.log1p, [-1.0], [[inf]]),
    "reciprocal": (lambda x: 1 / x, [0.0, 2.0], np.diag([-inf, -0.25])),
    "np.reciprocal": (np.reciprocal, [0.0], [[-inf]]),
    "power 0.5": (lambda x: x**0.5, [0.0, 4.0], np.diag([inf, 0.25])),
    "power 0.3": (lambda x: x**0.3, [0.0], [[inf]]),
    "power -1": (lambda x: x**-1.0, [0.0], [[-inf]]),
    "arcsin": (np.arcsin, [1.0, -1.0], np.diag([inf, inf])),
    "arccos": (np.arccos, [1.0], [[-inf]]),
    "arccosh": (np.arccosh, [1.0], [[inf]]),
    "arctanh": (np.arctanh, [1.0], [[inf]]),
    # norms and angles: 0
    "norm": (np.linalg.norm, [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    "norm ord 2": (lambda x: np.linalg.norm(x, 2), [0.0, 0.0], [0.0, 0.0]),
    "norm ord 1": (lambda x: np.linalg.norm(x, 1), [0.0, 2.0], [0.0, 1.0]),
    "norm ord 3": (lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [0.0, 0.0]),
    "norm along an axis": (
        lambda x: np.linalg.norm(x.reshape(2, 2), axis=1),
        [0.0, 0.0, 3.0, 4.0],
        [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.6, 0.8]],
    ),
    "Frobenius norm": (lambda x: np.linalg.norm(x.reshape(2, 2)), Z(4), Z(4)),
    "hypot": (lambda x: np.hypot(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
    "std": (np.std, [2.0, 2.0, 2.0], [0.0, 0.0, 0.0]),
    "std ddof": (lambda x: np.std(x, ddof=1), [2.0, 2.0], [0.0, 0.0]),
    "std along an axis": (lambda x: np.std(x.reshape(2, 2), axis=1), [1.0, 1.0, 5.0, 5.0], Z((2, 4))),
    "arctan2": (lambda x: np.arctan2(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
    # powers
    "x**y at (0, 0)": (lambda x: x[0] ** x[1], [0.0, 0.0], [0.0, 0.0]),
    "np.power at (0, 0)": (lambda x: np.power(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
    "x**2": (lambda x: x**2, [0.0, -1.5], np.diag([0.0, -3.0])),
    "x**1": (lambda x: x**1, [0.0, -1.5], np.diag([1.0, 1.0])),
    "x**0": (lambda x: x**0, [0.0, -1.5], np.diag([0.0, 0.0])),
    "x**3 of a negative": (lambda x: x**3, [-2.0], [[12.0]]),
    "x**-2 of a negative": (lambda x: x**-2, [-2.0], [[0.25]]),
    "float exponent 2.0": (lambda x: x**2.0, [0.0, -1.5], np.diag([0.0, -3.0])),
    "integer array exponent": (lambda x: x ** np.array([1, 2, 3]), [0.0, 0.0, -2.0], np.diag([1.0, 0.0, 12.0])),
    # the untaken side
    "where log": (lambda x: np.where(x > 0, np.log(x), 0.0), [0.0, -1.0, 2.0], np.diag([0.0, 0.0, 0.5])),
    "where sqrt": (lambda x: np.where(x > 0, np.sqrt(x), x), [0.0, -1.0, 4.0], np.diag([1.0, 1.0, 0.25])),
    "where division": (lambda x: np.where(x != 0, np.sin(x) / x, 1.0), [0.0], [[0.0]]),
    "where deep": (lambda x: np.where(x > 0, np.exp(np.log(np.sqrt(x))), 0.0), [0.0, -1.0], Z((2, 2))),
    "where on the other side": (lambda x: np.where(x <= 0, 2 * x, 1 / x), [0.0], [[2.0]]),
    "select": (
        lambda x: np.select([x > 1, x > 0], [np.sqrt(x - 1), np.log(x)], default=3 * x),
        [0.0, -1.0, 0.5, 5.0],
        np.diag([3.0, 3.0, 2.0, 0.25]),
    ),
    # logsumexp of nothing, xlogy
    "logaddexp of -inf": (lambda x: np.logaddexp(x[0], x[1]), [-inf, -inf], [0.0, 0.0]),
    "logaddexp2 of -inf": (lambda x: np.logaddexp2(x[0], x[1]), [-inf, -inf], [0.0, 0.0]),
    "logaddexp.reduce": (lambda x: np.logaddexp.reduce(x), [-inf, -inf, -inf], [0.0, 0.0, 0.0]),
    "logaddexp of one -inf": (lambda x: np.logaddexp(x[0], x[1]), [-inf, 1.0], [0.0, 1.0]),
    "xlogy": (lambda x: scipy.special.xlogy(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
    # products with zeros
    "prod one zero": (np.prod, [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
    "prod two zeros": (np.prod, [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
    "prod along an axis": (
        lambda x: np.prod(x.reshape(2, 2), axis=0),
        [0.0, 2.0, 5.0, 0.0],
        [[5.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]],
    ),
    "multiply.reduce": (lambda x: np.multiply.reduce(x), [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
    "cumprod": (np.cumprod, [2.0, 0.0, 3.0], [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 6.0, 0.0]]),
    "cumprod leading zero": (np.cumprod, [0.0, 2.0, 3.0], [[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [6.0, 0.0, 0.0]]),
}


@pytest.fixture(params=sorted(ROWS))
def row(request):
    f, point, jacobian = ROWS[request.param]
    return f, np.array(point), np.array(jacobian, float)


@pytest.fixture(autouse=True)
def quiet():
    """NumPy reports log(0) and its like when the function itself is evaluated there; that is not under test."""
    with np.errstate(all="ignore"):
        yield


both = pytest.mark.parametrize("jac", [cv.jacrev, cv.jacfwd], ids=["jacrev", "jacfwd"])


@both
def test_convention(row, jac):
    f, x, expected = row
    got = jac(f)(x)
    assert got.dtype == np.float64
    assert_allclose(got, expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_convention_row_by_row(row, mode):
    """The same without a batch of (co)tangents: single pullbacks and single pushes."""
    f, x, expected = row
    if mode == "jvp":
        columns = [cv.jvp(f, (x,), (unit,))[1] for unit in np.eye(x.size)]
        got = np.stack(columns, axis=-1)
    else:
        out, vjp_fn = cv.vjp(f, x)
        units = np.eye(np.size(out)).reshape((np.size(out), *np.shape(out)))
        got = np.stack([vjp_fn(unit)[0] for unit in units]).reshape(np.shape(out) + x.shape)
    assert_allclose(got, expected, rtol=1e-13, atol=0)


@both
def test_convention_batched(row, jac):
    """The singular point as one lane among ordinary ones."""
    f, x, expected = row
    ordinary = np.linspace(0.3, 0.9, x.size)
    got = cv.vmap(jac(f))(np.stack([ordinary, x, ordinary]))
    assert_allclose(got[1], expected, rtol=1e-13, atol=0)
    assert_allclose(got[0], jac(f)(ordinary), rtol=1e-13, atol=1e-15)
    assert_allclose(got[2], got[0], rtol=0)


@both
def test_convention_in_single_precision(row, jac):
    f, x, expected = row
    got = jac(f)(x.astype(np.float32))
    assert got.dtype == np.result_type(f(x.astype(np.float32)), np.float32)
    assert_allclose(got, expected, rtol=1e-5, atol=0)


UNBOUNDED = [
    "sqrt",
    "cbrt",
    "log",
    "log2",
    "log1p",
    "reciprocal",
    "np.reciprocal",
    "power 0.5",
    "power 0.3",
    "power -1",
    "arcsin",
    "arccos",
    "arccosh",
    "arctanh",
]


@pytest.mark.parametrize("name", UNBOUNDED)
def test_zero_tangent_and_cotangent_stay_zero_where_the_partial_is_infinite(name):
    f, x = ROWS[name][0], np.array(ROWS[name][1])
    assert_array_equal(cv.vjp(f, x)[1](np.zeros_like(x))[0], np.zeros_like(x))
    assert_array_equal(cv.jvp(f, (x,), (np.zeros_like(x),))[1], np.zeros_like(x))
    assert_array_equal(cv.vmap(lambda x: cv.jvp(f, (x,), (0 * x,))[1])(x), np.zeros_like(x))


@pytest.mark.parametrize("derivative", [cv.grad, cv.jacfwd], ids=["grad", "jacfwd"])
@pytest.mark.parametrize("name", UNBOUNDED)
def test_python_floats_give_inf_like_arrays_and_do_not_raise(name, derivative):
    f, point, jacobian = ROWS[name]
    for x, expected in zip(point, np.diag(jacobian), strict=True):
        assert_allclose(derivative(f)(float(x)), expected, rtol=1e-13)


@pytest.mark.parametrize("zero", [0, 0.0, np.float64(0)], ids=["int", "float", "float64"])
def test_division_by_a_constant_zero_gives_inf_and_does_not_raise(zero):
    for derivative in (cv.grad, cv.jacfwd):
        assert derivative(lambda x: x / zero)(1.0) == inf
        assert derivative(lambda x: zero / x)(2.0) == 0


@pytest.mark.parametrize("f", [lambda x: x[0] / x[1], lambda x: np.true_divide(x[0], x[1])])
def test_division_by_zero(f):
    x = np.array([2.0, 0.0])
    assert_array_equal(cv.jacrev(f)(x), [inf, -inf])
    assert_array_equal(cv.jacfwd(f)(x), [inf, -inf])
    assert cv.jvp(f, (x,), (np.zeros(2),))[1] == 0


def test_compositions_follow_ieee_from_there():
    def f(x):
        return np.sqrt(x**2)

    _, tangent = cv.jvp(f, (0.0,), (1.0,))
    assert tangent == 0  # the tangent of x² is 0, and 0 stays 0
    assert np.isnan(cv.grad(f)(0.0))  # ∞ · 0: an infinite cotangent meets the factor 2x = 0
    assert cv.grad(lambda x: np.sqrt(x) * 1.0)(0.0) == inf


# --- median, partition: some element taken ----------------------------------------------------------------------------

TAKEN = {
    "median odd": (np.median, [1.0, 1.0, 2.0], 1),
    "median even": (np.median, [1.0, 1.0, 1.0, 1.0], 2),
    "median of a tie in the middle": (np.median, [0.0, 3.0, 3.0, 9.0], 2),
    "partition": (lambda x: np.partition(x, 1)[1], [1.0, 1.0, 2.0], 1),
    "quantile": (lambda x: np.quantile(x, 0.5), [1.0, 1.0, 2.0], 1),
}


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_order_statistics_follow_the_elements_taken(name):
    f, point, taken = TAKEN[name]
    x = np.array(point)
    rev, fwd = cv.jacrev(f)(x), cv.jacfwd(f)(x)
    assert_array_equal(rev, fwd)
    assert_array_equal(cv.vmap(cv.jacrev(f))(np.stack([x, x]))[1], rev)
    assert np.count_nonzero(rev) == taken and rev.sum() == 1
    assert_allclose(rev @ x, f(x), rtol=1e-15)


# --- complex zero -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [lambda z: np.abs(z).sum(), np.linalg.norm, lambda z: np.angle(z).sum()])
def test_complex_zero(f):
    z = np.zeros(2, complex)
    assert_array_equal(cv.grad(f)(z), np.zeros(2))
    assert cv.jvp(f, (z,), (np.array([1.0, 1j]),))[1] == 0


# --- warnings ---------------------------------------------------------------------------------------------------------


def floating_point_warnings(run):
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn"):
        warnings.simplefilter("always")
        run()
    return [str(w.message) for w in caught if issubclass(w.category, RuntimeWarning)]


@pytest.mark.parametrize("transform", ["vjp", "jvp", "jacrev", "jacfwd"])
def test_derivatives_do_not_warn_where_the_function_does_not(row, transform):
    """A derivative of ±inf is an answer, not an accident; NumPy's own warnings about values remain."""
    f, x, _ = row
    if floating_point_warnings(lambda: f(x)):
        pytest.skip("NumPy itself warns here")
    runs = {
        "vjp": lambda: cv.vjp(f, x)[1](np.ones_like(f(x))),
        "jvp": lambda: cv.jvp(f, (x,), (np.ones_like(x),)),
        "jacrev": lambda: cv.jacrev(f)(x),
        "jacfwd": lambda: cv.jacfwd(f)(x),
    }
    assert floating_point_warnings(runs[transform]) == []
