"""`covector.numpy.array_api`: inside it all arrays are of one kind."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import covector
import covector.numpy as cnp
from covector.core.tracer import running
from helpers import check, since

X = np.array([0.5, -1.2, 2.0])
Y = np.array([1.0, 0.3, -0.4])
M = np.array([[0.3, -0.7, 1.2], [0.9, 0.1, -0.4]])


def one_namespace(*xs: Any) -> Any:
    """What libraries do: ask every array, and accept one answer only."""
    kinds = {"numpy" if isinstance(x, np.ndarray | np.generic) else x.__array_namespace__().__name__ for x in xs}
    assert len(kinds) == 1, kinds
    return cnp if kinds == {"covector.numpy"} else np


def masked(x: Any, y: Any) -> Any:
    xp = one_namespace(x, y)
    larger = x > y
    xp = one_namespace(larger, xp.argmax(x), xp.any(larger), xp.sum(larger), xp.asarray(0.5), x)
    out = xp.zeros_like(y)
    out[larger] = x[larger] ** 2
    out[~larger] = y[~larger]
    return out * xp.asarray(0.5)


def written(x: Any) -> Any:
    xp = one_namespace(x)
    total = xp.sum(x)[()] * xp.max(x)[None]
    y = xp.empty(3)
    y[0] = total[0]
    y[1:] = xp.asarray([1.0, 2.0]) * x[0]
    if y[2] > 0.0 and bool(xp.all(xp.isfinite(y))):
        y[2] += x[1]
    zero_d = xp.asarray(xp.sum(x), copy=True)
    zero_d[zero_d < 0.0] = 7.0
    zero_d[zero_d > 0.0] = x[2] ** 2
    return xp.concat([y, xp.reshape(zero_d, (1,))])


def sorted_by(x: Any) -> Any:
    xp = one_namespace(x)
    order = xp.argsort(x[:, 0])
    counts = xp.count_nonzero(x > 0.0, axis=1)
    one_namespace(order, counts, x)
    return xp.take(x, order, axis=0) * xp.astype(counts, x.dtype)[:, None]


CASES: dict[str, tuple[Any, ...]] = {"masked": (masked, X, Y), "written": (written, X), "sorted": (sorted_by, M)}


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_those_of_the_function(name: str) -> None:
    fun, *arrays = CASES[name]
    want = fun(*arrays)
    got = covector.vjp(cnp.array_api(fun), *arrays)[0]
    assert type(got) is np.ndarray and got.tolist() == want.tolist()
    # Masks as indices and branches on values are not for vmap, so modes and orders are checked one by one.
    loss = lambda *xs: np.sum(np.sin(cnp.array_api(fun)(*xs)))
    plain = lambda *xs: np.sum(np.sin(fun(*xs)))
    gradients = covector.grad(loss, argnums=tuple(range(len(arrays))))(*arrays)
    steps = tuple(np.cos(np.arange(x.size, dtype=float)).reshape(x.shape) for x in arrays)
    tangent = covector.jvp(loss, tuple(arrays), steps)[1]
    up, down = (plain(*[x + h * s for x, s in zip(arrays, steps, strict=True)]) for h in (1e-6, -1e-6))
    np.testing.assert_allclose(tangent, (up - down) / 2e-6, rtol=1e-8)
    np.testing.assert_allclose(sum(np.sum(g * s) for g, s in zip(gradients, steps, strict=True)), tangent, rtol=1e-12)
    twice = covector.hvp(loss, tuple(arrays), steps)[1]
    upper, lower = (
        covector.grad(loss, argnums=tuple(range(len(arrays))))(*[x + h * s for x, s in zip(arrays, steps, strict=True)])
        for h in (1e-6, -1e-6)
    )
    for t, u, d in zip(twice, upper, lower, strict=True):
        np.testing.assert_allclose(t, (u - d) / 2e-6, rtol=1e-6, atol=1e-8)


@since("2.1.0")
def test_every_transform_sees_through_it() -> None:
    @cnp.array_api
    def fun(x: Any, y: Any) -> Any:
        xp = one_namespace(x, y)
        return {"a": xp.where(x > y, xp.sin(x), y * y), "b": [xp.linalg.vector_norm(x), xp.cumulative_sum(y)]}

    check(lambda x, y: fun(x, y), X, Y)
    check(lambda x: fun(x, Y), X)
    jacobian = covector.jacfwd(lambda x: covector.vmap(fun, in_axes=(0, None))(x, Y)["a"])(M)
    assert jacobian.shape == (2, 3, 2, 3)


def test_transforms_inside_it() -> None:
    @cnp.array_api
    def fun(x: Any) -> Any:
        inner = covector.grad(lambda t: cnp.sum(t**3 * x))(x)  # 3x³, with x a constant of the inner transform
        return cnp.sum(covector.vmap(lambda t: t * inner[0])(x))

    assert covector.grad(fun)(np.array([2.0, 1.0])).tolist() == [4 * 3 * 8.0 + 9 * 4.0, 24.0]


def test_plain_values_may_be_converted() -> None:
    @cnp.array_api
    def fun(x: Any) -> Any:
        count = cnp.sum(x > 0.0)
        assert float(count) == 2.0 and int(count) == 2 and complex(count) == 2 and count.item() == 2
        assert count.tolist() == 2 and np.asarray(count) == 2 and f"{count:d}" == "2"
        assert np.asarray(x > 0.0).tolist() == (x > 0.0).tolist() == [True, False, True]
        assert [*range(5)][count] == 2
        with pytest.raises(covector.TracerConversionError):
            float(cnp.sum(x))
        with pytest.raises(covector.TracerConversionError, match="test_array_api"):
            np.zeros(1)[0] = cnp.sum(x)
        with pytest.raises(TypeError, match="iter"):
            iter(count)
        return cnp.sum(x) * count

    assert covector.grad(fun)(X).tolist() == [2.0, 2.0, 2.0]


def test_the_callers_arrays_do_not_change() -> None:
    y = Y.copy()

    @cnp.array_api
    def fun(x: Any, y: Any) -> Any:
        y[0] = x[0]
        return cnp.sum(y * x)

    assert covector.grad(fun)(X, y).tolist() == [2 * 0.5, 0.3, -0.4]
    assert y.tolist() == Y.tolist()


class Named(NamedTuple):
    value: Any


class Hidden:
    def __init__(self, value: Any) -> None:
        self.value = value


def test_results_are_pytrees() -> None:
    out, _ = covector.vjp(cnp.array_api(lambda x: Named((x, x > 0.0, 3, None))), X)
    assert isinstance(out, Named) and out.value[1].tolist() == [True, False, True]
    with pytest.raises(covector.TracerConversionError, match=r"Hidden.*return the arrays"):
        covector.vjp(cnp.array_api(Hidden), X)


def test_without_transforms_it_only_calls() -> None:
    assert cnp.array_api(lambda x, *, k: (type(x), k))(X, k=2) == (np.ndarray, 2)


def test_nothing_is_left_behind() -> None:
    kept = []

    def fun(x: Any) -> Any:
        kept.append(x)
        raise KeyError("x")

    with pytest.raises(KeyError):
        covector.grad(cnp.array_api(fun))(X)
    assert running() is None
    with pytest.raises(covector.LeakedTracerError, match="array_api"):
        kept[0] + 1.0
    assert covector.grad(cnp.array_api(lambda x: cnp.sum(x)))(X).tolist() == [1.0, 1.0, 1.0]
