"""`covector.functional`: the family shaped like torch.autograd.functional."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector import functional as F

X, Y, V = np.array([0.3, -1.2]), np.array([1.0, 0.5]), np.array([2.0, -1.0])


def adder(x, y):
    return 2 * x + 3 * y


def pow_reducer(x):
    return np.sum(x**3)


def pow_adder(x, y):
    return np.sum(2 * x**2 + 3 * y**2 * x)


# --- form of the result -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", [F.vjp, F.jvp])
def test_bare_input_bare_result(member):
    out, product = member(np.sin, X, V)
    assert_array_equal(out, np.sin(X))
    assert_allclose(product, np.cos(X) * V, rtol=1e-15)


def test_vjp_tuple_of_inputs():
    _, product = F.vjp(adder, (X, Y), V)
    assert type(product) is tuple
    assert_array_equal(product[0], 2 * V)
    assert_array_equal(product[1], 3 * V)


def test_jvp_tuple_of_inputs():
    out, product = F.jvp(adder, (X, Y), (V, V))
    assert_array_equal(out, adder(X, Y))
    assert_array_equal(product, 5 * V)


def test_jvp_of_a_tuple_of_outputs_is_a_tuple():
    _, product = F.jvp(lambda x: (x, x**2), X, V)
    assert type(product) is tuple
    assert_array_equal(product[0], V)
    assert_allclose(product[1], 2 * X * V, rtol=1e-15)


def test_jacobian_forms():
    assert_allclose(F.jacobian(np.sin, X), np.diag(np.cos(X)), rtol=1e-15)
    by_input = F.jacobian(adder, (X, Y))
    assert type(by_input) is tuple
    assert_array_equal(by_input[1], 3 * np.eye(2))
    by_output = F.jacobian(lambda x: (x, 2 * x), X)
    assert type(by_output) is tuple
    assert_array_equal(by_output[1], 2 * np.eye(2))
    both = F.jacobian(lambda x, y: (x * y, x), (X, Y))
    assert_array_equal(both[0][1], np.diag(X))
    assert_array_equal(both[1][1], np.zeros((2, 2)))


def test_hessian_forms():
    assert_allclose(F.hessian(pow_reducer, X), np.diag(6 * X), rtol=1e-14)
    h = F.hessian(pow_adder, (X, Y))
    assert type(h) is tuple and type(h[0]) is tuple
    assert_allclose(h[0][0], 4 * np.eye(2), rtol=1e-14)
    assert_allclose(h[0][1], np.diag(6 * Y), rtol=1e-14)
    assert_allclose(h[1][0], np.diag(6 * Y), rtol=1e-14)
    assert_allclose(h[1][1], np.diag(6 * X), rtol=1e-14)


@pytest.mark.parametrize("member", [F.vhp, F.hvp], ids=["vhp", "hvp"])
def test_hessian_products(member):
    out, product = member(pow_reducer, X, V)
    assert_allclose(out, pow_reducer(X), rtol=1e-15)
    assert_allclose(product, 6 * X * V, rtol=1e-14)
    out, product = member(pow_adder, (X, Y), (V, np.ones(2)))
    assert type(product) is tuple
    assert_allclose(product[0], 4 * V + 6 * Y, rtol=1e-14)
    assert_allclose(product[1], 6 * Y * V + 6 * X, rtol=1e-14)


# --- v ----------------------------------------------------------------------------------------------------------------


def test_v_defaults_to_one_for_single_elements():
    assert_allclose(F.vjp(pow_reducer, X)[1], 3 * X**2, rtol=1e-15)
    assert_allclose(F.vjp(lambda x: np.sum(x**3, keepdims=True), X)[1], 3 * X**2, rtol=1e-15)
    assert_allclose(F.jvp(np.sin, np.array([0.3]))[1], [np.cos(0.3)], rtol=1e-15)
    assert_allclose(F.vhp(pow_reducer, np.array([0.3]))[1], [1.8], rtol=1e-14)
    assert_allclose(F.hvp(pow_reducer, np.array([0.3]))[1], [1.8], rtol=1e-14)


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.vjp(np.sin, X),
        lambda: F.vjp(lambda x: (x.sum(), x.sum()), X),
        lambda: F.jvp(np.sin, X),
        lambda: F.vhp(pow_reducer, X),
        lambda: F.hvp(pow_reducer, X),
    ],
    ids=["vjp", "vjp of two scalars", "jvp", "vhp", "hvp"],
)
def test_missing_v_is_refused(call):
    with pytest.raises((RuntimeError, ValueError), match=r"\bv\b"):
        call()


@pytest.mark.parametrize(
    ("call", "index"),
    [
        (lambda: F.vjp(lambda x: (x, x), X, (V, np.ones(5))), "1"),
        (lambda: F.vjp(lambda x: (x, x), X, (np.ones(5), V)), "0"),
        (lambda: F.jvp(adder, (X, Y), (V, np.ones(5))), "1"),
        (lambda: F.vhp(pow_adder, (X, Y), (V, np.ones(5))), "1"),
        (lambda: F.hvp(pow_adder, (X, Y), (V, np.ones(5))), "1"),
    ],
    ids=["vjp 1", "vjp 0", "jvp", "vhp", "hvp"],
)
def test_v_of_the_wrong_size_names_index_and_both_sizes(call, index):
    with pytest.raises((RuntimeError, ValueError)) as info:
        call()
    message = str(info.value)
    assert index in message.replace("(2,)", "").replace("(5,)", "")
    assert "(2,)" in message and "(5,)" in message


@pytest.mark.parametrize("v", [(V,), (V, V, V), V], ids=["short", "long", "bare"])
def test_v_of_the_wrong_length_is_refused(v):
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        F.vjp(lambda x: (x, 2 * x), X, v)


@pytest.mark.parametrize("member", [F.hessian, F.vhp, F.hvp])
def test_second_order_needs_a_scalar_output(member):
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        member(np.sin, X) if member is F.hessian else member(np.sin, X, V)


# --- create_graph -----------------------------------------------------------------------------------------------------

SUMS = {
    "vjp result": (lambda x, **k: F.vjp(np.exp, x, np.ones(2), **k)[1].sum(), np.exp),
    "vjp output": (lambda x, **k: F.vjp(np.exp, x, np.ones(2), **k)[0].sum(), np.exp),
    "jvp result": (lambda x, **k: F.jvp(np.exp, x, np.ones(2), **k)[1].sum(), np.exp),
    "jvp output": (lambda x, **k: F.jvp(np.exp, x, np.ones(2), **k)[0].sum(), np.exp),
    "jacobian": (lambda x, **k: F.jacobian(np.exp, x, **k).sum(), np.exp),
    "hessian": (lambda x, **k: F.hessian(pow_reducer, x, **k).sum(), lambda x: 6 + 0 * x),
    "vhp result": (lambda x, **k: F.vhp(pow_reducer, x, np.ones(2), **k)[1].sum(), lambda x: 6 + 0 * x),
    "hvp result": (lambda x, **k: F.hvp(pow_reducer, x, np.ones(2), **k)[1].sum(), lambda x: 6 + 0 * x),
    "hvp output": (lambda x, **k: F.hvp(pow_reducer, x, np.ones(2), **k)[0], lambda x: 3 * x**2),
}


@pytest.mark.parametrize("name", sorted(SUMS))
def test_create_graph_stays_differentiable_in_both_modes(name):
    f, derivative = SUMS[name]
    assert_allclose(cv.grad(lambda x: f(x, create_graph=True))(X), derivative(X), rtol=1e-13)
    _, tangent = cv.jvp(lambda x: f(x, create_graph=True), (X,), (V,))
    assert_allclose(tangent, derivative(X) @ V, rtol=1e-13)


@pytest.mark.parametrize("name", sorted(SUMS))
def test_default_is_detached_in_both_modes(name):
    f, _ = SUMS[name]
    assert_array_equal(cv.grad(f)(X), np.zeros(2))
    assert cv.jvp(f, (X,), (V,))[1] == 0


@pytest.mark.parametrize("name", sorted(SUMS))
def test_works_under_vmap(name):
    f, _ = SUMS[name]
    assert_allclose(cv.vmap(f)(np.stack([X, Y])), [f(X), f(Y)], rtol=1e-14)


def test_detached_from_what_the_function_closes_over():
    def f(s):
        return F.vjp(lambda x: s * np.exp(x), X, np.ones(2))[1].sum()

    assert cv.grad(f)(2.0) == 0.0
    assert cv.jvp(f, (2.0,), (1.0,))[1] == 0.0


def test_create_graph_reaches_v_too():
    g = cv.grad(lambda v: F.vjp(np.exp, X, v, create_graph=True)[1].sum())(V)
    assert_allclose(g, np.exp(X), rtol=1e-14)


# --- strict -----------------------------------------------------------------------------------------------------------

UNUSED = {
    "vjp": lambda strict: F.vjp(lambda x, y: 2 * x, (X, Y), V, strict=strict)[1][1],
    "jvp": lambda strict: F.jvp(lambda x, y: 2 * x, (X, Y), (0 * V, V), strict=strict)[1],
    "jacobian": lambda strict: F.jacobian(lambda x, y: 2 * x, (X, Y), strict=strict)[1],
    "hessian": lambda strict: F.hessian(lambda x, y: pow_reducer(x), (X, Y), strict=strict)[1][1],
    "vhp": lambda strict: F.vhp(lambda x, y: pow_reducer(x), (X, Y), (V, V), strict=strict)[1][1],
    "hvp": lambda strict: F.hvp(lambda x, y: pow_reducer(x), (X, Y), (V, V), strict=strict)[1][1],
}


@pytest.mark.parametrize("name", sorted(UNUSED))
def test_strict_refuses_an_input_no_output_depends_on(name):
    with pytest.raises(RuntimeError):
        UNUSED[name](True)


@pytest.mark.parametrize("name", sorted(UNUSED))
def test_not_strict_gives_zeros(name):
    result = UNUSED[name](False)
    assert_array_equal(result, np.zeros_like(result))


@pytest.mark.parametrize("strict", [False, True])
def test_strict_accepts_inputs_used_in_different_outputs(strict):
    _, (xbar, ybar) = F.vjp(lambda x, y: (2 * x, 3 * y), (X, Y), (V, V), strict=strict)
    assert_array_equal(xbar, 2 * V)
    assert_array_equal(ybar, 3 * V)
    _, product = F.jvp(lambda x, y: (2 * x, 3 * y), (X, Y), (V, V), strict=strict)
    assert_array_equal(product[1], 3 * V)
    j = F.jacobian(lambda x, y: (2 * x, 3 * y), (X, Y), strict=strict)
    assert_array_equal(j[0][1], np.zeros((2, 2)))
