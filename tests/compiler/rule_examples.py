"""For each line of the table of algebraic rules, programs in which it is of use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import covector as cv
from covector.core.primitive import PRIMITIVES, bind

__all__ = ["EXAMPLES", "SPECIAL", "p"]

nan, inf = np.nan, np.inf
SPECIAL = np.array([nan, inf, -inf, -0.0, 0.0, 1.5, -2.25, 3e-310, 1e300, -1.0])
"""What goes wrong when a rule is only right for ordinary numbers."""

S32 = np.array([nan, inf, -inf, -0.0, 0.0, 1.5, -2.25, 1e-40, 1e30, -1.0], np.float32)
WHOLE = np.array([3, -2, 0, 7, -9, 1, 4, 4, -1, 2])
M = np.arange(12.0).reshape(3, 4) - 5.0
Z = np.array([1.0 + 2.0j, complex(nan, inf), complex(-0.0, -0.0), complex(inf, -2.0)])
MASK = np.array([True, False, True, True, False, True, False, True, False, True])


def p(name: str) -> Callable[..., Any]:
    """The primitive of this name as a function."""
    return lambda *args, **params: bind(PRIMITIVES[name], args, params)


def _filled(x: Any, n: int = 5) -> Any:
    return np.zeros(n, like=x)


def _in_place(x: Any, *writes: tuple[Any, Any]) -> Any:
    y = x.copy()
    for index, v in writes:
        y[index] = v
    return y


def _reductions() -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for f in ("max", "min", "nanmax", "nanmin", "any", "all", "count_nonzero"):
        g = p(f)
        if f != "count_nonzero":
            out[f"{f}(broadcast(x)) -> broadcast({f}(x))"] = [
                (lambda x, g=g: g(np.broadcast_to(x, (3, 10)), axis=(0,)), SPECIAL),
                (lambda x, g=g: g(np.broadcast_to(x, (3, 10)), axis=(0, 1)), SPECIAL),
            ]
        out[f"{f}(transpose(x)) -> {f}(x)"] = [(lambda x, g=g: g(x.T, axis=(0,)), M)]
        out[f"{f}(reshape(x)) -> reshape({f}(x))"] = [(lambda x, g=g: g(x.reshape(3, 2, 2), axis=(1, 2)), M)]
    return out


_INDEX = (slice(1, 4),)
_MUL, _PRODUCT, _MASKED, _UNSLICE = p("multiply"), p("product"), p("masked_product"), p("unslice")
_SLICED = lambda x: _UNSLICE(x, index=_INDEX, shape=(5,))

_row = lambda x, k: _UNSLICE(x, index=(k, slice(None)), shape=(3, 4))
EYE = np.eye(10)
TRIANGLE = np.tril_indices(3, -1)

EXAMPLES: dict[str, list[tuple[Any, ...]]] = {
    "x * 1 -> x": [
        (lambda x: x * 1.0, SPECIAL),
        (lambda x: np.ones((2, 10)) * x, SPECIAL),
        (lambda x: x * np.float64(1.0), S32),
        (lambda x: x * 1, WHOLE),
    ],
    "x * -1 -> -x": [(lambda x: -1.0 * x, SPECIAL), (lambda x: x * -1, WHOLE)],
    "(-x) * (-y) -> x * y": [(lambda x: -x * -x[::-1], SPECIAL), (lambda x: -x * 3.0, SPECIAL)],
    "(x * c) * d -> x * (c * d)": [(lambda x: (x * 0.3) * 2.0, SPECIAL), (lambda x: 0.25 * (x * 3.0), S32)],
    "x + x -> 2 * x": [(lambda x: x + x, SPECIAL), (lambda x: x + x, S32)],
    "x / 1 -> x": [(lambda x: x / 1.0, SPECIAL), (lambda x: x / 1, WHOLE)],
    "(-x) / (-y) -> x / y": [(lambda x: -x / -x[::-1], SPECIAL), (lambda x: 2.0 / -x, SPECIAL)],
    "x / c -> x * (1 / c)": [(lambda x: x / 8.0, SPECIAL), (lambda x: x / 0.5, S32), (lambda x: x / -4, WHOLE)],
    "x + (-0) -> x": [(lambda x: x + -0.0, SPECIAL), (lambda x: 0 + x, WHOLE)],
    "x + (-y) -> x - y": [(lambda x: x + -x[::-1], SPECIAL), (lambda z: -z + z[::-1], Z)],
    "x - 0 -> x": [(lambda x: x - 0.0, SPECIAL), (lambda z: z - 0.0, Z), (lambda x: x - np.zeros((2, 1)), SPECIAL)],
    "x - (-y) -> x + y": [(lambda x: x - -x[::-1], SPECIAL), (lambda x: x - -x[::-1], WHOLE)],
    "(-0) - x -> -x": [(lambda x: -0.0 - x, SPECIAL), (lambda x: 0 - x, WHOLE)],
    "-(-x) -> x": [(lambda x: np.negative(-x), v) for v in (SPECIAL, Z, WHOLE)],
    "-(c * x) -> (-c) * x": [(lambda x: -(2.5 * x), SPECIAL), (lambda x: -(x / 3), S32), (lambda x: -(1 / x), SPECIAL)],
    "+x -> x": [(lambda x: +x, SPECIAL)],
    "|-x| -> |x|": [(lambda x: np.abs(-x), SPECIAL)],
    "(-x) ** 2 -> x ** 2": [(lambda x: np.square(-x), SPECIAL)],
    "x ** n -> products": [
        *[(lambda x, n=n: p("power")(x, n), SPECIAL) for n in (2, 0, 1, -1, 0.5, 3, 5, 8, -2, -3, -0.5, 1.5, -1.5)],
        *[(lambda x, n=n: p("power")(x, n), S32) for n in (2, 3, 0.5, -0.5)],
        *[(lambda x, n=n: np.power(x, n), -inf) for n in (0.5, -0.5, 3, -1.5)],
        *[(lambda x, n=n: np.power(x, n), -0.0) for n in (0.5, -0.5, 3, -3, -1.5)],
        (lambda x: x**3, WHOLE),
        (lambda x: x**2.0, WHOLE),
        (lambda x: x ** np.full((2, 10), 2.0), SPECIAL),
    ],
    "max(x, x) -> x": [(lambda x: np.maximum(x, x), SPECIAL)],
    "stop_gradient(x) -> x": [(p("stop_gradient"), SPECIAL)],
    "product(t, p) -> t * p": [
        (lambda x: _PRODUCT(np.full(10, 2.0), x), SPECIAL),
        (lambda x: _PRODUCT(x, np.full(10, 2.0)), SPECIAL),
        (lambda x: _PRODUCT(x, np.less(x, 1.0)), SPECIAL),
        (lambda x: _PRODUCT(0.0, x), SPECIAL),
        (lambda x: _PRODUCT(np.arange(1.0, 11.0), x), SPECIAL),
    ],
    "masked(t, p) -> product(t, p)": [
        (lambda x: _MASKED(np.less(x, 1.0), x), SPECIAL),
        (lambda x: _MASKED(x, np.float64(2.0)), SPECIAL),
        (lambda x: _MASKED(x, 0.0), SPECIAL),
    ],
    "where(c, x, y) -> x or y": [
        (lambda x: np.where(True, x, 1), SPECIAL),
        (lambda x: np.where(np.zeros((2, 10), bool), 1, x), SPECIAL),
    ],
    "where(a, x, x) -> x": [(lambda x: np.where(x > 0, x, x), SPECIAL), (lambda x: np.where(x > 0, 2.0, 2.0), SPECIAL)],
    "where(not a, x, y) -> where(a, y, x)": [(lambda x: np.where(np.logical_not(x > 0), x, 1), SPECIAL)],
    "where(a, where(a, x, y), z) -> where(a, x, z)": [
        (lambda x: np.where(x > 0, np.where(x > 0, x, 5.0), 2.0), SPECIAL),
        (lambda x: np.where(x > 0, 7.0, np.where(x > 0, 1, x)), SPECIAL),
    ],
    "a and True -> a, a and False -> False": [
        (lambda x: np.logical_and(x > 0, True), SPECIAL),
        (lambda x: np.logical_and(np.zeros(10), x), SPECIAL),
    ],
    "a or False -> a, a or True -> True": [
        (lambda x: np.logical_or(x > 0, False), SPECIAL),
        (lambda x: np.logical_or(x, 1), SPECIAL),
    ],
    "not not a -> a": [(lambda x: np.logical_not(np.logical_not(x > 0)), SPECIAL)],
    "x == x -> True": [(lambda x: np.equal(x, x), WHOLE)],
    "x != x -> False": [(lambda x: np.not_equal(x, x), WHOLE)],
    "convert(x) -> x": [(lambda x: p("convert")(x, dtype=x.dtype), SPECIAL)],
    "convert(convert(x)) -> convert(x)": [
        (lambda x: x.astype(np.float64).astype(np.float32), S32),
        (lambda x: x.astype(np.complex128).astype(np.complex64), S32),
    ],
    "real(x) -> x": [(p("real"), SPECIAL), (p("conjugate"), SPECIAL)],
    "real(conj(z)) -> real(z)": [
        (lambda z: np.real(np.conj(z)), Z),
        (lambda x: np.real(x.astype(complex)), SPECIAL),
        (lambda x: np.real(p("join")(x, x[::-1])), SPECIAL),
    ],
    "imag(conj(z)) -> -imag(z)": [
        (lambda z: np.imag(np.conj(z)), Z),
        (lambda x: np.imag(x.astype(complex)), SPECIAL),
        (lambda x: np.imag(p("join")(x, x[::-1])), SPECIAL),
    ],
    "conj(conj(z)) -> z": [(lambda z: np.conj(np.conj(z)), Z)],
    "reshape(x) -> x": [(lambda x: p("reshape")(x, shape=(3, 4)), M)],
    "reshape(reshape(x)) -> reshape(x)": [(lambda x: x.reshape(2, 6).reshape(12), M)],
    "reshape(broadcast(x)) -> broadcast(reshape(x))": [
        (lambda x: np.broadcast_to(x[:, None], (3, 4, 5)).reshape(12, 5), np.arange(20.0).reshape(4, 5)[:1]),
        (lambda x: np.broadcast_to(x, (2, 3, 4)).reshape(2, 12), M),
        (lambda x: np.broadcast_to(x, (2, 3, 4)).reshape(6, 4), M[0]),
    ],
    "transpose(x) -> reshape(x)": [(lambda x: x.reshape(1, 12).T, M)],
    "transpose(transpose(x)) -> transpose(x)": [
        (lambda x: x.reshape(3, 2, 2).transpose(1, 2, 0).transpose(1, 2, 0), M)
    ],
    "transpose(broadcast(x)) -> broadcast(transpose(x))": [
        (lambda x: np.broadcast_to(x, (2, 3, 4)).transpose(2, 0, 1), M),
    ],
    "transpose(reshape(x)) -> reshape(transpose(x))": [(lambda x: x[:, None].transpose(2, 0, 1), M)],
    "broadcast(x) -> reshape(x)": [
        (lambda x: np.broadcast_to(x, (1, 3, 4)), M),
        (lambda x: np.broadcast_to(x[:1], (3, 4)), M),
    ],
    "broadcast(broadcast(x)) -> broadcast(x)": [
        (lambda x: np.broadcast_to(np.broadcast_to(x, (3, 4)), (2, 3, 4)), M[0])
    ],
    "concat(x, empty) -> x": [(lambda x: np.concatenate([x[:0], x]), M), (lambda x: p("concat")(x, axis=0), M)],
    "concat(transpose(x), transpose(y)) -> transpose(concat(x, y))": [
        (lambda x: np.concatenate([x.T, np.sin(x).T], 1), M),
    ],
    "concat(c, c) -> broadcast(c)": [
        (lambda x: x + p("concat")(_PRODUCT(0.0, x), np.zeros((3, 4)), axis=1)[:, :4] * 2.0, M)
    ],
    "read(x, i) -> slice(x, i)": [(lambda x: p("read")(x, index=(1,)), M)],
    "slice(x) -> reshape(x)": [(lambda x: x[:, None], M), (lambda x: x[..., -1], M), (lambda x: x[::1], M)],
    "slice(slice(x)) -> slice(x)": [
        (lambda x: x[1:][::-1], SPECIAL),
        (lambda x: x[:, ::2][-1][None, 1:], M),
        (lambda x: x[None, 1:, None][0, :, 0, ::-1], M),
    ],
    "slice(broadcast(x)) -> broadcast(slice(x))": [
        (lambda x: np.broadcast_to(x, (5, 3, 4))[1:, 0], M),
        (lambda x: np.broadcast_to(x, (5, 3, 4))[2, :, None, ::-1], M),
    ],
    "slice(transpose(x)) -> transpose(slice(x))": [
        (lambda x: x.reshape(3, 2, 2).transpose(2, 0, 1)[1:, None, 1:], M),
        (lambda x: x.reshape(3, 2, 2).transpose(2, 0, 1)[1, ::-1], M),
    ],
    "slice(concat(x, y)) -> slice(x)": [
        (lambda x: np.concatenate([x, 2 * x])[4], M),
        (lambda x: np.concatenate([x, x, x])[2:5], M),
        (lambda x: np.concatenate([x, x.astype(np.float32)], 1)[1, 5:7], M),
        (lambda x: np.stack([x[0], x[1]])[:, ::-1][1], M),
    ],
    "slice(write(x, v)) -> slice(v) or slice(x)": [
        (lambda x: _in_place(x, (1, 2.0 * x[0]))[1], M),
        (lambda x: _in_place(x, (0, x[1]), (slice(1, 3), 3.0))[0, 2:], M),
        (lambda x: _SLICED(x)[0] + _SLICED(x)[2:4], SPECIAL[:3]),
    ],
    "gather(x, indices) -> slice(x)": [
        (lambda x: x[[3, 2, 1]], SPECIAL),
        (lambda x: x[np.array([[0], [2]]), np.array([-1, -2, -3])], M),
        (lambda x: x[np.array([[1]])], M),
    ],
    "gather(x, runs) -> concat(slice(x), slice(x))": [
        (lambda x: x[np.array([1, 2, 0])], M),
        (lambda x: x[np.arange(3)[:, None], np.array([3, -1, 0, 2, 1])], M),
        (lambda x: x[np.array([[2], [2], [0]]), np.arange(4)], M),
    ],
    "gather(put(x, v, i), j) -> v or gather(x, j)": [
        (lambda x: _in_place(x, (TRIANGLE, x[0, :3]))[TRIANGLE] * 2.0, M),
        (lambda x: _in_place(x, (TRIANGLE, x[0, :3]))[TRIANGLE[::-1]] * 2.0, M),
    ],
    "scatter(concat(v, w)) -> unslice(v + w)": [
        (cv.grad(lambda x: np.sum(np.stack([np.sin(k * x[1:4]) for k in range(6)]))), M[0] + 0.3),
        (cv.grad(lambda x: sum(np.exp(x[k % 5] * k) for k in range(30))), SPECIAL[5:] % 0.3),
        (cv.grad(lambda x: sum(np.exp(x[k] * x[k + 1]) for k in range(1, 7))), np.arange(9.0) / 7),
    ],
    "scatter(v, indices) -> unslice(v)": [
        (lambda x: p("scatter")(x, np.array([4, 2, 0]), shape=(5,), unique=False), SPECIAL[:3])
    ],
    "unslice(v) -> reshape(v)": [(lambda x: _UNSLICE(x, index=(..., None), shape=(3,)), M[:3, :1])],
    "unslice(0) -> 0": [(lambda x: x + _SLICED(_PRODUCT(0.0, x[:3])), SPECIAL[:5])],
    "unslice(unslice(v)) -> unslice(v)": [
        (lambda x: _UNSLICE(_SLICED(x), index=(1, slice(None, None, -1)), shape=(2, 5)), M[0, :3])
    ],
    "unslice(v) + unslice(w) -> unslice(v + w)": [
        (lambda x: _SLICED(x) + _SLICED(x[::-1]), SPECIAL[:3]),
        (lambda x: (_row(x[0], 0) + _row(x[1], 2)) + (_row(x[2], 2) + _row(x[1], 0)), M),
        (lambda x: (_row(x[0], 0) + _row(x[1], 1)) + (_row(x[2], 2) + _row(x[1], 0)) + _row(x[1], 2), M),
    ],
    "product(unslice(t), p) -> unslice(product(t, p))": [
        (lambda x: _PRODUCT(_SLICED(x), np.concatenate([x, x[:2]])), SPECIAL[:3]),
        (lambda x: _PRODUCT(_SLICED(x), x[1]), SPECIAL[:3]),
    ],
    "c * unslice(v) -> unslice(c * v)": [(lambda x: _SLICED(x) * 3.0, SPECIAL[:3])],
    "-unslice(v) -> unslice(-v)": [(lambda x: -_SLICED(x), SPECIAL[:3])],
    "convert(unslice(v)) -> unslice(convert(v))": [(lambda x: _SLICED(x).astype(np.float32), SPECIAL[:3])],
    "put(x, v, indices) -> write(x, v)": [(lambda x: _in_place(x, (np.array([0, 2, 4]), x[:3])), SPECIAL)],
    "add_at(x, v, indices) -> write(x, slice(x) + v)": [
        (lambda x: p("add_at")(x, x[:3], np.array([0, 2, 4]), unique=False), SPECIAL),
    ],
    "write(x, v) -> v": [
        (lambda x: p("write")(x, 2, index=(slice(None),)), SPECIAL),
        (lambda x: _in_place(x, (slice(0, 0), 2.0)), SPECIAL),
        (lambda x: p("write")(x, x[::-1].astype(np.float32), index=(..., slice(4))), M),
    ],
    "write(write(x, v), w) -> write(x, w)": [
        (lambda x: _in_place(x, (1, 2.0), (1, x[0])), SPECIAL),
        (lambda x: _in_place(x, (2, 2.0), (slice(1, 4), x[:3])), SPECIAL),
    ],
    "write(0, v) -> unslice(v)": [(lambda x: _in_place(_filled(x), (slice(1, 4), x[2])), SPECIAL)],
    "write(x, slice(x)) -> x": [(lambda x: _in_place(x, (slice(1, 4), x[1:4])), SPECIAL)],
    "sum(x) -> x": [(lambda x: x[:, None].sum(1), SPECIAL), (lambda x: np.less(x, 1.0)[None].sum(0), SPECIAL)],
    "sum(broadcast(x)) -> n * sum(x)": [
        (lambda x: np.broadcast_to(x, (3, 10)).sum(0), SPECIAL),
        (lambda x: np.broadcast_to(x[:, None], (3, 5, 4)).sum((1, 2)), M),
        (lambda x: np.broadcast_to(x, (3, 10)).sum(0), WHOLE),
    ],
    "sum(sum(x)) -> sum(x)": [(lambda x: x.reshape(3, 2, 2).sum(1).sum(1), M)],
    "sum(transpose(x)) -> sum(x)": [(lambda x: x.T.sum(0), M)],
    "sum(reshape(x)) -> reshape(sum(x))": [(lambda x: x.reshape(3, 2, 2).sum((1, 2)), M)],
    "sum(-x) -> -sum(x)": [(lambda x: np.sum(-x), M)],
    "sum(unslice(v)) -> sum(v)": [(lambda x: _SLICED(x).sum(), M[0, :3])],
    "sum(s * x) -> s * sum(x)": [
        (lambda x: x.sum() + np.sum(np.sin(x[0, 0]) * x), M),
        (lambda x: np.exp(x).sum(0) * _PRODUCT(np.exp(x), np.sin(x[0])).sum(0), M),
    ],
    "sum(x * y) -> x @ y": [
        (lambda x: np.sum(x[:, :, None] * x.T[None], 1), M),
        (lambda x: np.sum(x[:, None, :] * x[None], -1), M),
        (lambda x: np.sum(x[:, :, None, None] * x.reshape(1, 1, 4, 3).transpose(1, 2, 0, 3), (0, 1)), M),
    ],
    "max(x) -> x": [
        (lambda x: p("max")(x[:, None], axis=(1,)) * 2.0, SPECIAL),
        (lambda x: p("min")(x, axis=()), SPECIAL),
    ],
    "product(product(1, x), y) -> product(1, product(x, y))": [
        (lambda x: _PRODUCT(_PRODUCT(EYE, x), x[::-1]), SPECIAL),
        (lambda x: _PRODUCT(_PRODUCT(-EYE, x), x[2]), SPECIAL),
    ],
    "product(c * 1, x) -> product(1, c * x)": [(lambda x: _PRODUCT(-3.0 * EYE, x), SPECIAL)],
    "product(1, x) * c -> product(1, x * c)": [(lambda x: _PRODUCT(EYE, x) * 3.0, SPECIAL)],
    "-product(1, x) -> product(1, -x)": [(lambda x: -_PRODUCT(EYE, x), SPECIAL)],
    "product(1, x) + product(1, y) -> product(1, x + y)": [
        (lambda x: _PRODUCT(EYE, x) + _PRODUCT(EYE, x[::-1]), SPECIAL)
    ],
    "product(1, x) - product(1, y) -> product(1, x - y)": [
        (lambda x: _PRODUCT(EYE, x) - _PRODUCT(EYE, x[::-1]), SPECIAL)
    ],
    "sum(product(1, x)) -> x": [
        (lambda x: _PRODUCT(EYE, x).sum(0), SPECIAL),
        (lambda x: _PRODUCT(EYE, x[3]).sum(1), SPECIAL),
    ],
    "product(1, x) @ y -> x * y": [
        (lambda x: _PRODUCT(np.eye(3), x[:, :1]) @ x, M),
        (lambda x: x @ _PRODUCT(np.eye(4), x[0]), M),
        (lambda x: _PRODUCT(np.eye(4), x[0]) @ x[1], M),
        (cv.jacrev(lambda x: np.tanh(np.arange(12.0).reshape(3, 4) @ x)), M[1]),
    ],
    "x @ 1 -> x": [(lambda x: x @ np.eye(4), M), (lambda x: np.eye(3) @ x, M)],
    **_reductions(),
    "f(broadcast(x)) -> broadcast(f(x))": [
        (lambda x: np.exp(np.broadcast_to(x, (3, 10))), SPECIAL),
        (lambda x: np.broadcast_to(x[:1], (3, 4)) * np.ones((3, 4)) + x[:, :1], M),
        (lambda x: np.broadcast_to(x[:, None], (10, 4)) - np.zeros(4), SPECIAL),
    ],
    "f(reshape(x)) -> reshape(f(x))": [
        (lambda x: np.sin(x.reshape(12)), M),
        (lambda x: x.reshape(2, 6) * np.exp(x).reshape(2, 6) + 1.0, M),
        (lambda x: x[None] + x[::-1], M),
    ],
    "f(empty) -> empty": [(lambda x: np.sin(x[:0]) * x[:0], M)],
    "constant": [
        (lambda x: x * np.cos(_PRODUCT(0.0, x)), SPECIAL),
        (lambda x: x * p("cumsum")(_PRODUCT(0.0, x) + 1.0, axis=0, reverse=False), SPECIAL),
    ],
    "common": [(lambda x: np.sin(x) * np.sin(x), SPECIAL), (lambda x: x * x[0] + x[0] * x, M)],
}
