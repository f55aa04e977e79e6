"""One buffer, several transforms at a time; rules and recomputation that write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

# --- one buffer, several levels ---------------------------------------------------------------------------------------


def test_an_inner_value_is_written_into_an_outer_buffer() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)

        def inner(u: Any) -> Any:
            z = np.zeros_like(y)
            z[0] = u * x[0]
            z[1] = u**2
            return np.sum(z * x)

        y[0] = cv.grad(inner)(x[1])
        y[1] = y[0] * x[0]
        return y.sum()

    def pure(x: Any) -> Any:
        g = x[0] * x[0] + 2.0 * x[1] * x[1]
        return g + g * x[0]

    x = np.array([0.7, 1.3])
    assert_allclose(cv.grad(f)(x), cv.grad(pure)(x), rtol=1e-14)
    assert_allclose(cv.hessian(f)(x), cv.hessian(pure)(x), rtol=1e-13)
    assert_allclose(cv.vmap(f)(np.stack([x, 2 * x])), [pure(x), pure(2 * x)], rtol=1e-14)


def test_a_buffer_of_an_outer_transform_takes_values_of_an_inner_one_only_while_that_runs() -> None:
    """Afterwards the buffer holds a value of a transform that has ended: using it is an error, not a number."""

    def f(x: Any) -> Any:
        y = np.zeros_like(x)

        def inner(u: Any) -> Any:
            y[0] = u * 2.0
            return u * y[0]

        cv.grad(inner)(x[1])
        return y.sum()

    with pytest.raises(cv.CovectorError):
        cv.grad(f)(np.array([1.0, 2.0]))


def test_a_plain_write_of_an_inner_function_stays() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)

        def inner(u: Any) -> Any:
            y[0] = x[0] * 3.0
            return u * u

        y[1] = cv.grad(inner)(x[1])
        return y.sum()

    assert_allclose(cv.grad(f)(np.array([1.0, 2.0])), [3.0, 2.0])


def test_perturbations_are_not_confused() -> None:
    def f(x: Any) -> Any:
        y = np.zeros((2,), like=x)
        y[0] = x

        def inner(u: Any) -> Any:
            z = y.copy()
            z[1] = u
            return z[0] * z[1]

        return x * cv.grad(inner)(2.0)

    assert_allclose(cv.grad(f)(3.0), 6.0)


def test_vmap_promotes_a_buffer_at_its_first_mapped_write() -> None:
    def f(x: Any, shared: Any) -> Any:
        y = np.zeros_like(shared)
        y[0] = 1.0
        v = y[1:]
        y[1] = x
        v[1] = y[1] * shared[2]
        return y

    shared = np.array([1.0, 2.0, 3.0])
    got = cv.vmap(f, in_axes=(0, None))(np.array([4.0, 5.0]), shared)
    assert_array_equal(got, [[1.0, 4.0, 12.0], [1.0, 5.0, 15.0]])
    assert_array_equal(shared, [1.0, 2.0, 3.0])


def test_vmap_with_a_mapped_index() -> None:
    def f(x: Any, i: Any) -> Any:
        y = x.copy()
        y[i] = 10.0
        y[i] += x[0]
        np.add.at(y, np.stack([i, i]), x[1])
        return y

    x = np.arange(6.0).reshape(2, 3)
    indices = np.array([2, 0])
    want = np.stack([f(row, i) for row, i in zip(x, indices, strict=True)])
    assert_array_equal(cv.vmap(f)(x, indices), want)
    one = np.stack([f(x[0], i) for i in indices])
    assert_array_equal(cv.vmap(f, in_axes=(None, 0))(x[0], indices), one)
    assert_array_equal(x, np.arange(6.0).reshape(2, 3))


def test_vmap_with_a_mapped_mask() -> None:
    def f(x: Any, mask: Any) -> Any:
        y = np.zeros_like(x)
        y[mask] = 7.0
        y[~mask] = x[0]
        return y

    x = np.arange(6.0).reshape(2, 3)
    masks = np.array([[True, False, True], [False, False, True]])
    assert_array_equal(cv.vmap(f)(x, masks), [[7.0, 0.0, 7.0], [3.0, 3.0, 7.0]])


def test_vmap_refuses_values_for_a_mapped_mask() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[x > 0] = np.ones(2)
        return y

    with pytest.raises(cv.ConcretizationError):
        cv.vmap(f)(np.array([[1.0, 2.0, -1.0], [1.0, -2.0, 3.0]]))


def test_collectives_see_what_was_written() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[0] = cv.psum(x[1], "i")
        y[1] = y[0] * x[0]
        return cv.psum(y, "i")

    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert_array_equal(cv.vmap(f, axis_name="i")(x), [[12.0, 24.0], [12.0, 24.0]])


# --- rules and recomputation ------------------------------------------------------------------------------------------


def test_custom_jvp_rule_and_function_that_write() -> None:
    @cv.custom_jvp
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[0] = x[1] ** 2
        z = x.copy()
        z *= 3.0
        y[1] = z[0]
        return y

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x,), (t,) = primals, tangents
        out = f(x)
        dy = np.zeros_like(t)
        dy[0] = 2.0 * x[1] * t[1]
        dy[1] = 3.0 * t[0]
        return out, dy

    x = np.array([2.0, 5.0])
    want = [[0.0, 10.0], [3.0, 0.0]]
    assert_allclose(cv.jacfwd(f)(x), want)
    assert_allclose(cv.jacrev(f)(x), want)
    assert_allclose(cv.vmap(cv.jacrev(f))(np.stack([x, x])), [want, want])
    assert_array_equal(x, [2.0, 5.0])


def test_custom_vjp_rule_and_function_that_write() -> None:
    @cv.custom_vjp
    def f(x: Any) -> Any:
        y = x.copy()
        y[1:] *= y[:-1]
        return y

    def forward(x: Any) -> Any:
        return f(x), x

    def backward(x: Any, ct: Any) -> Any:
        bar = np.zeros_like(ct)
        bar[0] = ct[0]
        bar[1:] = ct[1:] * x[:-1]
        bar[:-1] += ct[1:] * x[1:]
        return (bar,)

    f.defvjp(forward, backward)
    x = np.array([2.0, 5.0, 3.0])
    want = [[1.0, 0.0, 0.0], [5.0, 2.0, 0.0], [0.0, 3.0, 5.0]]
    assert_allclose(cv.jacrev(f)(x), want)
    ct = np.ones(3)
    assert_allclose(cv.vjp(f, x)[1](ct)[0], [6.0, 5.0, 5.0])
    assert_array_equal(ct, np.ones(3))
    assert_allclose(cv.hessian(lambda x: np.sum(f(x)))(x), [[0, 1, 0], [1, 0, 1], [0, 1, 0]], atol=1e-14)


def test_a_checkpointed_function_writes_into_its_argument() -> None:
    """As without checkpoint: the caller of the checkpointed function sees the change, or it is refused."""

    def change(y: Any) -> Any:
        y[0] = y[1] * 2.0
        return y.sum()

    def f(x: Any) -> Any:
        y = x * 1.0
        s = cv.checkpoint(change)(y)
        return s + y[0]

    x = np.array([1.0, 3.0])
    try:
        got = cv.grad(f)(x)
    except (cv.CovectorError, ValueError):
        return
    assert_allclose(got, [0.0, 5.0])
