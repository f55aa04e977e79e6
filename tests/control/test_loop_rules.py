"""The rules of the primitive `loop` against Python loops: both modes, two orders, batches, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.control.loop_examples import EXAMPLES, Example, draw

import covector

pytestmark = pytest.mark.parametrize("example", EXAMPLES, ids=repr)


def close(got: Any, want: Any, rtol: float = 1e-11) -> None:
    """Assert that two sequences of arrays are the same up to rounding."""
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        single = np.asarray(b).dtype.itemsize <= 4 and np.asarray(b).dtype.kind == "f"
        scale = np.max(np.abs(b), initial=1.0)
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-5 if single else rtol, atol=(1e-5 if single else rtol) * scale)


def like(xs: Any, seed: int = 1) -> list[Any]:
    """Random arrays of the shapes and dtypes of others."""
    return [draw(*np.shape(x), seed=seed + i, dtype=np.asarray(x).dtype) for i, x in enumerate(xs)]


def total(fun: Any) -> Any:
    """The sum of squares of the results, weighted."""

    def of(*xs: Any) -> Any:
        return sum(np.sum(np.real(y * np.conj(y)) * (k + 1)) for k, y in enumerate(fun(*xs)))

    return of


def gradients(example: Example, fun: Any) -> Any:
    return covector.grad(total(example.of_places(fun)), argnums=tuple(range(len(example.places))))


def test_values(example: Example) -> None:
    close(example.loop(*example.args), example.plain(*example.args))


def test_arguments_stay_as_they_are(example: Example) -> None:
    before = [np.copy(x) for x in example.args]
    example.loop(*example.args)
    gradients(example, example.loop)(*example.point)
    close(example.args, before, rtol=0)


def test_forward_and_reverse(example: Example) -> None:
    f, g = example.of_places(example.loop), example.of_places(example.plain)
    point = tuple(example.point)
    t = tuple(like(point))
    out, moved = covector.jvp(f, point, t)
    want, expected = covector.jvp(g, point, t)
    close(out, want)
    zero = [np.zeros(np.shape(y), np.asarray(y).dtype)[()] for y in want]
    moved = [z if m is None else m for m, z in zip(moved, zero, strict=True)]
    expected = [z if m is None else m for m, z in zip(expected, zero, strict=True)]
    close(moved, expected)
    ct = like(out, seed=7)
    cts = covector.vjp(f, *point)[1](ct)
    close(cts, covector.vjp(g, *point)[1](ct))
    inner = sum(np.vdot(np.conj(c), m) for c, m in zip(ct, moved, strict=True))
    outer = sum(np.vdot(np.conj(c), m) for c, m in zip(cts, t, strict=True))
    np.testing.assert_allclose(
        np.real(inner), np.real(outer), rtol=1e-4 if np.asarray(point[0]).dtype == np.float32 else 1e-9
    )


def test_cotangents_of_some_results(example: Example) -> None:
    f, g = example.of_places(example.loop), example.of_places(example.plain)
    for k in range(len(g(*example.point))):
        one = [covector.grad(total(lambda *xs, h=h, k=k: [h(*xs)[k]]), argnums=0) for h in (f, g)]
        close([one[0](*example.point)], [one[1](*example.point)])


def test_pushforward_of_a_linearization(example: Example) -> None:
    f, g = example.of_places(example.loop), example.of_places(example.plain)
    t = like(example.point, seed=3)
    close(covector.linearize(f, *example.point)[1](*t), covector.linearize(g, *example.point)[1](*t))


@pytest.mark.parametrize("order", ["forward over reverse", "reverse over forward", "reverse over reverse"])
def test_second_order(example: Example, order: str) -> None:
    t = tuple(like(example.point, seed=5))
    point = tuple(example.point)
    results = []
    for fun in (example.loop, example.plain):
        grad = gradients(example, fun)
        scalar = total(example.of_places(fun))
        if order == "forward over reverse":
            results.append(covector.jvp(grad, point, t)[1])
        elif order == "reverse over forward":
            slope = lambda *xs, s=scalar: covector.jvp(s, xs, t)[1]
            results.append(covector.grad(slope, argnums=tuple(range(len(point))))(*point))
        else:
            slope = lambda *xs, g=grad: sum(np.sum(np.real(a * b)) for a, b in zip(g(*xs), t, strict=True))
            results.append(covector.grad(slope, argnums=tuple(range(len(point))))(*point))
    close(*results, rtol=1e-9)


def lanes(example: Example, fun: Any, args: Any, mapped: Any) -> list[Any]:
    """The results of `fun` for each lane, stacked."""
    rows = [fun(*[x[k] if m else x for x, m in zip(args, mapped, strict=True)]) for k in range(3)]
    return [np.stack(ys) for ys in zip(*rows, strict=True)]


def patterns(example: Example) -> list[tuple[Any, ...]]:
    """Arguments for three lanes, and which of them are mapped: each alone, and all."""
    count = len(example.args)
    found = []
    for mapped in [*[tuple(i == j for j in range(count)) for i in range(count)], (True,) * count]:
        args = [_three(x) if m else x for x, m in zip(example.args, mapped, strict=True)]
        found.append((args, mapped))
    return found


def _three(x: Any) -> Any:
    x = np.asarray(x)
    if x.dtype.kind == "i":
        return np.stack([x, x, np.maximum(x - 1, 0)])
    return np.stack([x, x * x.dtype.type(1.05), x * x.dtype.type(0.9)])


def same_rows(example: Example, mapped: Any) -> bool:
    """Whether each lane runs equally often, so that stacks of lanes are alike."""
    return not (example.counted and mapped[0] and example.name == "counted and bounded")


def test_batches(example: Example) -> None:
    for args, mapped in patterns(example):
        axes = tuple(0 if m else None for m in mapped)
        got = covector.vmap(example.loop, in_axes=axes)(*args)
        if same_rows(example, mapped):
            want = lanes(example, example.plain, args, mapped)
            close([np.broadcast_to(y, w.shape) for y, w in zip(got, want, strict=True)], want)


def _real(example: Example, fun: Any) -> Any:
    """Gradients as a function of all arguments."""

    def grads(*args: Any) -> Any:
        def of(*xs: Any) -> Any:
            full = list(args)
            for i, x in zip(example.places, xs, strict=True):
                full[i] = x
            return total(lambda *ys: [y for y in fun(*ys) if np.dtype(y.dtype).kind in "fc"])(*full)

        point = [args[i] for i in example.places]
        return covector.grad(of, argnums=tuple(range(len(point))))(*point)

    return grads


def test_batches_of_gradients(example: Example) -> None:
    for args, mapped in patterns(example):
        if not same_rows(example, mapped):
            continue
        axes = tuple(0 if m else None for m in mapped)
        want = lanes(example, _real(example, example.plain), args, mapped)
        got = covector.vmap(_real(example, example.loop), in_axes=axes)(*args)
        close([np.broadcast_to(y, w.shape) for y, w in zip(got, want, strict=True)], want)


def test_recorded_batches_of_gradients(example: Example) -> None:
    args, mapped = patterns(example)[-1]
    if not same_rows(example, mapped):
        mapped = (False, *mapped[1:])
        args = [example.args[0], *args[1:]]
    axes = tuple(0 if m else None for m in mapped)
    fun = covector.vmap(_real(example, example.loop), in_axes=axes)
    want = lanes(example, _real(example, example.plain), args, mapped)
    close(covector.jit(fun)(*args), want)


def test_gradient_of_batches(example: Example) -> None:
    args, mapped = patterns(example)[-1]
    if not same_rows(example, mapped):
        return
    results = []
    for fun in (example.loop, example.plain):
        rows = example.of_places(fun)
        if fun == example.loop:
            scalar = lambda *xs, r=rows: np.sum(covector.vmap(total(r))(*xs))
        else:
            scalar = lambda *xs, r=rows: sum(total(r)(*[x[k] for x in xs]) for k in range(3))
        point = [args[i] for i in example.places]
        results.append(covector.grad(scalar, argnums=tuple(range(len(point))))(*point))
    close(*results)


def test_compiled(example: Example) -> None:
    close(covector.jit(example.loop)(*example.args), example.plain(*example.args))
    close(
        covector.jit(gradients(example, example.loop))(*example.point),
        gradients(example, example.plain)(*example.point),
    )
    close(
        gradients(example, covector.jit(example.loop))(*example.point),
        gradients(example, example.plain)(*example.point),
    )
