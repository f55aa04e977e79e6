"""torch.func.vjp, statement by statement and in its order, for NumPy arrays and `covector.vjp`."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_returns_the_result_and_a_function_of_cotangents(rng):
    """torch.func.vjp: it returns the function's result and a function of cotangents, ct ↦ ct · J."""
    a, x, ct = rng.normal(size=(3, 5)), rng.normal(size=5), rng.normal(size=3)
    result = cv.vjp(lambda x: np.tanh(a @ x), x)
    assert isinstance(result, tuple) and len(result) == 2
    out, vjp_fn = result
    assert callable(vjp_fn)
    assert_allclose(out, np.tanh(a @ x), rtol=1e-15)
    jacobian = (1 - np.tanh(a @ x) ** 2)[:, None] * a
    assert_allclose(vjp_fn(ct)[0], ct @ jacobian, rtol=1e-13)


def test_function_takes_one_or_more_arguments(rng):
    """torch.func.vjp: the function takes one argument or several, each of which is differentiated."""
    xs = [rng.normal(size=4) for _ in range(3)]
    _, vjp_fn = cv.vjp(lambda a, b, c: a * b * c, *xs)
    bars = vjp_fn(np.ones(4))
    a, b, c = xs
    assert len(bars) == 3
    for got, expected in zip(bars, (b * c, a * c, a * b), strict=True):
        assert_allclose(got, expected, rtol=1e-14)


def test_has_aux_is_false_by_default(rng):
    """torch.func.vjp: without the flag a returned pair is two outputs, each with its own cotangent."""
    x = rng.normal(size=3)
    out, vjp_fn = cv.vjp(lambda x: (np.sin(x), x * 2), x)
    assert isinstance(out, tuple) and len(out) == 2
    assert_allclose(vjp_fn((np.ones(3), np.ones(3)))[0], np.cos(x) + 2, rtol=1e-14)


def test_has_aux_returns_a_triple(rng):
    """torch.func.vjp: with `has_aux` the second element of the pair is handed on and not differentiated."""
    x = rng.normal(size=3)
    out, vjp_fn, aux = cv.vjp(lambda x: (np.sin(x), {"norm": x @ x, "label": "run"}), x, has_aux=True)
    assert_allclose(out, np.sin(x), rtol=1e-15)
    assert aux["label"] == "run"
    assert isinstance(aux["norm"], np.float64)
    assert_allclose(aux["norm"], x @ x, rtol=1e-15)
    assert_allclose(vjp_fn(np.ones(3))[0], np.cos(x), rtol=1e-14)


def test_vjp_fn_returns_a_tuple_even_for_one_primal(rng):
    """torch.func.vjp: the returned function gives a tuple with one product per primal."""
    _, vjp_fn = cv.vjp(np.sin, rng.normal(size=2))
    bars = vjp_fn(np.ones(2))
    assert type(bars) is tuple and len(bars) == 1


def test_simple_case_behaves_like_grad(rng):
    """torch.func.vjp, first example: for a scalar output, the product with 1 is `grad`."""
    x = rng.normal(size=5)

    def f(x):
        return np.sin(x).sum()

    _, vjp_fn = cv.vjp(f, x)
    assert_array_equal(vjp_fn(1.0)[0], cv.grad(f)(x))
    assert_array_equal(vjp_fn(np.array(1.0))[0], cv.grad(f)(x))
    assert_allclose(vjp_fn(1.0)[0], np.cos(x), rtol=1e-15)


def test_multiple_outputs(rng):
    """torch.func.vjp, second example: a tuple of outputs takes a tuple of cotangents, given as one argument."""
    x = rng.normal(size=5)
    _, vjp_fn = cv.vjp(lambda x: (np.sin(x), np.cos(x)), x)
    bars = vjp_fn((np.ones(5), np.ones(5)))
    assert_allclose(bars[0], np.cos(x) + -np.sin(x), rtol=1e-14)


def test_outputs_in_a_python_structure(rng):
    """torch.func.vjp, third example: a dict of outputs takes a dict of cotangents."""
    x = rng.normal(size=5)
    out, vjp_fn = cv.vjp(lambda x: {"first": np.sin(x), "second": np.cos(x)}, x)
    assert list(out) == ["first", "second"]
    bars = vjp_fn({"first": np.ones(5), "second": np.ones(5)})
    assert_allclose(bars[0], np.cos(x) + -np.sin(x), rtol=1e-14)


def test_partials_with_respect_to_each_primal(rng):
    """torch.func.vjp, fourth example: `np.matmul` itself is differentiated with respect to both factors."""
    x, y = rng.normal(size=(5, 4)), rng.normal(size=(4, 5))
    _, vjp_fn = cv.vjp(np.matmul, x, y)
    ct = rng.normal(size=(5, 5))
    bars = vjp_fn(ct)
    assert len(bars) == 2
    assert_allclose(bars[0], ct @ y.T, rtol=1e-13)
    assert_allclose(bars[1], x.T @ ct, rtol=1e-13)


def test_keyword_arguments_use_their_defaults(rng):
    """torch.func.vjp, fifth example: primals are positional; keyword arguments keep their defaults."""

    def f(x, scale=4.0):
        return x * scale

    x = rng.normal(size=5)
    _, vjp_fn = cv.vjp(f, x)
    bars = vjp_fn(np.ones_like(x))
    assert len(bars) == 1
    assert_array_equal(bars[0], np.full(x.shape, 4.0))


def test_inner_no_grad_is_respected():
    """torch.func.vjp, note case 1: what is computed under `no_grad` inside the function is a constant."""

    def f(x):
        with cv.no_grad():
            c = x**2
        return x - c

    x = np.array([1.0, 2.0, 3.0])
    out, vjp_fn = cv.vjp(f, x)
    assert_array_equal(out, x - x**2)
    assert_array_equal(vjp_fn(np.ones(3))[0], np.ones(3))


def test_outer_no_grad_is_not_respected():
    """torch.func.vjp, note case 2: a transform's result does not depend on a `no_grad` around the transform."""
    x = np.array([1.0, 2.0, 3.0])
    with cv.no_grad():
        _, vjp_fn = cv.vjp(lambda x: x - x**2, x)
        inside = vjp_fn(np.ones(3))[0]
    assert_array_equal(inside, 1 - 2 * x)
    assert_array_equal(vjp_fn(np.ones(3))[0], 1 - 2 * x)


def test_both_no_grads_together():
    """torch.func.vjp, note: inside an outer `no_grad`, it is still the inner one that decides."""

    def f(x):
        with cv.no_grad():
            c = x**2
        return x**3 - c

    x = np.array([1.0, 2.0])
    with cv.no_grad():
        _, vjp_fn = cv.vjp(f, x)
        assert_allclose(vjp_fn(np.ones(2))[0], 3 * x**2, rtol=1e-15)
