"""`vjp`: cotangents and their checks, aux, `reduce_axes`, pickling, repeated calls."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

X = np.array([0.3, -1.2, 2.0])


def polynomial(x):
    return x**3 - 2 * x


def module_level(x, w):
    return np.tanh(w @ x)


class Undefined:
    """Something that is certainly no array."""


# --- cotangents -------------------------------------------------------------------------------------------------------


def test_each_cotangent_has_its_primals_tree_shape_and_dtype():
    primals = ({"w": np.ones((2, 3), np.float32)}, [np.ones(3), 2.0], np.ones(()))
    _, vjp_fn = cv.vjp(lambda p, q, r: (p["w"] @ q[0]) * q[1] * r, *primals)
    bars = vjp_fn(np.ones(2))
    assert type(bars) is tuple
    assert cv.tree.structure(bars) == cv.tree.structure(primals)
    for bar, primal in zip(cv.tree.leaves(bars), cv.tree.leaves(primals)):
        assert np.shape(bar) == np.shape(primal)
        assert np.asarray(bar).dtype == np.asarray(primal).dtype


def test_one_argument_in_the_outputs_structure():
    _, vjp_fn = cv.vjp(lambda x: (x, 2 * x), X)
    assert_array_equal(vjp_fn((np.ones(3), np.ones(3)))[0], np.full(3, 3.0))
    with pytest.raises(TypeError):
        vjp_fn(np.ones(3), np.ones(3))


@pytest.mark.parametrize("unit", [1, 1.0, np.float64(1), np.array(1.0)])
def test_scalar_output_accepts_a_python_scalar(unit):
    _, vjp_fn = cv.vjp(lambda x: x @ x, X)
    assert_array_equal(vjp_fn(unit)[0], 2 * X)


def test_python_scalar_cotangent_takes_the_outputs_dtype():
    x = X.astype(np.float32)
    _, vjp_fn = cv.vjp(lambda x: np.sum(x * x), x)
    (bar,) = vjp_fn(0.5)
    assert bar.dtype == np.float32
    assert_array_equal(bar, x)


def test_complex_scalar_output_accepts_a_python_complex():
    _, vjp_fn = cv.vjp(lambda z: np.sum(z * z), np.array([1 + 1j, 2.0]))
    assert_array_equal(vjp_fn(1j)[0], 2j * np.array([1 + 1j, 2.0]))


@pytest.mark.parametrize(
    ("out", "ct"),
    [
        (lambda x: (x, x), [X, X]),
        (lambda x: (x, x), (X,)),
        (lambda x: (x, x), X),
        (lambda x: x, (X,)),
        (lambda x: {"a": x}, {"b": X}),
        (lambda x: {"a": x, "b": x}, {"a": X}),
        (lambda x: {"a": x}, None),
        (lambda x: (x, None), (X, X)),
        (lambda x: (x, np.argmax(x)), (X, 1.0)),
        (lambda x: x, Undefined()),
    ],
)
def test_cotangent_of_the_wrong_tree_shows_both(out, ct):
    _, vjp_fn = cv.vjp(out, X)
    with pytest.raises(ValueError) as info:
        vjp_fn(ct)
    message = str(info.value).lower()
    assert "expected" in message and ("given" in message or "got" in message)


@pytest.mark.parametrize(
    ("out", "ct", "words"),
    [
        (lambda x: x, np.ones(2), ["(3,)", "(2,)"]),
        (lambda x: x, np.ones((3, 1)), ["(3,)", "(3, 1)"]),
        (lambda x: x, 1.0, ["3", "float"]),
        (lambda x: x.sum(), np.ones(1), ["()", "(1,)"]),
        (lambda x: x, np.ones(3, np.float32), ["float64", "float32"]),
        (lambda x: x, np.ones(3, int), ["float64", "int"]),
        (lambda x: x, np.ones(3, complex), ["float64", "complex128"]),
        (lambda x: {"first": x, "second": x}, {"first": X, "second": np.ones(4)}, ["second", "(3,)", "(4,)"]),
    ],
)
def test_cotangent_of_the_wrong_shape_or_dtype_shows_both(out, ct, words):
    _, vjp_fn = cv.vjp(out, X)
    with pytest.raises(ValueError) as info:
        vjp_fn(ct)
    for word in words:
        assert word in str(info.value)


def test_complex_python_scalar_for_a_real_output_is_refused():
    _, vjp_fn = cv.vjp(lambda x: x.sum(), X)
    with pytest.raises(ValueError):
        vjp_fn(1j)


def test_vjp_fn_works_after_a_refused_cotangent():
    _, vjp_fn = cv.vjp(np.sin, X)
    with pytest.raises(ValueError):
        vjp_fn(np.ones(2))
    assert_allclose(vjp_fn(np.ones(3))[0], np.cos(X), rtol=1e-15)


# --- keyword arguments, unused primals --------------------------------------------------------------------------------


def test_keyword_arguments_use_their_defaults_and_are_not_differentiated():
    _, vjp_fn = cv.vjp(lambda x, scale=3.0, *, shift=1.0: x * scale + shift, X)
    bars = vjp_fn(np.ones(3))
    assert len(bars) == 1
    assert_array_equal(bars[0], np.full(3, 3.0))


def test_functions_own_keywords_are_not_taken_for_options_of_vjp():
    with pytest.raises(TypeError):
        cv.vjp(lambda x, scale=3.0: x * scale, X, scale=2.0)


@pytest.mark.parametrize(
    "unused", [np.ones((2, 2), np.float32), 3.0, np.ones(0), {"a": 1.0, "b": [np.ones(2)]}, np.array(1 + 1j)]
)
def test_unused_primals_get_zeros(unused):
    _, vjp_fn = cv.vjp(lambda x, unused: 2 * x, X, unused)
    _, bar = vjp_fn(np.ones(3))
    assert cv.tree.structure(bar) == cv.tree.structure(unused)
    for got, leaf in zip(cv.tree.leaves(bar), cv.tree.leaves(unused)):
        assert np.asarray(got).dtype == np.asarray(leaf).dtype
        assert_array_equal(got, np.zeros_like(leaf))


# --- aux --------------------------------------------------------------------------------------------------------------


def test_aux_is_any_tree_of_anything_with_plain_arrays():
    marker = object()

    def f(x):
        return np.sin(x), {"x2": x * 2, "s": "text", "o": marker, "n": None, "l": [x.sum(), 3, {1, 2}], "f": np.sin}

    _, _, aux = cv.vjp(f, X, has_aux=True)
    assert type(aux["x2"]) is np.ndarray
    assert_array_equal(aux["x2"], 2 * X)
    assert type(aux["l"][0]) is np.float64
    assert aux["s"] == "text" and aux["o"] is marker and aux["n"] is None and aux["f"] is np.sin
    assert aux["l"][1:] == [3, {1, 2}]


def test_aux_inside_an_outer_transform_stays_differentiable_outside():
    def f(x):
        _, _, aux = cv.vjp(lambda y: (y.sum(), x * x), x, has_aux=True)
        return np.sum(aux)

    assert_array_equal(cv.grad(f)(X), 2 * X)


def test_aux_of_the_inner_argument_is_differentiable_for_the_outer_transform():
    def f(x):
        _, _, aux = cv.vjp(lambda y: (y.sum(), y**3), x, has_aux=True)
        return np.sum(aux)

    assert_allclose(cv.grad(f)(X), 3 * X**2, rtol=1e-14)


def test_has_aux_needs_a_pair():
    with pytest.raises((TypeError, ValueError)):
        cv.vjp(lambda x: x.sum(), X, has_aux=True)


# --- reduce_axes ------------------------------------------------------------------------------------------------------

W, XS = np.array([1.0, -2.0]), np.arange(6.0).reshape(3, 2)


def lane_pullback(w, x, reduce_axes):
    _, vjp_fn = cv.vjp(lambda w, x: np.sum(np.sin(w * x)), w, x, reduce_axes=reduce_axes)
    return vjp_fn(1.0)


def mapped_pullback(reduce_axes, out_axes=0):
    run = cv.vmap(
        lambda w, x: lane_pullback(w, x, reduce_axes), in_axes=(None, 0), out_axes=out_axes, axis_name="batch"
    )
    return run(W, XS)


def test_reduce_axes_sums_only_what_is_not_mapped():
    wbar, xbar = mapped_pullback(("batch",))
    assert_allclose(wbar, np.tile((np.cos(W * XS) * XS).sum(0), (3, 1)), rtol=1e-13)
    assert_allclose(xbar, np.cos(W * XS) * W, rtol=1e-13)


def test_reduced_cotangent_is_shared_by_the_lanes():
    wbar, _ = mapped_pullback(("batch",), out_axes=(None, 0))
    assert_allclose(wbar, (np.cos(W * XS) * XS).sum(0), rtol=1e-13)


def test_without_reduce_axes_the_cotangent_is_per_example():
    wbar, xbar = mapped_pullback(())
    assert_allclose(wbar, np.cos(W * XS) * XS, rtol=1e-13)
    assert_allclose(xbar, np.cos(W * XS) * W, rtol=1e-13)


def test_only_the_named_axis_is_reduced():
    xss = np.arange(12.0).reshape(2, 3, 2) / 10

    def run(axes):
        inner = cv.vmap(lambda w, x: lane_pullback(w, x, axes)[0], in_axes=(None, 0), axis_name="i")
        return cv.vmap(inner, in_axes=(None, 0), axis_name="j")(W, xss)

    per_example = np.cos(W * xss) * xss
    assert_allclose(run(("i",)), np.broadcast_to(per_example.sum(1, keepdims=True), (2, 3, 2)), rtol=1e-13)
    assert_allclose(run(("j",)), np.broadcast_to(per_example.sum(0, keepdims=True), (2, 3, 2)), rtol=1e-13)
    assert_allclose(run(("i", "j")), np.broadcast_to(per_example.sum((0, 1)), (2, 3, 2)), rtol=1e-13)


def test_unbound_axis_name_is_a_name_error():
    with pytest.raises(NameError, match="rows"):
        lane_pullback(W, XS[0], ("rows",))
    with pytest.raises(NameError, match="rows"):
        mapped_pullback(("rows",))


# --- vjp_fn is an ordinary function -----------------------------------------------------------------------------------


def test_any_number_of_calls():
    _, vjp_fn = cv.vjp(polynomial, X)
    for k in range(5):
        assert_allclose(vjp_fn(np.full(3, float(k)))[0], k * (3 * X**2 - 2), rtol=1e-14)


def test_called_inside_other_transforms():
    _, vjp_fn = cv.vjp(polynomial, X)
    rows = cv.vmap(vjp_fn)(np.eye(3))[0]
    assert_allclose(rows, np.diag(3 * X**2 - 2), rtol=1e-14)
    assert_allclose(cv.grad(lambda ct: vjp_fn(ct)[0].sum())(X), 3 * X**2 - 2, rtol=1e-14)
    assert_allclose(cv.jvp(vjp_fn, (X,), (np.ones(3),))[1][0], 3 * X**2 - 2, rtol=1e-14)


def test_survives_the_function_and_the_arguments():
    def build():
        a, x = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.1, 0.2])
        return cv.vjp(lambda x: np.exp(a @ x), x)[1], np.exp(a @ x) @ a

    vjp_fn, expected = build()
    assert_allclose(vjp_fn(np.ones(2))[0], expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("fun", "primals"),
    [(np.sin, (X,)), (polynomial, (X,)), (module_level, (X, np.arange(6.0).reshape(2, 3) / 10))],
    ids=["ufunc", "polynomial", "two primals"],
)
def test_pickle_round_trip(fun, primals):
    out, vjp_fn = cv.vjp(fun, *primals)
    again = pickle.loads(pickle.dumps(vjp_fn))
    ct = np.arange(1.0, 1 + out.size)
    for got, expected in zip(again(ct), vjp_fn(ct), strict=True):
        assert_array_equal(got, expected)
    with pytest.raises(ValueError):
        again(np.ones(7))


def test_pickled_vjp_of_a_tree():
    _, vjp_fn = cv.vjp(cv.stop_gradient, {"a": X})
    assert_array_equal(pickle.loads(pickle.dumps(vjp_fn))({"a": X})[0]["a"], np.zeros(3))


def test_subclasses_of_arrays_as_cotangent_and_tangent():
    class Labelled(np.ndarray):
        pass

    x, given = np.array([0.5, 1.0]), np.array([1.0, 2.0])
    labelled = given.view(Labelled)
    for f in (np.sin, lambda x: 2 * x):
        np.testing.assert_allclose(cv.vjp(f, x)[1](labelled)[0], cv.vjp(f, x)[1](given)[0])
        np.testing.assert_allclose(cv.jvp(f, (x,), (labelled,))[1], cv.jvp(f, (x,), (given,))[1])
    masked = np.ma.array(given, mask=[True, False])
    with pytest.raises(TypeError, match="MaskedArray"):
        cv.vjp(np.sin, x)[1](masked)
    with pytest.raises(TypeError, match="MaskedArray"):
        cv.jvp(np.sin, (x,), (masked,))
