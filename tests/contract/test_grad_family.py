"""`grad`, its value-returning forms, `hvp`, `linear_transpose`, `checkpoint`, `eval_shape`, `make_graph`."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

X, Y, T = np.array([0.3, -1.2, 2.0]), np.array([1.0, 0.5, -2.0]), np.array([0.1, 0.2, -0.3])


def weighted(x, y):
    return np.sum(x**2 * y)


# --- grad -------------------------------------------------------------------------------------------------------------


def test_grad_of_the_first_argument_by_default():
    assert_allclose(cv.grad(weighted)(X, Y), 2 * X * Y, rtol=1e-15)


def test_grad_argnums():
    assert_allclose(cv.grad(weighted, 1)(X, Y), X**2, rtol=1e-15)
    g = cv.grad(weighted, argnums=(1, 0))(X, Y)
    assert type(g) is tuple
    assert_allclose(g[0], X**2, rtol=1e-15)
    assert_allclose(g[1], 2 * X * Y, rtol=1e-15)


@pytest.mark.parametrize("transform", [cv.grad, lambda f, argnums: lambda *a: cv.value_and_grad(f, argnums)(*a)[1]])
def test_argnums_tuple_of_one_gives_a_tuple_of_one(transform):
    g = transform(weighted, argnums=(0,))(X, Y)
    assert type(g) is tuple and len(g) == 1


@pytest.mark.parametrize("argnums", [2, (0, 2)])
def test_argnums_beyond_the_arguments_are_refused(argnums):
    with pytest.raises((ValueError, TypeError, IndexError), match=r"argnums|argument"):
        cv.grad(weighted, argnums=argnums)(X, Y)


def test_keyword_arguments_pass_through():
    assert_array_equal(cv.grad(lambda x, *, k: k * x.sum())(X, k=3.0), np.full(3, 3.0))


def test_grad_has_aux():
    g, aux = cv.grad(lambda x: (x @ x, {"x": x, "s": "s"}), has_aux=True)(X)
    assert_array_equal(g, 2 * X)
    assert type(aux["x"]) is np.ndarray and aux["s"] == "s"


def test_grad_does_not_differentiate_aux():
    g, _ = cv.grad(lambda x: (x.sum(), x**3), has_aux=True)(X)
    assert_array_equal(g, np.ones(3))


def test_value_and_grad_value_first():
    value, g = cv.value_and_grad(weighted, argnums=(0, 1))(X, Y)
    assert value == weighted(X, Y)
    assert_allclose(g[1], X**2, rtol=1e-15)
    (value, aux), g = cv.value_and_grad(lambda x: (x @ x, "aux"), has_aux=True)(X)
    assert value == X @ X and aux == "aux"
    assert_array_equal(g, 2 * X)


def test_grad_and_value_gradient_first():
    g, value = cv.grad_and_value(weighted)(X, Y)
    assert value == weighted(X, Y)
    assert_allclose(g, 2 * X * Y, rtol=1e-15)
    g, (value, aux) = cv.grad_and_value(lambda x: (x @ x, "aux"), has_aux=True)(X)
    assert value == X @ X and aux == "aux"
    assert_array_equal(g, 2 * X)


@pytest.mark.parametrize("transform", [cv.grad, cv.value_and_grad, cv.grad_and_value])
@pytest.mark.parametrize("f", [np.sin, lambda x: (x.sum(), x.sum()), lambda x: {"loss": x.sum()}, lambda x: None])
def test_output_that_is_not_a_scalar_is_a_type_error(transform, f):
    with pytest.raises(TypeError):
        transform(f)(X)


def test_argument_error_names_the_function():
    def energy(x):
        return x

    with pytest.raises(TypeError, match="energy"):
        cv.grad(energy)(X)


# --- hvp --------------------------------------------------------------------------------------------------------------


def test_hvp_returns_gradient_and_product_as_tuples():
    gradient, product = cv.hvp(weighted, (X, Y), (T, X))
    assert type(gradient) is tuple and type(product) is tuple
    assert_allclose(gradient[0], 2 * X * Y, rtol=1e-14)
    assert_allclose(gradient[1], X**2, rtol=1e-14)
    assert_allclose(product[0], 2 * Y * T + 2 * X * X, rtol=1e-14)
    assert_allclose(product[1], 2 * X * T, rtol=1e-14)


def test_hvp_on_trees_and_with_aux():
    gradient, product, aux = cv.hvp(lambda p: (np.sum(p["w"] ** 3), "aux"), ({"w": X},), ({"w": T},), has_aux=True)
    assert_allclose(gradient[0]["w"], 3 * X**2, rtol=1e-14)
    assert_allclose(product[0]["w"], 6 * X * T, rtol=1e-14)
    assert aux == "aux"


def test_hvp_checks_like_jvp_and_grad():
    with pytest.raises(ValueError):
        cv.hvp(lambda x: x @ x, (X,), (np.ones(2),))
    with pytest.raises(TypeError):
        cv.hvp(lambda x: x @ x, X, T)
    with pytest.raises(TypeError):
        cv.hvp(np.sin, (X,), (T,))


def test_hvp_equals_hessian_times_vector_and_is_symmetric():
    def f(x):
        return np.prod(np.sin(x)) + np.exp(x @ Y)

    h = cv.hessian(f)(X)
    assert_allclose(cv.hvp(f, (X,), (T,))[1][0], h @ T, rtol=1e-13)
    assert_allclose(cv.hvp(f, (X,), (T,))[1][0] @ Y, cv.hvp(f, (X,), (Y,))[1][0] @ T, rtol=1e-13)


# --- linear_transpose -------------------------------------------------------------------------------------------------

A = np.arange(6.0).reshape(2, 3)


def test_linear_transpose_of_matrix_and_structure_maps():
    assert_array_equal(cv.linear_transpose(lambda x: A @ x, X)(np.array([1.0, 10.0]))[0], A.T @ [1.0, 10.0])
    assert_array_equal(cv.linear_transpose(lambda x: np.cumsum(x[::-1]), X)(T)[0], np.cumsum(T[::-1]))


def test_linear_transpose_of_several_arguments_and_trees():
    t = cv.linear_transpose(lambda x, p: {"s": 2 * x + p["y"], "r": p["y"].sum()}, X, {"y": Y})
    xbar, pbar = t({"s": T, "r": 1.0})
    assert_array_equal(xbar, 2 * T)
    assert_array_equal(pbar["y"], T + 1)


def test_linear_transpose_needs_only_shapes():
    shape = cv.eval_shape(lambda x: x, X)
    assert_array_equal(cv.linear_transpose(lambda x: A @ x, shape)(np.array([1.0, 10.0]))[0], A.T @ [1.0, 10.0])


def test_linear_transpose_twice_is_the_map():
    once = cv.linear_transpose(lambda x: A @ x, X)
    twice = cv.linear_transpose(lambda y: once(y)[0], np.ones(2))
    assert_array_equal(twice(X)[0], A @ X)


def test_linear_transpose_of_a_checkpointed_map():
    assert_array_equal(
        cv.linear_transpose(cv.checkpoint(lambda x: np.cumsum(A @ x)), X)(np.ones(2))[0], A.T @ [2.0, 1.0]
    )


NONLINEAR = {
    "sin": np.sin,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "power": lambda x: x**2.5,
    "mask of the argument": lambda x: np.where(x > 0, x, 0.0),
    "order of the argument": np.sort,
    "product": lambda x: x * np.prod(x),
    "largest": lambda x: x + np.max(x),
    "tie": lambda x: np.maximum(x, 0.0),
    "variance": lambda x: x * 0 + np.var(x),
    "checkpointed": cv.checkpoint(np.tanh),
}


@pytest.mark.parametrize("name", sorted(NONLINEAR))
def test_linear_transpose_of_a_nonlinear_function_is_refused(name):
    with pytest.raises(cv.NotDifferentiableError, match="not linear"):
        cv.linear_transpose(NONLINEAR[name], X)(T)


@pytest.mark.parametrize("recorded", [cv.make_graph, cv.jit])
def test_what_is_not_linear_is_refused_while_a_program_is_recorded(recorded):
    square = lambda z: cv.linear_transpose(lambda x: x * x, np.ones(3))(z)[0]
    with pytest.raises(cv.NotDifferentiableError, match="not linear"):
        recorded(square)(np.ones(3))


# --- checkpoint -------------------------------------------------------------------------------------------------------


def test_checkpoint_changes_no_value_and_no_derivative():
    def f(x):
        return np.sum(np.tanh(np.sin(x) * x))

    g = cv.checkpoint(f)
    assert g(X) == f(X)
    assert_allclose(cv.grad(g)(X), cv.grad(f)(X), rtol=1e-15)
    assert_allclose(cv.jvp(g, (X,), (T,))[1], cv.jvp(f, (X,), (T,))[1], rtol=1e-15)
    assert_allclose(cv.hessian(g)(X), cv.hessian(f)(X), rtol=1e-13)
    assert_allclose(cv.vmap(cv.grad(g))(np.stack([X, Y]))[1], cv.grad(f)(Y), rtol=1e-15)


def test_checkpoint_takes_trees_keywords_and_closures():
    def loss(s):
        inner = cv.checkpoint(lambda p, *, k: {"out": s * p["x"] ** 2 * k})
        return np.sum(inner({"x": X}, k=3.0)["out"])

    assert_allclose(cv.grad(loss)(2.0), 3 * X @ X, rtol=1e-14)


def test_checkpoint_respects_stop_gradient_and_no_grad():
    def f(x):
        with cv.no_grad():
            c = x**2
        return np.sum(c * x + cv.stop_gradient(x))

    assert_allclose(cv.grad(cv.checkpoint(f))(X), X**2, rtol=1e-15)


# --- eval_shape and make_graph ----------------------------------------------------------------------------------------


def test_eval_shape_gives_shapes_and_dtypes():
    out = cv.eval_shape(lambda p, *, k: {"a": A @ p["x"], "b": (p["x"].sum() * k,)}, {"x": X}, k=2.0)
    assert (out["a"].shape, out["a"].dtype) == ((2,), np.float64)
    assert (out["b"][0].shape, out["b"][0].dtype) == ((), np.float64)
    assert isinstance(out["a"], cv.ShapeDtypeStruct)


def test_eval_shape_takes_shapes_too_and_does_no_arithmetic():
    huge = cv.ShapeDtypeStruct((10**9, 10**9), np.float32)
    out = cv.eval_shape(lambda x: np.sin(x) @ np.sum(x, axis=0), huge)
    assert out == cv.ShapeDtypeStruct((10**9,), np.float32)


def test_eval_shape_works_on_derivatives():
    assert cv.eval_shape(cv.jacrev(lambda x: A @ x), X).shape == (2, 3)


def test_value_is_not_available_in_eval_shape():
    with pytest.raises(cv.ConcretizationError):
        cv.eval_shape(lambda x: x if x.sum() > 0 else -x, X)


def test_make_graph_prints_what_was_traced():
    text = str(cv.make_graph(lambda x: np.sin(x) * 2.0)(X))
    assert "sin" in text and "mul" in text
    assert "float64" in text and "3" in text
    assert "cos" in str(cv.make_graph(cv.grad(lambda x: np.sin(x).sum()))(X))


# --- check_grads ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("modes", [("fwd", "rev"), ("fwd",), ("rev",)])
def test_check_grads_passes_right_rules(order, modes):
    cv.testing.check_grads(lambda x, p: np.sin(x) * p["y"] ** 2, (X, {"y": Y}), order=order, modes=modes)


def test_check_grads_catches_a_wrong_rule():
    @cv.custom_jvp
    def wrong(x):
        return np.sin(x)

    wrong.defjvp(lambda primals, tangents: (np.sin(primals[0]), -np.cos(primals[0]) * tangents[0]))
    with pytest.raises(AssertionError):
        cv.testing.check_grads(wrong, (X,), order=1)


def test_check_grads_catches_a_rule_wrong_only_in_second_order():
    @cv.custom_jvp
    def wrong(x):
        return np.sin(x)

    wrong.defjvp(lambda primals, tangents: (np.sin(primals[0]), cv.stop_gradient(np.cos(primals[0])) * tangents[0]))
    cv.testing.check_grads(wrong, (X,), order=1)
    with pytest.raises(AssertionError):
        cv.testing.check_grads(wrong, (X,), order=2)


def test_check_grads_catches_a_reverse_rule_wrong_in_one_argument():
    @cv.custom_vjp
    def wrong(x, y):
        return x * y

    wrong.defvjp(lambda x, y: (x * y, (x, y)), lambda res, ct: (ct * res[1], ct * res[1]))
    with pytest.raises(AssertionError):
        cv.testing.check_grads(wrong, (X, Y), order=1, modes=("rev",))
