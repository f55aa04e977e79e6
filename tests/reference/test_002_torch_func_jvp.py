"""torch.func.jvp, statement by statement and in its order, for NumPy arrays and `covector.jvp`."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def test_returns_output_and_jacobian_times_tangents(rng):
    """torch.func.jvp: the output and the Jacobian at the primals times the tangents."""
    a, x, t = rng.normal(size=(3, 5)), rng.normal(size=5), rng.normal(size=5)
    result = cv.jvp(lambda x: np.tanh(a @ x), (x,), (t,))
    assert isinstance(result, tuple) and len(result) == 2
    assert_allclose(result[0], np.tanh(a @ x), rtol=1e-15)
    assert_allclose(result[1], (1 - np.tanh(a @ x) ** 2) * (a @ t), rtol=1e-13)


def test_one_or_more_outputs(rng):
    """torch.func.jvp: a function may return several arrays; the tangents have the same structure."""
    x, t = rng.normal(size=3), rng.normal(size=3)
    out, tangent = cv.jvp(lambda x: (np.sin(x), {"sum": x.sum()}), (x,), (t,))
    assert type(tangent) is tuple and list(tangent[1]) == ["sum"]
    assert_allclose(out[1]["sum"], x.sum(), rtol=1e-15)
    assert_allclose(tangent[0], np.cos(x) * t, rtol=1e-15)
    assert_allclose(tangent[1]["sum"], t.sum(), rtol=1e-15)


def test_tangents_have_the_structure_of_the_inputs(rng):
    """torch.func.jvp: tangents must match the inputs in structure; a different number is refused."""
    x = rng.normal(size=3)
    with pytest.raises(TypeError):
        cv.jvp(lambda x, y: x * y, (x, x), (x,))


def test_tangents_have_the_sizes_of_the_inputs(rng):
    """torch.func.jvp: tangents must match the inputs in size; another shape is refused."""
    with pytest.raises(ValueError):
        cv.jvp(np.sin, (rng.normal(size=3),), (rng.normal(size=4),))


def test_has_aux(rng):
    """torch.func.jvp: with `has_aux` the pair's second element is returned third and not differentiated."""
    x = rng.normal(size=3)
    out, tangent, aux = cv.jvp(lambda x: (x**2, (np.sin(x), "text")), (x,), (np.ones(3),), has_aux=True)
    assert_allclose(out, x**2, rtol=1e-15)
    assert_allclose(tangent, 2 * x, rtol=1e-15)
    assert type(aux[0]) is np.ndarray and aux[1] == "text"
    assert_allclose(aux[0], np.sin(x), rtol=1e-15)


def test_operator_without_forward_rule_is_an_error_not_a_wrong_number():
    """torch.func.jvp, note: an operator without a rule is reported by name.

    torch asks for a bug report; here the error is `NotDifferentiableError`.
    """
    double = np.frompyfunc(lambda v: 2 * v, 1, 1)
    with pytest.raises(cv.NotDifferentiableError):
        cv.jvp(double, (np.arange(3.0),), (np.ones(3),))


def test_gradient_of_a_function_from_r1_to_rn(rng):
    """torch.func.jvp, first example: one product is the whole derivative of a curve."""
    x = np.float64(rng.normal())

    def f(x):
        return x * np.array([1.0, 2.0, 3.0])

    value, derivative = cv.jvp(f, (x,), (1.0,))
    assert_array_equal(value, f(x))
    assert_array_equal(derivative, [1.0, 2.0, 3.0])


def test_multiple_inputs(rng):
    """torch.func.jvp, second example: one tangent for each input."""
    x, y = rng.normal(size=5), rng.normal(size=5)
    _, tangent = cv.jvp(lambda x, y: x * y, (x, y), (np.ones(5), np.ones(5)))
    assert_allclose(tangent, x + y, rtol=1e-15)


def test_strict_refuses_an_independent_output(rng):
    """torch.func.jvp: `strict` is in the signature; True raises for an output independent of every input."""
    x = rng.normal(size=3)
    with pytest.raises(RuntimeError):
        cv.jvp(lambda x: (x, np.ones(2)), (x,), (x,), strict=True)
    _, (_, tangent) = cv.jvp(lambda x: (x, np.ones(2)), (x,), (x,))
    assert_array_equal(tangent, np.zeros(2))


def test_strict_and_has_aux_are_keyword_only(rng):
    """torch.func.jvp: what follows the tangents is passed by keyword."""
    x = rng.normal(size=3)
    with pytest.raises(TypeError):
        cv.jvp(np.sin, (x,), (x,), False)
