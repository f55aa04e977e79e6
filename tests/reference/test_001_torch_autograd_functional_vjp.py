"""torch.autograd.functional.vjp, statement by statement and in its order, for `covector.functional.vjp`."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector import functional


def exp_reducer(x):
    return np.exp(x).sum(axis=1)


def adder(x, y):
    return 2 * x + 3 * y


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_product_of_a_vector_and_the_jacobian_at_a_point(rng):
    """torch.autograd.functional.vjp: v times the Jacobian of the function at the point given by the inputs."""
    a, x, v = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=3)
    out, product = functional.vjp(lambda x: np.sin(a @ x), x, v)
    assert_allclose(out, np.sin(a @ x), rtol=1e-15)
    assert_allclose(product, v @ (np.cos(a @ x)[:, None] * a), rtol=1e-13)


def test_inputs_form_a_tuple_or_an_array(rng):
    """torch.autograd.functional.vjp: the result has the form of the inputs: bare for bare, tuple for tuple."""
    x = rng.random(3)
    _, bare = functional.vjp(np.sin, x, np.ones(3))
    _, in_tuple = functional.vjp(np.sin, (x,), np.ones(3))
    assert isinstance(bare, np.ndarray)
    assert type(in_tuple) is tuple and len(in_tuple) == 1
    assert_array_equal(in_tuple[0], bare)


def test_function_may_return_a_tuple(rng):
    """torch.autograd.functional.vjp: outputs and v may be tuples of arrays."""
    x = rng.random(3)
    out, product = functional.vjp(lambda x: (np.sin(x), x**2), x, (np.ones(3), np.full(3, 2.0)))
    assert type(out) is tuple and len(out) == 2
    assert_allclose(product, np.cos(x) + 4 * x, rtol=1e-14)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_v_defaults_to_one_for_a_single_element(rng, shape):
    """torch.autograd.functional.vjp: v is optional when the output has a single element, and is then 1."""
    x = rng.random(3)
    out, product = functional.vjp(lambda x: np.reshape((x**2).sum(), shape), x)
    assert np.shape(out) == shape
    assert_allclose(product, 2 * x, rtol=1e-15)


def test_v_is_required_for_other_outputs(rng):
    """torch.autograd.functional.vjp: v cannot be left out when the output has several elements."""
    with pytest.raises((RuntimeError, ValueError), match=r"v"):
        functional.vjp(exp_reducer, rng.random((4, 4)))


def test_v_has_the_size_of_the_output(rng):
    """torch.autograd.functional.vjp: v must be of the output's size; the error shows both."""
    with pytest.raises((RuntimeError, ValueError)) as info:
        functional.vjp(exp_reducer, rng.random((4, 4)), np.ones(3))
    assert "(4,)" in str(info.value) and "(3,)" in str(info.value)


def test_create_graph_keeps_output_and_result_differentiable(rng):
    """torch.autograd.functional.vjp: with `create_graph` both output and result are computed differentiably."""
    x, v = rng.random(3), np.ones(3)

    def through_result(x):
        return functional.vjp(np.exp, x, v, create_graph=True)[1].sum()

    def through_output(x):
        return functional.vjp(np.exp, x, v, create_graph=True)[0].sum()

    assert_allclose(cv.grad(through_result)(x), np.exp(x), rtol=1e-14)
    assert_allclose(cv.grad(through_output)(x), np.exp(x), rtol=1e-14)


def test_create_graph_result_may_be_disconnected(rng):
    """torch.autograd.functional.vjp: a result that does not depend on the inputs is allowed; its derivative is 0."""
    x = rng.random(3)
    hessian_row = cv.grad(lambda x: functional.vjp(lambda x: 2 * x, x, np.ones(3), create_graph=True)[1].sum())(x)
    assert_array_equal(hessian_row, np.zeros(3))


def test_create_graph_defaults_to_false(rng):
    """torch.autograd.functional.vjp: by default output and result are constants to whatever is outside."""
    x, v = rng.random(3), np.ones(3)
    assert_array_equal(cv.grad(lambda x: functional.vjp(np.exp, x, v)[1].sum())(x), np.zeros(3))
    assert_array_equal(cv.grad(lambda x: functional.vjp(np.exp, x, v)[0].sum())(x), np.zeros(3))


def test_strict_refuses_an_unused_input(rng):
    """torch.autograd.functional.vjp: `strict=True` raises if all outputs are independent of some input."""
    x, y = rng.random(2), rng.random(2)
    with pytest.raises(RuntimeError):
        functional.vjp(lambda x, y: 2 * x, (x, y), np.ones(2), strict=True)


def test_strict_accepts_inputs_that_are_each_used_somewhere(rng):
    """torch.autograd.functional.vjp: it is enough that some output depends on each input."""
    x, y = rng.random(2), rng.random(2)
    _, (xbar, ybar) = functional.vjp(lambda x, y: (2 * x, 3 * y), (x, y), (np.ones(2), np.ones(2)), strict=True)
    assert_array_equal(xbar, [2.0, 2.0])
    assert_array_equal(ybar, [3.0, 3.0])


def test_not_strict_gives_zeros(rng):
    """torch.autograd.functional.vjp: `strict=False`, the default, returns zeros for an unused input."""
    x, y = rng.random(2), rng.random((2, 3))
    _, (xbar, ybar) = functional.vjp(lambda x, y: 2 * x, (x, y), np.ones(2))
    assert_array_equal(xbar, [2.0, 2.0])
    assert_array_equal(ybar, np.zeros((2, 3)))


def test_result_has_the_shape_of_the_inputs(rng):
    """torch.autograd.functional.vjp: the pair is the output and a product shaped like the inputs."""
    shapes = [(2, 3), (3,), ()]
    inputs = tuple(rng.random(s) for s in shapes)
    result = functional.vjp(lambda a, b, c: (a @ b) * c, inputs, np.ones(2))
    assert isinstance(result, tuple) and len(result) == 2
    assert [np.shape(p) for p in result[1]] == shapes


def test_example_exp_reducer(rng):
    """torch.autograd.functional.vjp, first example: row sums of exponentials."""
    inputs, v = rng.random((4, 4)), np.ones(4)
    out, product = functional.vjp(exp_reducer, inputs, v)
    assert_allclose(out, np.exp(inputs).sum(1), rtol=1e-15)
    assert_allclose(product, np.exp(inputs), rtol=1e-15)
    assert type(out) is np.ndarray and type(product) is np.ndarray


def test_example_exp_reducer_with_create_graph(rng):
    """torch.autograd.functional.vjp, second example: same values with `create_graph`.

    torch shows a `grad_fn` on the results; here results outside a transform are plain arrays in either case, and
    differentiability shows in an enclosing transform.
    """
    inputs, v = rng.random((4, 4)), np.ones(4)
    out, product = functional.vjp(exp_reducer, inputs, v, create_graph=True)
    assert_array_equal(out, functional.vjp(exp_reducer, inputs, v)[0])
    assert_array_equal(product, functional.vjp(exp_reducer, inputs, v)[1])
    assert type(out) is np.ndarray and type(product) is np.ndarray


def test_example_adder(rng):
    """torch.autograd.functional.vjp, third example: two inputs, a tuple of two products."""
    inputs, v = (rng.random(2), rng.random(2)), np.ones(2)
    out, product = functional.vjp(adder, inputs, v)
    assert_allclose(out, 2 * inputs[0] + 3 * inputs[1], rtol=1e-15)
    assert type(product) is tuple
    assert_array_equal(product[0], [2.0, 2.0])
    assert_array_equal(product[1], [3.0, 3.0])
