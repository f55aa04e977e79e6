"""jax.vjp, statement by statement and in its order, for NumPy arrays and `covector.vjp`."""

import collections

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_grad_is_a_special_case(rng):
    """jax.vjp: `grad` of a scalar function is the pullback of 1."""
    x = rng.normal(size=4)

    def f(x):
        return np.log(np.sum(np.exp(x)))

    out, vjp_fn = cv.vjp(f, x)
    assert_array_equal(cv.grad(f)(x), vjp_fn(np.ones_like(out))[0])
    assert_allclose(cv.grad(f)(x), np.exp(x) / np.exp(x).sum(), rtol=1e-14)


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "primal",
    [
        2.0,
        np.float64(2.0),
        np.array(2.0),
        (2.0, np.ones(3)),
        [np.ones(2), np.ones((2, 2))],
        {"b": np.ones(2), "a": 3.0},
        Point(1.0, np.arange(3.0)),
        collections.OrderedDict(z=1.0, a=np.ones(2)),
        {"deep": [(1.0, {"er": np.ones(2)})]},
    ],
    ids=["float", "np.float64", "0-d", "tuple", "list", "dict", "namedtuple", "OrderedDict", "nested"],
)
def test_arguments_are_arrays_scalars_or_containers_of_them(primal):
    """jax.vjp: arguments and results may be arrays, scalars, or standard containers of these, nested."""

    def square(tree):
        return cv.tree.map(lambda leaf: leaf**2, tree)

    out, vjp_fn = cv.vjp(square, primal)
    assert cv.tree.structure(out) == cv.tree.structure(primal)
    (bar,) = vjp_fn(cv.tree.map(np.ones_like, out))
    assert cv.tree.structure(bar) == cv.tree.structure(primal)
    for got, leaf in zip(cv.tree.leaves(bar), cv.tree.leaves(primal), strict=True):
        assert_allclose(got, 2 * np.asarray(leaf), rtol=1e-15)


def test_as_many_primals_as_positional_parameters(rng):
    """jax.vjp: the number of primals equals the number of positional parameters; otherwise Python's TypeError."""
    with pytest.raises(TypeError):
        cv.vjp(lambda x, y: x * y, rng.normal(size=3))


def test_has_aux(rng):
    """jax.vjp: with `has_aux` the function returns a pair; only its first element is differentiated."""
    x = rng.normal(size=3)
    out, vjp_fn, aux = cv.vjp(lambda x: (x**2, [x, 7]), x, has_aux=True)
    assert_array_equal(out, x**2)
    assert_array_equal(aux[0], x)
    assert aux[1] == 7
    assert_array_equal(vjp_fn(np.ones(3))[0], 2 * x)


def pull_back(w, x, reduce_axes):
    _, vjp_fn = cv.vjp(lambda w: np.sum(w * x), w, reduce_axes=reduce_axes)
    return vjp_fn(1.0)[0]


def test_reduce_axes_sums_over_the_batch(rng):
    """jax.vjp: for an axis listed in `reduce_axes` the cotangent of an implicitly broadcast value is summed over it."""
    w, xs = rng.normal(size=3), rng.normal(size=(5, 3))
    per_lane = cv.vmap(lambda w, x: pull_back(w, x, ("batch",)), in_axes=(None, 0), axis_name="batch")(w, xs)
    assert per_lane.shape == (5, 3)
    for lane in per_lane:
        assert_allclose(lane, xs.sum(0), rtol=1e-13)


def test_without_reduce_axes_per_example(rng):
    """jax.vjp: without `reduce_axes` the result is per example over named axes."""
    w, xs = rng.normal(size=3), rng.normal(size=(5, 3))
    per_lane = cv.vmap(lambda w, x: pull_back(w, x, ()), in_axes=(None, 0), axis_name="batch")(w, xs)
    assert_allclose(per_lane, xs, rtol=1e-15)


def test_without_has_aux_a_pair(rng):
    """jax.vjp: a pair (primals_out, vjpfun), where primals_out is what the function returns."""
    x = rng.normal(size=3)
    result = cv.vjp(np.sin, x)
    assert isinstance(result, tuple) and len(result) == 2
    assert_array_equal(result[0], np.sin(x))


def test_cotangents_have_the_shapes_of_outputs_and_primals(rng):
    """jax.vjp: vjpfun maps one cotangent shaped like the output to a tuple of cotangents shaped like the primals."""
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 4))
    out, vjp_fn = cv.vjp(np.matmul, a, b)
    bars = vjp_fn(np.ones(out.shape))
    assert type(bars) is tuple
    assert [bar.shape for bar in bars] == [(2, 3), (3, 4)]
    with pytest.raises(ValueError):
        vjp_fn(np.ones((4, 2)))


def test_example():
    """jax.vjp, the example: two scalar primals, a pair of outputs, and the cotangents (-0.7, 0.3).

    JAX prints float32 numbers; NumPy's floats are float64, so the check is against -0.7 cos 0.5 and -0.3 sin 1.
    """

    def f(x, y):
        return np.sin(x), np.cos(y)

    primals, f_vjp = cv.vjp(f, 0.5, 1.0)
    xbar, ybar = f_vjp((-0.7, 0.3))
    assert_allclose(primals, (np.sin(0.5), np.cos(1.0)), rtol=1e-15)
    assert_allclose(xbar, -0.7 * np.cos(0.5), rtol=1e-15)
    assert_allclose(ybar, -0.3 * np.sin(1.0), rtol=1e-15)
    assert type(xbar) is np.float64 and type(ybar) is np.float64
    assert f"{xbar:.7f}" == "-0.6143078"
    assert f"{ybar:.7f}" == "-0.2524413"
