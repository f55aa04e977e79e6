"""Results are arrays of their own: they alias neither each other nor what the caller passed in."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import covector as cv

SIZES = [3, 200_000]


def numbers(n, seed=9):
    return np.random.default_rng(seed).uniform(0.5, 1.5, size=n)


ALIASING = {
    "identity": (lambda x: x, 1),
    "sum of two": (lambda x, y: x + y, 2),
    "difference": (lambda x, y: x - y, 2),
    "positive": (lambda x, y: +x + (+y), 2),
    "reshape": (lambda x, y: np.reshape(x, (3, 1)) + y[:, None], 2),
    "transpose": (lambda x: x.T, 1),
    "reversed": (lambda x: x[::-1], 1),
    "astype": (lambda x: x.astype(float), 1),
    "broadcast": (lambda x, y: np.broadcast_to(x + y, (1, 3)), 2),
    "concatenate": (lambda x, y: np.concatenate([x, y]), 2),
    "where": (lambda x, y: np.where(np.ones(3, bool), x, y), 2),
    "unused": (lambda x, y: np.ones(3), 2),
}


@pytest.mark.parametrize("name", sorted(ALIASING))
def test_cotangents_alias_neither_each_other_nor_the_cotangent_nor_the_primals(name):
    f, count = ALIASING[name]
    primals = [numbers(3, k) for k in range(count)]
    out, vjp_fn = cv.vjp(f, *primals)
    ct = np.ones_like(out)
    bars, again = vjp_fn(ct), vjp_fn(ct)
    arrays = [*bars, *again, ct, *primals]
    for i, a in enumerate(arrays):
        for b in arrays[i + 1 :]:
            assert not np.shares_memory(a, b)
    assert all(bar.flags.writeable for bar in bars)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("f", [lambda x: x, lambda x: x.T, lambda x: x[::-1], lambda x: +x, lambda x: x.reshape(-1, 1)])
def test_tangents_do_not_alias_the_given_ones(f, n):
    x, t = numbers(n), numbers(n, 10)
    out, tangent = cv.jvp(f, (x,), (t,))
    assert not np.shares_memory(out, tangent)
    assert not np.shares_memory(tangent, t) and not np.shares_memory(tangent, x)
    _, push = cv.linearize(f, x)
    assert not np.shares_memory(push(t), t)
    transpose = cv.linear_transpose(f, x)
    ct = f(t).copy()
    assert not np.shares_memory(transpose(ct)[0], ct)


def test_tuple_outputs_get_separate_cotangents():
    x = numbers(3)
    _, vjp_fn = cv.vjp(lambda p: (p["a"], p["b"], p["a"] + p["b"]), {"a": x, "b": x})
    ct = (np.ones(3), np.ones(3), np.ones(3))
    bar = vjp_fn(ct)[0]
    assert not np.shares_memory(bar["a"], bar["b"])
    assert not any(np.shares_memory(bar[k], c) for k in bar for c in ct)


def test_cotangent_is_not_modified():
    x, ct = numbers(3), np.array([1.0, 2.0, 3.0])
    _, vjp_fn = cv.vjp(lambda x: x + x * 2 + np.sin(x), x)
    vjp_fn(ct), vjp_fn(ct)
    assert_array_equal(ct, [1.0, 2.0, 3.0])
    _, vjp_fn = cv.vjp(lambda x: (x, x, x), x)
    vjp_fn((ct, ct, ct))
    assert_array_equal(ct, [1.0, 2.0, 3.0])


def test_gradient_is_the_callers_to_write():
    x = numbers(3)
    g = cv.grad(lambda x: x.sum())(x)
    g += 1
    assert_array_equal(cv.grad(lambda x: x.sum())(x), np.ones(3))
    tangent = cv.jvp(lambda x: x, (x,), (g,))[1]
    assert_array_equal(tangent, np.full(3, 2.0))


def test_jacobian_leaves_are_writable_and_separate():
    x = numbers(3)
    for jac in (cv.jacrev, cv.jacfwd):
        first, second = jac(lambda x, y: x + y, argnums=(0, 1))(x, x)
        first[:] = 7
        assert_array_equal(second, np.eye(3))
