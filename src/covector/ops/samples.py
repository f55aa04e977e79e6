"""Building blocks for the samples in declarations: reproducible arrays that generic tests feed to every primitive.

Nothing is drawn until a sample is read: random numbers would take a good part of the time of ``import covector``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import numpy as np

from ..core.primitive import Sample

__all__ = ["binary", "deferred", "draw", "sample", "unary"]

Shape = tuple[int, ...]


def deferred(make: Callable[..., Any]) -> Callable[..., partial[Any]]:
    """Decorate a function that makes an argument of a sample: it then runs when the sample is first read."""

    @wraps(make)
    def later(*args: Any, **kwargs: Any) -> partial[Any]:
        return partial(make, *args, **kwargs)

    return later


@deferred
def draw(shape: Shape = (), dtype: Any = float, low: float = -2.0, high: float = 2.0, key: object = 0) -> Any:
    """Return an array of values spread over ``(low, high)``, the same for the same arguments; a scalar for ``()``.

    ``draw(...)`` stands for the array in a sample and ``draw(...)()`` is the array; functions that compute with it
    are `deferred` themselves.
    """
    import zlib

    dtype = np.dtype(dtype)
    rng = np.random.default_rng(zlib.crc32(repr((shape, dtype.str, low, high, key)).encode()))
    if dtype.kind in "iu":
        return rng.integers(int(low), int(high), shape, dtype=dtype, endpoint=True)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    x = rng.uniform(low, high, shape)
    if dtype.kind == "c":
        x = x + 1j * rng.uniform(low, high, shape)
    return np.asarray(x).astype(dtype)[()]


def sample(*args: Any, label: str = "", **params: Any) -> Sample:
    """Return one sample with the given arrays, drawn or literal, and static parameters."""
    return Sample(args, params, label)


def unary(low: float = -2.0, high: float = 2.0, complex_: bool = True, extra: Sequence[Any] = ()) -> list[Sample]:
    """Samples of a function of one array: scalar, vector, matrix, empty, float32 and complex."""
    shapes: tuple[Shape, ...] = ((), (3,), (2, 3), (0,))
    out = [sample(draw(s, float, low, high), label=f"float64{list(s)}") for s in shapes]
    out.append(sample(draw((3,), np.float32, low, high), label="float32[3]"))
    if complex_:
        out += [sample(draw(s, complex, low, high), label=f"complex{list(s)}") for s in ((), (3,))]
    return out + [sample(x) for x in extra]


def binary(
    a: tuple[float, float] = (-2.0, 2.0), b: tuple[float, float] = (-2.0, 2.0), complex_: bool = True
) -> list[Sample]:
    """Samples of a function of two arrays: equal shapes, broadcasting both ways, scalars, empty, mixed dtypes."""
    shapes: tuple[tuple[Shape, Shape], ...] = (
        ((), ()),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), ()),
        ((), (2,)),
        ((2, 1), (1, 3)),
        ((0,), (1,)),
    )
    out = [
        sample(draw(s, float, *a, key="a"), draw(t, float, *b, key="b"), label=f"{list(s)},{list(t)}")
        for s, t in shapes
    ]
    out.append(sample(draw((3,), np.float32, *a, key="a"), draw((3,), np.float32, *b, key="b"), label="float32"))
    out.append(sample(draw((3,), np.float32, *a, key="a"), draw((3,), float, *b, key="b"), label="float32,float64"))
    out.append(sample(draw((3,), np.float32, *a, key="a"), float(np.mean(b)) + 0.3, label="float32,weak"))
    if complex_:
        out.append(sample(draw((3,), complex, *a, key="a"), draw((3,), complex, *b, key="b"), label="complex"))
        out.append(sample(draw((3,), float, *a, key="a"), draw((2, 3), complex, *b, key="b"), label="real,complex"))
    return out
