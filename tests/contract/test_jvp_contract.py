"""`jvp` and `linearize`: tangents and their checks, `strict`, aux."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

X, T = np.array([0.3, -1.2, 2.0]), np.array([1.0, 0.5, -2.0])


def test_pushes_tangents_forward():
    out, tangent = cv.jvp(lambda x, y: np.sin(x) * y, (X, T), (T, X))
    assert_array_equal(out, np.sin(X) * T)
    assert_allclose(tangent, np.cos(X) * T * T + np.sin(X) * X, rtol=1e-14)


def test_two_lists_work_like_two_tuples():
    assert_array_equal(cv.jvp(np.sin, [X], [T])[1], cv.jvp(np.sin, (X,), (T,))[1])


def test_primals_may_be_trees():
    point, direction = {"a": X, "b": (2.0, None)}, {"a": T, "b": (1.0, None)}
    out, tangent = cv.jvp(lambda p: {"prod": p["a"] * p["b"][0]}, (point,), (direction,))
    assert_array_equal(out["prod"], 2 * X)
    assert_allclose(tangent["prod"], 2 * T + X, rtol=1e-15)


@pytest.mark.parametrize(
    ("primals", "tangents"),
    [
        ((X,), [T]),
        ([X], (T,)),
        ((X,), (T, T)),
        ((X, X), (T,)),
        (({"a": X},), ({"b": T},)),
        (((X, X),), ([T, T],)),
        ((X,), (None,)),
        (({"a": X, "b": X},), ({"a": T},)),
    ],
)
def test_another_tree_is_a_type_error(primals, tangents):
    with pytest.raises(TypeError):
        cv.jvp(lambda *args: 1.0, primals, tangents)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128, int, bool])
def test_another_dtype_is_a_type_error_naming_both(dtype):
    with pytest.raises(TypeError) as info:
        cv.jvp(np.sin, (X,), (T.astype(dtype),))
    assert "float64" in str(info.value) and np.dtype(dtype).name in str(info.value)


@pytest.mark.parametrize("tangent", [np.ones(2), np.ones((3, 1)), np.ones((1, 3)), np.ones(())])
def test_another_shape_is_a_value_error_naming_both(tangent):
    with pytest.raises(ValueError) as info:
        cv.jvp(np.sin, (X,), (tangent,))
    assert "(3,)" in str(info.value) and str(tangent.shape) in str(info.value)


@pytest.mark.parametrize(("primals", "tangents"), [(X, T), (X, (T,)), ((X,), T), (1.0, 1.0)])
def test_a_bare_array_is_a_type_error_that_shows_the_tuple_form(primals, tangents):
    with pytest.raises(TypeError, match=r"\(\w+,\)"):
        cv.jvp(np.sin, primals, tangents)


# --- strict -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.ones(2),
        lambda x: 1.0,
        lambda x: (x, np.ones(2)),
        lambda x: {"used": x, "not": cv.stop_gradient(x)},
    ],
)
def test_strict_refuses_an_output_that_depends_on_no_input(f):
    with pytest.raises(RuntimeError):
        cv.jvp(f, (X,), (T,), strict=True)
    _, tangent = cv.jvp(f, (X,), (T,))
    assert_array_equal(cv.tree.leaves(tangent)[-1], np.zeros_like(cv.tree.leaves(f(X))[-1]))


def test_strict_accepts_an_unused_input():
    _, tangent = cv.jvp(lambda x, y: 2 * x, (X, X), (T, T), strict=True)
    assert_array_equal(tangent, 2 * T)


def test_strict_accepts_a_dependence_whose_derivative_happens_to_be_zero():
    _, tangent = cv.jvp(lambda x: x**2, (np.zeros(2),), (np.ones(2),), strict=True)
    assert_array_equal(tangent, np.zeros(2))


def test_independent_outputs_have_zero_tangents_of_their_shape_and_dtype():
    _, tangent = cv.jvp(lambda x: np.ones((2, 2), np.float32), (X,), (T,))
    assert tangent.dtype == np.float32
    assert_array_equal(tangent, np.zeros((2, 2)))


# --- aux --------------------------------------------------------------------------------------------------------------


def test_aux_comes_out_plain():
    out, tangent, aux = cv.jvp(lambda x: (x * 2, {"x": x, "name": "run"}), (X,), (T,), has_aux=True)
    assert_array_equal(out, 2 * X)
    assert_array_equal(tangent, 2 * T)
    assert type(aux["x"]) is np.ndarray and aux["name"] == "run"


def test_without_has_aux_a_pair_is_two_outputs():
    _, tangent = cv.jvp(lambda x: (x * 2, x * 3), (X,), (T,))
    assert_array_equal(tangent[0], 2 * T)
    assert_array_equal(tangent[1], 3 * T)


# --- linearize --------------------------------------------------------------------------------------------------------


def test_linearize_is_jvp_with_the_tangents_still_open():
    out, push = cv.linearize(lambda x, y: (np.sin(x) * y, x @ y), X, T)
    assert_array_equal(out[0], np.sin(X) * T)
    for tx, ty in [(T, X), (X, X), (np.zeros(3), T)]:
        expected = cv.jvp(lambda x, y: (np.sin(x) * y, x @ y), (X, T), (tx, ty))[1]
        got = push(tx, ty)
        assert_allclose(got[0], expected[0], rtol=1e-14)
        assert_allclose(got[1], expected[1], rtol=1e-14)


def test_linearize_runs_the_function_once():
    calls = []

    def f(x):
        calls.append(1)
        return np.tanh(x) * x

    _, push = cv.linearize(f, X)
    push(T), push(X), cv.vmap(push)(np.eye(3))
    assert len(calls) == 1


def test_linearize_has_aux():
    out, push, aux = cv.linearize(lambda x: (x**2, {"x": x, "k": "v"}), X, has_aux=True)
    assert_array_equal(out, X**2)
    assert_array_equal(push(T), 2 * X * T)
    assert type(aux["x"]) is np.ndarray and aux["k"] == "v"


def test_linearized_map_checks_its_tangents():
    _, push = cv.linearize(np.sin, X)
    with pytest.raises(ValueError):
        push(np.ones(2))
    with pytest.raises(TypeError):
        push(np.ones(3, np.float32))
    with pytest.raises(TypeError):
        push(T, T)


def test_linearized_map_is_differentiable_and_transposable():
    _, push = cv.linearize(np.sin, X)
    assert_allclose(cv.grad(lambda t: push(t) @ T)(X), np.cos(X) * T, rtol=1e-14)
    assert_allclose(cv.linear_transpose(push, X)(T)[0], np.cos(X) * T, rtol=1e-14)


def test_linearize_within_an_outer_transform():
    def f(x):
        _, push = cv.linearize(np.sin, x)
        return push(T).sum()

    assert_allclose(cv.grad(f)(X), -np.sin(X) * T, rtol=1e-14)
    assert_allclose(cv.jvp(f, (X,), (T,))[1], np.sum(-np.sin(X) * T * T), rtol=1e-14)
