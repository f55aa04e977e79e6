"""Rounding, which has no derivative by nature, and neighbouring floating-point numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.values import Aval
from .families import constant, elementwise
from .samples import binary, draw, sample, unary

__all__ = ["ceil", "fix_p", "floor", "nextafter", "rint", "round_p", "spacing", "trunc", "unwrap_shift"]

floor = constant("floor", np.floor, ufunc=np.floor, samples=unary(complex_=False))
ceil = constant("ceil", np.ceil, ufunc=np.ceil, samples=unary(complex_=False))
trunc = constant("trunc", np.trunc, ufunc=np.trunc, samples=unary(complex_=False))
rint = constant("rint", np.rint, ufunc=np.rint, samples=unary())
spacing = constant("spacing", np.spacing, ufunc=np.spacing, samples=unary(complex_=False))
fix_p = constant("fix", np.fix, samples=unary(complex_=False), numpy=(np.fix,))

round_p = constant(
    "round",
    lambda x, *, decimals: np.round(x, decimals),
    aval=lambda x, *, decimals: Aval(x.shape, x.dtype),
    samples=[sample(draw((3,)), decimals=1), sample(draw((2,), np.float32), decimals=0), sample(draw(()), decimals=-1)],
    numpy=(np.round,),
)

nextafter = elementwise(
    "nextafter",
    np.nextafter,
    (1, None),
    keeps=False,
    singular=False,
    keeps_out=False,
    samples=binary(complex_=False),
    source="nextafter(x, y) = x ± spacing(x), of which the spacing is constant almost everywhere",
)


def _unwrap_shift(p: Any, *, discont: Any, axis: int, period: Any) -> Any:
    """The multiples of the period that unwrapping adds."""
    p = np.asarray(p)
    head = [slice(None)] * p.ndim
    head[axis] = slice(1, None)
    step = np.diff(p, axis=axis)
    whole = np.result_type(step, period).kind in "iu"
    half, odd = divmod(period, 2) if whole else (period / 2, 0)
    wrapped = np.mod(step + half, period) - half
    if not odd:
        wrapped = np.where((wrapped == -half) & (step > 0), half, wrapped)
    shift = np.where(np.abs(step) < discont, 0, wrapped - step)
    out = np.zeros(p.shape, shift.dtype)
    out[tuple(head)] = shift.cumsum(axis)
    return out


unwrap_shift = constant(
    "unwrap_shift",
    _unwrap_shift,
    aval=lambda p, *, discont, axis, period: Aval(p.shape, np.result_type(p.dtype, period)),
    batch=lambda trace, args, batched, *, discont, axis, period: unwrap_shift(
        args[0], discont=discont, axis=axis + 1, period=period
    ),
    samples=[
        sample(np.array([0.0, 3.0, 6.0, 9.5, 13.0]), discont=np.pi, axis=0, period=2 * np.pi),
        sample(draw((2, 4), np.float32, -10.0, 10.0), discont=np.pi, axis=1, period=2 * np.pi),
    ],
)
