"""What goes in and comes out: plain NumPy values, 0-d against scalars, dtypes, integers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

FLOATS = [np.float16, np.float32, np.float64, np.longdouble]
SCALARS = [2.0, np.float64(2.0), np.float32(2.0)]


def gradient_by_jvp(f, x):
    """The derivative with respect to a scalar by forward mode."""
    return cv.jvp(f, (x,), (np.ones_like(x)[()],))[1]


# --- 0-d follows NumPy ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", SCALARS, ids=["float", "float64", "float32"])
@pytest.mark.parametrize(
    "derivative",
    [
        cv.grad,
        cv.jacrev,
        cv.jacfwd,
        lambda f: lambda x: cv.value_and_grad(f)(x)[1],
        lambda f: lambda x: cv.vjp(f, x)[1](1.0)[0],
        lambda f: lambda x: gradient_by_jvp(f, x),
        lambda f: lambda x: cv.hvp(f, (x,), (np.ones_like(x)[()],))[0][0],
    ],
    ids=["grad", "jacrev", "jacfwd", "value_and_grad", "vjp", "jvp", "hvp"],
)
def test_derivative_for_a_scalar_is_a_numpy_scalar(derivative, x):
    got = derivative(lambda x: x * x)(x)
    assert type(got) is np.result_type(np.asarray(x)).type
    assert got == 4


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("derivative", [cv.grad, cv.jacrev, cv.jacfwd], ids=["grad", "jacrev", "jacfwd"])
def test_derivative_for_a_zero_dimensional_array_is_one(derivative, dtype):
    x = np.array(2, dtype)
    got = derivative(lambda x: x * x)(x)
    assert type(got) is np.ndarray and got.shape == () and got.dtype == dtype
    assert got == 4


def test_vjp_distinguishes_a_scalar_from_a_zero_dimensional_array():
    _, vjp_fn = cv.vjp(lambda a, b: a * b, np.array(2.0), np.float64(3.0))
    abar, bbar = vjp_fn(1.0)
    assert type(abar) is np.ndarray and abar.shape == () and abar == 3
    assert type(bbar) is np.float64 and bbar == 2


def test_scalar_derivative_of_a_vector_has_the_vectors_shape():
    for derivative in (cv.jacrev, cv.jacfwd):
        got = derivative(lambda x: x * np.arange(3.0))(2.0)
        assert type(got) is np.ndarray
        assert_array_equal(got, np.arange(3.0))


@pytest.mark.parametrize("shape", [(1,), (1, 1)])
def test_one_element_is_not_a_scalar(shape):
    with pytest.raises(TypeError) as info:
        cv.grad(lambda x: np.reshape(x * x, shape))(2.0)
    assert "[0]" in str(info.value) and ".squeeze()" in str(info.value)
    assert str(shape) in str(info.value)


def test_grad_of_a_non_scalar_is_a_type_error_with_the_shape():
    with pytest.raises(TypeError, match=r"\(3,\)"):
        cv.grad(np.sin)(np.ones(3))


# --- never a wrapper outside ------------------------------------------------------------------------------------------


def all_plain(tree):
    return all(type(leaf) is np.ndarray or isinstance(leaf, np.generic) for leaf in cv.tree.leaves(tree))


X = np.array([0.3, -1.2, 2.0])


@pytest.mark.parametrize(
    "run",
    [
        lambda: cv.vjp(np.sin, X)[0],
        lambda: cv.vjp(np.sin, X)[1](X),
        lambda: cv.vjp(lambda x: (x, x.sum(), x[0]), X)[0],
        lambda: cv.vjp(lambda x: (x, (x, x[0])), X, has_aux=True)[2],
        lambda: cv.jvp(lambda x: (x, x.sum()), (X,), (X,)),
        lambda: cv.jvp(lambda x: (x, [x * 2]), (X,), (X,), has_aux=True),
        lambda: cv.value_and_grad(lambda x: x @ x)(X),
        lambda: cv.grad_and_value(lambda x: x @ x)(X),
        lambda: cv.grad(lambda x: (x @ x, {"a": x}), has_aux=True)(X),
        lambda: cv.jacrev(lambda x: (np.sin(x), x * 2), has_aux=True)(X),
        lambda: cv.jacfwd(lambda x: (np.sin(x), x * 2), has_aux=True)(X),
        lambda: cv.hessian(lambda x: np.prod(x))(X),
        lambda: cv.hvp(lambda x: np.prod(x), (X,), (X,)),
        lambda: cv.vmap(lambda x: (x * 2, np.ones(2)))(X),
        lambda: cv.linearize(np.sin, X)[0],
        lambda: cv.linearize(np.sin, X)[1](X),
        lambda: cv.linear_transpose(lambda x: 2 * x, X)(X),
        lambda: cv.functional.vjp(np.sin, X, X),
        lambda: cv.functional.jacobian(np.sin, X),
        lambda: cv.checkpoint(np.sin)(X),
        lambda: cv.stop_gradient(X),
    ],
)
def test_results_are_plain_numpy(run):
    assert all_plain(run())


def test_output_that_is_the_python_float_argument_is_a_numpy_scalar():
    out, vjp_fn = cv.vjp(lambda x: x, 2.0)
    assert type(out) is np.float64
    assert vjp_fn(1.0)[0] == 1.0


def test_constant_outputs_are_accepted_and_have_derivative_zero():
    assert cv.grad(lambda x: 3.0)(2.0) == 0.0
    assert_array_equal(cv.grad(lambda x: np.float64(3.0))(X), np.zeros(3))
    assert_array_equal(cv.jacfwd(lambda x: np.ones(2))(X), np.zeros((2, 3)))
    assert_array_equal(cv.jacrev(lambda x: np.ones(2))(X), np.zeros((2, 3)))


# --- dtypes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
def test_dtype_in_is_dtype_out(dtype):
    x = np.array([0.5, 1.5], dtype)
    out, vjp_fn = cv.vjp(lambda x: 2 * np.sin(x) + 1.0, x)
    assert out.dtype == dtype
    assert vjp_fn(np.ones(2, dtype))[0].dtype == dtype
    out, tangent = cv.jvp(lambda x: 2 * np.sin(x) + 1.0, (x,), (np.ones(2, dtype),))
    assert out.dtype == dtype and tangent.dtype == dtype
    assert cv.grad(lambda x: np.mean(x**2))(x).dtype == dtype
    assert cv.jacrev(np.exp)(x).dtype == dtype
    assert cv.jacfwd(np.exp)(x).dtype == dtype
    assert cv.hessian(lambda x: np.sum(x**3))(x).dtype == dtype
    assert cv.vmap(lambda x: 2.0 * x)(x).dtype == dtype


def test_each_cotangent_has_its_own_primals_dtype():
    w32, w64 = np.ones(3, np.float32), np.ones(3)
    out, vjp_fn = cv.vjp(lambda a, b: a * b, w32, w64)
    assert out.dtype == np.float64
    abar, bbar = vjp_fn(np.full(3, 2.0))
    assert abar.dtype == np.float32 and bbar.dtype == np.float64


def test_tangent_has_the_outputs_dtype():
    x32 = np.ones(3, np.float32)
    out, tangent = cv.jvp(lambda x: (x * np.ones(3), x.astype(np.float64), x * 2), (x32,), (x32,))
    assert [o.dtype for o in out] == [t.dtype for t in tangent] == [np.float64, np.float64, np.float32]


@pytest.mark.parametrize(
    ("in_dtype", "out_dtype", "expected"),
    [
        (np.float32, np.float32, np.float32),
        (np.float32, np.float64, np.float64),
        (np.float64, np.float32, np.float64),
        (np.float16, np.float32, np.float32),
        (np.float32, np.complex64, np.complex64),
        (np.float64, np.complex64, np.complex128),
    ],
)
def test_jacobian_dtype_is_the_result_type_of_output_and_input(in_dtype, out_dtype, expected):
    x = np.array([1.0, 2.0], in_dtype)
    for jac in (cv.jacrev, cv.jacfwd):
        got = jac(lambda x: (3 * x).astype(out_dtype))(x)
        assert got.dtype == expected
        assert_array_equal(got, 3 * np.eye(2))


def test_jacobian_of_a_real_output_of_a_complex_input_is_complex():
    z = np.array([1 + 1j, 2.0], np.complex64)
    assert cv.jacrev(lambda z: z.real)(z).dtype == np.complex64


def test_python_scalar_primals_stay_weak_as_in_numpy():
    """NEP 50: a Python float takes part in an operation without widening a float32 array."""
    w = np.ones(3, np.float32)
    out, vjp_fn = cv.vjp(lambda s, w: s * w, 2.0, w)
    assert out.dtype == np.float32
    sbar, wbar = vjp_fn(np.ones(3, np.float32))
    assert type(sbar) is np.float64 and sbar == 3.0
    assert wbar.dtype == np.float32
    out, tangent = cv.jvp(lambda s: s * w, (2.0,), (1.0,))
    assert out.dtype == np.float32 and tangent.dtype == np.float32


@pytest.mark.parametrize(
    "f",
    [lambda x: 2 * x + 1.5, lambda x: x**2.0 / 3, lambda x: np.maximum(x, 0.5), lambda x: np.where(x > 0, x, 1)],
)
def test_constants_of_python_do_not_widen(f):
    x = np.ones(3, np.float32)
    assert cv.vjp(f, x)[0].dtype == np.float32
    assert cv.grad(lambda x: f(x).sum())(x).dtype == np.float32
    assert cv.jvp(f, (x,), (x,))[1].dtype == np.float32
    assert cv.vmap(f)(x).dtype == np.float32


@pytest.mark.parametrize(
    "f",
    [
        lambda s, w: np.where(w > 0, s, w),
        lambda s, w: np.where(w > 0, w, s),
        lambda s, w: np.clip(w, s, 3.0),
        lambda s, w: np.maximum(w, s),
        lambda s, w: np.hypot(s, w),
        lambda s, w: (s + w) ** s,
        lambda s, w: np.stack([s, 1.0]),
        lambda s, w: np.concatenate([w, np.atleast_1d(s)]),
    ],
)
def test_dtype_of_mixed_operations_is_numpys(f):
    w = np.array([1.0, -1.0], np.float32)
    expected = f(2.0, w).dtype
    assert cv.vjp(lambda s: f(s, w), 2.0)[0].dtype == expected
    assert cv.vjp(lambda w: f(2.0, w), w)[0].dtype == expected
    out, tangent = cv.jvp(lambda s: f(s, w), (2.0,), (1.0,))
    assert out.dtype == tangent.dtype == expected


def test_numpy_scalar_primals_are_not_weak():
    out, _ = cv.vjp(lambda s: s * np.ones(3, np.float32), np.float64(2.0))
    assert out.dtype == np.float64


# --- integers and bools -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("derivative", [cv.grad, cv.jacrev, cv.jacfwd], ids=["grad", "jacrev", "jacfwd"])
def test_python_int_is_promoted_to_float64(derivative):
    got = derivative(lambda x: x**3)(2)
    assert type(got) is np.float64 and got == 12.0


def test_python_int_primals_of_vjp_and_jvp():
    out, vjp_fn = cv.vjp(lambda x, y: x * y, 2, 3)
    assert type(out) is np.float64 and out == 6
    assert vjp_fn(1.0) == (3.0, 2.0)
    assert all(type(bar) is np.float64 for bar in vjp_fn(1.0))
    out, tangent = cv.jvp(lambda x: x * x, (3,), (1.0,))
    assert type(tangent) is np.float64 and tangent == 6.0


INTEGERS = [np.arange(3), np.array(3), np.int64(3), np.array([True, False]), np.uint8(3), np.bool_(True)]


@pytest.mark.parametrize("value", INTEGERS, ids=["array", "0-d", "int64", "bool array", "uint8", "bool_"])
@pytest.mark.parametrize(
    "differentiate",
    [
        lambda f, v: cv.grad(f)(v),
        lambda f, v: cv.value_and_grad(f)(v),
        lambda f, v: cv.vjp(f, v),
        lambda f, v: cv.jvp(f, (v,), (v,)),
        lambda f, v: cv.jacrev(f)(v),
        lambda f, v: cv.jacfwd(f)(v),
        lambda f, v: cv.hessian(f)(v),
        lambda f, v: cv.linearize(f, v),
    ],
    ids=["grad", "value_and_grad", "vjp", "jvp", "jacrev", "jacfwd", "hessian", "linearize"],
)
def test_bare_integer_array_is_refused_by_name(differentiate, value):
    def f(weights):
        return np.sum(weights * 1.0)

    with pytest.raises(TypeError) as info:
        differentiate(f, value)
    assert ".astype(float)" in str(info.value)
    assert any(name in str(info.value) for name in ("weights", "argument 0", "primal 0"))


def test_refusal_names_the_second_argument_too():
    def f(weights, offsets):
        return np.sum(weights * offsets)

    with pytest.raises(TypeError, match=r"offsets|argument 1"):
        cv.grad(f, argnums=1)(np.ones(3), np.arange(3))


def test_integer_arrays_that_are_not_differentiated_are_fine():
    assert_array_equal(cv.grad(lambda x, i: x[i].sum())(X, np.array([0, 0, 2])), [2.0, 0.0, 1.0])
    assert_array_equal(cv.vmap(lambda i: i + 1)(np.arange(3)), [1, 2, 3])


def params():
    integers = {"n": 3, "idx": np.array([0, 1, 1]), "flag": True, "mask": np.array([True, False])}
    return {"w": np.array([1.0, 2.0]), **integers}


def model(p):
    assert p["n"] == 3 and p["flag"]
    total = 0.0
    for _ in range(p["n"]):
        total = total + np.sum(p["w"][p["idx"]]) + np.sum(p["w"][p["mask"]])
    return total


def test_integer_leaves_inside_a_pytree_are_constants_in_reverse():
    g = cv.grad(model)(params())
    assert list(g) == ["w", "n", "idx", "flag", "mask"]
    assert g["n"] is None and g["idx"] is None and g["flag"] is None and g["mask"] is None
    assert_array_equal(g["w"], [6.0, 6.0])
    _, vjp_fn = cv.vjp(lambda pair: pair[0] * pair[1], (2.0, 5))
    assert vjp_fn(1.0) == ((5.0, None),)


def test_integer_leaves_inside_a_pytree_are_constants_in_forward():
    p = params()
    tangents = {"w": np.array([1.0, 10.0]), "n": None, "idx": None, "flag": None, "mask": None}
    out, tangent = cv.jvp(model, (p,), (tangents,))
    assert out == model(p)
    assert tangent == 3 * (1 + 10 + 10 + 1)


def test_integer_leaves_have_no_jacobian():
    for jac in (cv.jacrev, cv.jacfwd):
        got = jac(lambda p: p["w"] * p["n"])({"w": np.array([1.0, 2.0]), "n": 3})
        assert got["n"] is None
        assert_array_equal(got["w"], 3 * np.eye(2))


@pytest.mark.parametrize("bad", [1, 1.0, np.float64(0.0)])
def test_tangent_of_an_integer_leaf_must_be_none(bad):
    with pytest.raises(TypeError):
        cv.jvp(lambda p: p["w"] * p["n"], ({"w": 1.0, "n": 3},), ({"w": 1.0, "n": bad},))


# --- integer outputs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [np.argmax, lambda x: np.sum(x > 0), lambda x: x[0] > 0, lambda x: 3, np.count_nonzero])
def test_grad_of_an_integer_output_is_refused(f):
    with pytest.raises(TypeError):
        cv.grad(f)(X)


def test_cotangent_of_an_integer_output_is_none():
    out, vjp_fn = cv.vjp(lambda x: (x * 2, np.argmax(x), x > 0), X)
    assert out[1] == 2
    assert_array_equal(out[2], X > 0)
    assert_array_equal(vjp_fn((np.ones(3), None, None))[0], [2.0, 2.0, 2.0])


def test_tangent_of_an_integer_output_is_none():
    out, tangent = cv.jvp(lambda x: {"twice": x * 2, "where": np.argmax(x), "sign": x > 0}, (X,), (np.ones(3),))
    assert out["where"] == 2
    assert tangent["where"] is None and tangent["sign"] is None
    assert_allclose(tangent["twice"], [2.0, 2.0, 2.0], rtol=0)
