"""`jacrev`, `jacfwd`, `jacobian`, `hessian`: layout, argnums, aux, composition, chunks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

X, Y = np.array([0.3, -1.2, 2.0]), np.array([1.0, 0.5, -2.0])
A = np.arange(24.0).reshape(2, 4, 3) / 10 - 1

both = pytest.mark.parametrize("jac", [cv.jacrev, cv.jacfwd, cv.jacobian], ids=["jacrev", "jacfwd", "jacobian"])


@both
@pytest.mark.parametrize("in_shape", [(), (3,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize("out_shape", [(), (4,), (2, 1), (0,)])
def test_leaf_shape_is_output_shape_plus_input_shape(jac, in_shape, out_shape):
    rng = np.random.default_rng(0)
    a, x = rng.normal(size=out_shape + in_shape), rng.normal(size=in_shape)
    axes = tuple(range(-len(in_shape), 0))
    got = jac(lambda x: np.sum(a * np.sin(x), axis=axes))(x)
    assert got.shape == out_shape + in_shape
    assert_allclose(got, a * np.cos(x), rtol=1e-13)


@both
def test_one_argument_out_of_several(jac):
    assert_allclose(jac(lambda x, y: x * y**2, argnums=1)(X, Y), np.diag(2 * X * Y), rtol=1e-14)


@both
def test_argnums_tuple_goes_inside_each_output_leaf(jac):
    j = jac(lambda x, y: {"prod": x * y, "sum": (x + y).sum()}, argnums=(1, 0))(X, Y)
    assert list(j) == ["prod", "sum"]
    assert type(j["prod"]) is tuple and type(j["sum"]) is tuple
    assert_array_equal(j["prod"][0], np.diag(X))
    assert_array_equal(j["prod"][1], np.diag(Y))
    assert_array_equal(j["sum"][0], np.ones(3))


@both
def test_argnums_tuple_of_one_gives_tuples_of_one(jac):
    j = jac(lambda x, y: [x * y, x.sum()], argnums=(0,))(X, Y)
    assert type(j) is list and type(j[0]) is tuple and len(j[0]) == 1
    assert_array_equal(j[0][0], np.diag(Y))
    assert_array_equal(j[1][0], np.ones(3))


@both
def test_output_tree_is_outermost_then_argnums_then_the_arguments_tree(jac):
    j = jac(lambda p, y: (p["w"] * y,), argnums=(0, 1))({"w": X}, Y)
    assert type(j) is tuple and type(j[0]) is tuple and list(j[0][0]) == ["w"]
    assert_array_equal(j[0][0]["w"], np.diag(Y))
    assert_array_equal(j[0][1], np.diag(X))


@both
def test_keyword_arguments_pass_through(jac):
    def f(x, *, scale=1.0, mode):
        assert mode == "on"
        return x * scale

    assert_array_equal(jac(f)(X, scale=3.0, mode="on"), 3 * np.eye(3))


@both
def test_has_aux(jac):
    j, aux = jac(lambda x: (x * 2, ["label", x * 3]), has_aux=True)(X)
    assert_array_equal(j, 2 * np.eye(3))
    assert aux[0] == "label" and type(aux[1]) is np.ndarray


@both
def test_unused_argument_has_a_zero_jacobian(jac):
    j = jac(lambda x, y: x, argnums=1)(X, np.ones((2, 2)))
    assert_array_equal(j, np.zeros((3, 2, 2)))


@pytest.mark.parametrize("jac", [cv.jacrev, cv.jacfwd])
def test_function_runs_once(jac):
    calls = []

    def f(x):
        calls.append(1)
        return np.tanh(A[0] @ x)

    jac(f)(X)
    assert len(calls) == 1


@pytest.mark.parametrize("mode", ["auto", "fwd", "rev"])
@pytest.mark.parametrize("shape", [(7, 3), (3, 7)])
def test_jacobian_modes_agree(mode, shape):
    a = np.random.default_rng(1).normal(size=shape)
    x = np.linspace(-1, 1, shape[1])
    got = cv.jacobian(lambda x: np.tanh(a @ x), mode=mode)(x)
    assert_allclose(got, (1 - np.tanh(a @ x) ** 2)[:, None] * a, rtol=1e-13)


def test_jacobian_refuses_another_mode():
    with pytest.raises(ValueError, match="mode"):
        cv.jacobian(np.sin, mode="sideways")(X)


def test_value_and_jacobian():
    value, j = cv.value_and_jacobian(lambda x: np.tanh(A[0] @ x))(X)
    assert_array_equal(value, np.tanh(A[0] @ X))
    assert_allclose(j, (1 - np.tanh(A[0] @ X) ** 2)[:, None] * A[0], rtol=1e-13)


def test_value_and_jacobian_has_aux_like_value_and_grad():
    (value, aux), j = cv.value_and_jacobian(lambda x: (x**2, "aux"), has_aux=True)(X)
    assert_array_equal(value, X**2)
    assert aux == "aux"
    assert_allclose(j, np.diag(2 * X), rtol=1e-15)


# --- composition ------------------------------------------------------------------------------------------------------


def cubic(x):
    return x**3 * x.sum()


def cubic_second(x):
    """d² (xᵢ³ s) / dxⱼ dxₖ with s = Σ x."""
    e = np.eye(3)
    s = x.sum()
    first = np.einsum("i,ij,ik->ijk", 6 * x * s, e, e)
    return first + np.einsum("i,ij->ij", 3 * x**2, e)[:, :, None] + np.einsum("i,ik->ik", 3 * x**2, e)[:, None, :]


@pytest.mark.parametrize("outer", [cv.jacrev, cv.jacfwd])
@pytest.mark.parametrize("inner", [cv.jacrev, cv.jacfwd])
def test_jacobian_of_a_jacobian(outer, inner):
    assert_allclose(outer(inner(cubic))(X), cubic_second(X), rtol=1e-12)


@both
def test_vmap_of_a_jacobian_and_back(jac):
    xs = np.stack([X, Y])
    batched = cv.vmap(jac(cubic))(xs)
    assert batched.shape == (2, 3, 3)
    assert_allclose(batched, np.stack([jac(cubic)(x) for x in xs]), rtol=1e-14)
    through = jac(cv.vmap(cubic))(xs)
    assert through.shape == (2, 3, 2, 3)
    assert_allclose(through[1, :, 1], batched[1], rtol=1e-14)
    assert_array_equal(through[1, :, 0], np.zeros((3, 3)))


@both
def test_closure_over_an_outer_traced_value(jac):
    assert_allclose(cv.grad(lambda s: jac(lambda x: s**2 * x)(X).sum())(3.0), 18.0, rtol=1e-14)


# --- hessian ----------------------------------------------------------------------------------------------------------


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_hessian_is_jacfwd_of_jacrev():
    h = cv.hessian(rosenbrock)(X)
    assert_allclose(h, cv.jacfwd(cv.jacrev(rosenbrock))(X), rtol=0)
    assert_allclose(h, h.T, rtol=1e-13)
    assert_allclose(h[0, 0], 1200 * X[0] ** 2 - 400 * X[1] + 2, rtol=1e-13)


def test_hessian_of_a_vector_function_has_the_outputs_shape_first():
    assert_allclose(cv.hessian(cubic)(X), cubic_second(X), rtol=1e-12)


def test_hessian_with_several_arguments_is_a_tuple_of_tuples():
    h = cv.hessian(lambda x, y: np.sum(x**2 * y), argnums=(0, 1))(X, Y)
    assert type(h) is tuple and type(h[0]) is tuple
    assert_allclose(h[0][0], np.diag(2 * Y), rtol=1e-14)
    assert_allclose(h[0][1], np.diag(2 * X), rtol=1e-14)
    assert_allclose(h[1][0], np.diag(2 * X), rtol=1e-14)
    assert_array_equal(h[1][1], np.zeros((3, 3)))


def test_hessian_has_aux():
    h, aux = cv.hessian(lambda x: (np.sum(x**3), {"x": x, "s": "s"}), has_aux=True)(X)
    assert_allclose(h, np.diag(6 * X), rtol=1e-14)
    assert type(aux["x"]) is np.ndarray and aux["s"] == "s"


# --- chunk_size -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [None, 1, 2, 3, 5, 8, 1000, "auto"])
@pytest.mark.parametrize("options", [{}, {"_preallocate_and_copy": True}], ids=["collect", "preallocate"])
def test_jacrev_chunks_do_not_change_the_result(chunk_size, options):
    def f(x, y):
        return {"first": np.sin(A @ x) * y.sum(), "second": (y * x.sum(),)}

    got = cv.jacrev(f, argnums=(0, 1), chunk_size=chunk_size, **options)(X, Y)
    expected = cv.jacfwd(f, argnums=(0, 1))(X, Y)
    assert cv.tree.structure(got) == cv.tree.structure(expected)
    for g, e in zip(cv.tree.leaves(got), cv.tree.leaves(expected)):
        assert g.shape == e.shape and g.dtype == e.dtype
        assert_allclose(g, e, rtol=1e-13)


@pytest.mark.parametrize("chunk_size", [None, 1, 2, 3, 1000, "auto"])
def test_jacfwd_chunks_do_not_change_the_result(chunk_size):
    got = cv.jacfwd(lambda x: np.sin(A @ x), chunk_size=chunk_size)(X)
    assert_allclose(got, np.cos(A @ X)[..., None] * A, rtol=1e-13)


@pytest.mark.parametrize("jac", [cv.jacrev, cv.jacfwd])
@pytest.mark.parametrize("bad", [0, -1, -100, 1.5, 2.0, "many", (2,), [1], np.array([2])])
def test_other_chunk_sizes_are_refused(jac, bad):
    with pytest.raises(ValueError, match="chunk_size"):
        jac(np.sin, chunk_size=bad)(X)


@pytest.mark.parametrize(("chunk_size", "calls"), [(None, 1), (1, 8), (3, 3), (4, 2), (5, 2), (8, 1), (9, 1)])
@pytest.mark.parametrize("preallocate", [False, True])
def test_number_of_pullbacks(chunk_size, calls, preallocate):
    count = []

    @cv.custom_vjp
    def double(x):
        return 2 * x

    def bwd(_, ct):
        count.append(1)
        return (2 * ct,)

    double.defvjp(lambda x: (2 * x, None), bwd)
    jac = cv.jacrev(double, chunk_size=chunk_size, _preallocate_and_copy=preallocate)
    assert_array_equal(jac(np.arange(8.0)), 2 * np.eye(8))
    assert len(count) == calls


@pytest.mark.parametrize("chunk_size", [None, 1, 2])
@pytest.mark.parametrize("preallocate", [False, True])
def test_chunked_jacobian_inside_transforms(chunk_size, preallocate):
    jac = cv.jacrev(cubic, chunk_size=chunk_size, _preallocate_and_copy=preallocate)
    assert_allclose(cv.jacfwd(jac)(X), cubic_second(X), rtol=1e-12)
    assert_allclose(cv.jacrev(jac)(X), cubic_second(X), rtol=1e-12)
    assert_allclose(cv.vmap(jac)(np.stack([X, Y]))[1], jac(Y), rtol=1e-14)


def test_jacfwd_randomness_is_an_accepted_option():
    assert_array_equal(cv.jacfwd(lambda x: 2 * x, randomness="error")(X), 2 * np.eye(3))
