"""The complex convention: the plain transpose, no conjugation; holomorphic derivatives on request only.

Reference: JAX Authors, "The Autodiff Cookbook", section on complex numbers: cotangents pair with tangents as Re(u t).
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import covector as cv

Z = np.array([0.4 + 0.7j, -1.1 + 0.2j, 0.9 - 1.3j])
X = np.array([0.4, -1.1, 0.9])

HOLOMORPHIC = {
    "square": (lambda z: z**2, lambda z: 2 * z),
    "product": (lambda z: z * z * (3 - 2j), lambda z: (6 - 4j) * z),
    "exp": (np.exp, np.exp),
    "sin": (np.sin, np.cos),
    "log": (np.log, lambda z: 1 / z),
    "reciprocal": (lambda z: 1j / z, lambda z: -1j / z**2),
    "sqrt": (np.sqrt, lambda z: 0.5 / np.sqrt(z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}


@pytest.fixture(params=sorted(HOLOMORPHIC))
def pair(request):
    return HOLOMORPHIC[request.param]


def test_grad_jacrev_and_jacfwd_give_the_complex_derivative(pair):
    f, df = pair
    for z in Z:
        for derivative in (cv.grad, cv.jacrev, cv.jacfwd):
            got = derivative(f, holomorphic=True)(z)
            assert type(got) is np.complex128
            assert_allclose(got, df(z), rtol=1e-13)


def test_jacobians_of_arrays_agree(pair):
    f, df = pair
    assert_allclose(cv.jacrev(f, holomorphic=True)(Z), np.diag(df(Z)), rtol=1e-13)
    assert_allclose(cv.jacfwd(f, holomorphic=True)(Z), np.diag(df(Z)), rtol=1e-13)


def test_pullback_multiplies_without_conjugation(pair):
    f, df = pair
    ct = np.array([1 - 2j, 0.5j, 3.0 + 0j])
    _, vjp_fn = cv.vjp(f, Z)
    assert_allclose(vjp_fn(ct)[0], ct * df(Z), rtol=1e-13)


def test_matrix_pullback_is_the_plain_transpose():
    a = np.array([[1 + 2j, 3j], [0.5, -1 - 1j], [2.0, 1j]])
    z, ct = Z[:2], np.array([1j, 2 - 1j, 0.3 + 0j])
    _, vjp_fn = cv.vjp(lambda z: a @ z, z)
    assert_allclose(vjp_fn(ct)[0], a.T @ ct, rtol=1e-14)


NOT_HOLOMORPHIC = {
    "conj": np.conj,
    "real": lambda z: z.real,
    "imag": np.imag,
    "abs": np.abs,
    "angle": np.angle,
    "modulus squared": lambda z: (z * np.conj(z)).real,
    "mixed": lambda z: z.real * np.exp(z) + np.conj(z) ** 2,
}


@pytest.mark.parametrize("name", sorted(NOT_HOLOMORPHIC))
def test_forward_is_the_real_linear_derivative(name):
    f, t, h = NOT_HOLOMORPHIC[name], np.array([1 - 2j, 0.5j, -0.7 + 0j]), 1e-6
    _, tangent = cv.jvp(f, (Z,), (t,))
    assert tangent.dtype == f(Z).dtype
    assert_allclose(tangent, (f(Z + h * t) - f(Z - h * t)) / (2 * h), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", sorted(NOT_HOLOMORPHIC))
def test_reverse_pairs_with_forward_by_the_real_part(name):
    f, t = NOT_HOLOMORPHIC[name], np.array([1 - 2j, 0.5j, -0.7 + 0j])
    out, tangent = cv.jvp(f, (Z,), (t,))
    ct = np.array([0.2, -1.0, 3.0]) if out.dtype == np.float64 else np.array([1j, 2 - 1j, 0.3 + 0j])
    _, vjp_fn = cv.vjp(f, Z)
    (bar,) = vjp_fn(ct)
    assert bar.dtype == np.complex128
    assert_allclose(np.sum(bar * t).real, np.sum(ct * tangent).real, rtol=1e-13)


def test_gradient_of_a_real_function_is_dx_minus_i_dy():
    z = 0.4 + 0.7j
    assert_allclose(cv.grad(lambda z: np.abs(z) ** 2)(z), 2 * np.conj(z), rtol=1e-14)
    assert_allclose(cv.grad(lambda z: z.real**2 + 3 * z.imag)(z), 2 * z.real - 3j, rtol=1e-14)
    assert_allclose(cv.grad(lambda z: np.sum(np.abs(z) ** 2))(Z), 2 * np.conj(Z), rtol=1e-14)


def test_the_conjugate_of_the_gradient_descends():
    z, target = 0.4 + 0.7j, 2 - 1j

    def loss(z):
        return np.abs(z - target) ** 2

    step = z - 0.1 * np.conj(cv.grad(loss)(z))
    assert loss(step) < 0.7 * loss(z)


def test_jacrev_of_a_real_output_of_a_complex_input_needs_no_flag():
    assert_allclose(cv.jacrev(lambda z: z.real**2 + z.imag)(Z), np.diag(2 * Z.real - 1j), rtol=1e-14)


def test_real_input_to_complex_output_is_allowed_and_both_modes_agree():
    def f(x):
        return np.exp(1j * x) * (2 + x)

    expected = np.diag(np.exp(1j * X) * (1j * (2 + X) + 1))
    assert_allclose(cv.jacrev(f)(X), expected, rtol=1e-13)
    assert_allclose(cv.jacfwd(f)(X), expected, rtol=1e-13)


def test_real_primal_keeps_a_real_cotangent():
    _, vjp_fn = cv.vjp(lambda x: np.exp(1j * x), X)
    ct = np.array([1j, 2 - 1j, 0.3 + 0j])
    (bar,) = vjp_fn(ct)
    assert bar.dtype == np.float64
    assert_allclose(bar, (ct * 1j * np.exp(1j * X)).real, rtol=1e-13)


REFUSED = {
    "grad: complex output": lambda: cv.grad(lambda z: z**2)(1 + 1j),
    "grad: complex output of real input": lambda: cv.grad(lambda x: np.exp(1j * x))(1.0),
    "value_and_grad: complex output": lambda: cv.value_and_grad(lambda z: z**2)(1 + 1j),
    "jacfwd: complex input": lambda: cv.jacfwd(lambda z: z**2)(Z),
    "jacfwd: complex input, real output": lambda: cv.jacfwd(lambda z: z.real)(Z),
    "jacrev: complex output of complex input": lambda: cv.jacrev(lambda z: z**2)(Z),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_without_the_flag_ambiguous_cases_are_refused(name):
    with pytest.raises(TypeError, match="holomorphic"):
        REFUSED[name]()


@pytest.mark.parametrize("derivative", [cv.grad, cv.jacrev, cv.jacfwd], ids=["grad", "jacrev", "jacfwd"])
def test_holomorphic_with_a_real_input_is_refused(derivative):
    with pytest.raises(TypeError, match="holomorphic"):
        derivative(lambda x: x**2 + 0j, holomorphic=True)(2.0)


@pytest.mark.parametrize("derivative", [cv.grad, cv.jacrev, cv.jacfwd])
def test_holomorphic_with_a_real_output_is_refused(derivative):
    with pytest.raises(TypeError, match="holomorphic=True needs .*complex output"):
        derivative(lambda z: z.real, holomorphic=True)(2.0 + 1j)


def test_complex64_stays_complex64():
    z = Z.astype(np.complex64)
    assert cv.jacrev(np.exp, holomorphic=True)(z).dtype == np.complex64
    assert cv.jacfwd(np.exp, holomorphic=True)(z).dtype == np.complex64
    assert cv.grad(lambda z: np.sum(np.abs(z)))(z).dtype == np.complex64
    assert cv.jvp(np.abs, (z,), (z,))[1].dtype == np.float32


def test_second_derivative_of_a_holomorphic_function():
    z = 0.4 + 0.7j
    second = cv.grad(cv.grad(np.sin, holomorphic=True), holomorphic=True)(z)
    assert_allclose(second, -np.sin(z), rtol=1e-13)
    second = cv.jacfwd(cv.grad(np.sin, holomorphic=True), holomorphic=True)(z)
    assert_allclose(second, -np.sin(z), rtol=1e-13)


def test_batched_holomorphic_derivative():
    assert_allclose(cv.vmap(cv.grad(np.tanh, holomorphic=True))(Z), 1 - np.tanh(Z) ** 2, rtol=1e-13)
