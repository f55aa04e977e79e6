"""torch.func.jacrev, statement by statement and in its order, for NumPy arrays and `covector.jacrev`."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def add_square(x, y):
    return x + y**2


def branch_on_cotangent():
    """A function whose pullback needs the cotangent's value, which a batched pullback cannot give."""

    @cv.custom_vjp
    def f(x):
        return 3 * x

    def bwd(_, ct):
        return (3 * ct if ct.sum() > 0 else 0 * ct,)

    f.defvjp(lambda x: (f(x), None), bwd)
    return f


def test_jacobian_with_respect_to_an_argument(rng):
    """torch.func.jacrev: the Jacobian with respect to the argument at `argnums`, by reverse mode."""
    a, x = rng.normal(size=(3, 5)), rng.normal(size=5)
    jacobian = cv.jacrev(lambda x: np.tanh(a @ x))(x)
    assert_allclose(jacobian, (1 - np.tanh(a @ x) ** 2)[:, None] * a, rtol=1e-13)


def test_chunk_size_one_is_a_loop(rng):
    """torch.func.jacrev, note: with `chunk_size=1` rows come from a plain loop, so limits of `vmap` do not apply."""
    f, x = branch_on_cotangent(), rng.normal(size=4)
    with pytest.raises(cv.ConcretizationError):
        cv.jacrev(f)(x)
    assert_array_equal(cv.jacrev(f, chunk_size=1)(x), 3 * np.eye(4))


def test_one_or_more_outputs(rng):
    """torch.func.jacrev: a function may return several arrays; the output's structure is outermost."""
    x = rng.normal(size=3)
    jacobian = cv.jacrev(lambda x: {"sin": np.sin(x), "sum": x.sum()})(x)
    assert list(jacobian) == ["sin", "sum"]
    assert_allclose(jacobian["sin"], np.diag(np.cos(x)), rtol=1e-15)
    assert_array_equal(jacobian["sum"], np.ones(3))


def test_argnums_default_to_the_first(rng):
    """torch.func.jacrev: `argnums` is 0 unless given."""
    x, y = rng.normal(size=5), rng.normal(size=5)
    assert_array_equal(cv.jacrev(add_square)(x, y), np.eye(5))


def test_has_aux_returns_a_pair(rng):
    """torch.func.jacrev: `has_aux` expects a pair and returns (jacobian, aux)."""
    x = rng.normal(size=3)
    jacobian, aux = cv.jacrev(lambda x: (np.sin(x), ("note", x * 2)), has_aux=True)(x)
    assert_allclose(jacobian, np.diag(np.cos(x)), rtol=1e-15)
    assert aux[0] == "note" and type(aux[1]) is np.ndarray
    assert_array_equal(aux[1], 2 * x)


@pytest.mark.parametrize("chunk_size", [None, 1, 2, 3, 5, 6, 7, 100])
@pytest.mark.parametrize("preallocate", [False, True])
def test_chunk_size_changes_memory_not_the_result(rng, chunk_size, preallocate):
    """torch.func.jacrev: None is one batch, 1 a loop, k means k rows at a time; the Jacobian is the same."""
    a, x = rng.normal(size=(2, 3, 4)), rng.normal(size=4)
    jacobian = cv.jacrev(lambda x: np.sin(a @ x), chunk_size=chunk_size, _preallocate_and_copy=preallocate)(x)
    assert jacobian.shape == (2, 3, 4)
    assert_allclose(jacobian, np.cos(a @ x)[..., None] * a, rtol=1e-13)


def test_returned_function_takes_the_same_inputs(rng):
    """torch.func.jacrev: the returned function takes what the function takes, keywords included."""
    x, y = rng.normal(size=2), rng.normal(size=2)

    def f(x, y, *, power=1):
        return x * y**power

    assert_array_equal(cv.jacrev(f)(x, y), np.diag(y))
    assert_allclose(cv.jacrev(f)(x, y, power=2), np.diag(y**2), rtol=1e-15)


def test_pointwise_function_gives_a_diagonal(rng):
    """torch.func.jacrev, first example: the Jacobian of `np.sin` is diagonal."""
    x = rng.normal(size=5)
    assert_allclose(cv.jacrev(np.sin)(x), np.diag(np.cos(x)), rtol=1e-15)


def test_output_as_auxiliary(rng):
    """torch.func.jacrev, second example: the output comes along through `has_aux`."""
    x = rng.normal(size=5)

    def g(x):
        result = np.sin(x)
        return result, result

    jacobian, f_x = cv.jacrev(g, has_aux=True)(x)
    assert_array_equal(f_x, np.sin(x))
    assert_allclose(jacobian, np.diag(np.cos(x)), rtol=1e-15)


def test_composes_with_vmap(rng):
    """torch.func.jacrev, third example: `vmap(jacrev(f))` gives batched Jacobians."""
    x = rng.normal(size=(64, 5))
    jacobian = cv.vmap(cv.jacrev(np.sin))(x)
    assert jacobian.shape == (64, 5, 5)
    assert_allclose(jacobian, np.cos(x)[:, :, None] * np.eye(5), rtol=1e-15)


def test_composes_with_itself(rng):
    """torch.func.jacrev, fourth example: `jacrev(jacrev(f))` gives Hessians."""
    x = rng.normal(size=5)
    hessian = cv.jacrev(cv.jacrev(lambda x: np.sin(x).sum()))(x)
    assert_allclose(hessian, np.diag(-np.sin(x)), rtol=1e-14)


def test_another_argument(rng):
    """torch.func.jacrev, fifth example: `argnums=1`."""
    x, y = rng.normal(size=5), rng.normal(size=5)
    assert_allclose(cv.jacrev(add_square, argnums=1)(x, y), np.diag(2 * y), rtol=1e-15)


def test_several_arguments(rng):
    """torch.func.jacrev, sixth example: a tuple of `argnums` gives a tuple of Jacobians."""
    x, y = rng.normal(size=5), rng.normal(size=5)
    jacobian = cv.jacrev(add_square, argnums=(0, 1))(x, y)
    assert type(jacobian) is tuple and len(jacobian) == 2
    assert_array_equal(jacobian[0], np.eye(5))
    assert_allclose(jacobian[1], np.diag(2 * y), rtol=1e-15)


def test_inner_no_grad_is_respected():
    """torch.func.jacrev, note case 1: what is computed under `no_grad` inside the function is a constant."""

    def f(x):
        with cv.no_grad():
            c = x**2
        return x - c

    assert_array_equal(cv.jacrev(f)(np.array([1.0, 2.0])), np.eye(2))


def test_outer_no_grad_is_not_respected():
    """torch.func.jacrev, note case 2: a `no_grad` around the transform changes nothing."""
    x = np.array([1.0, 2.0])
    with cv.no_grad():
        jacobian = cv.jacrev(lambda x: x - x**2)(x)
    assert_array_equal(jacobian, np.diag(1 - 2 * x))
