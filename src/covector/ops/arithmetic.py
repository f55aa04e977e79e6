"""Sums, products, quotients, remainders, and the parts of a floating-point number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.cotangents import unbroadcast
from ..core.dispatch import UFUNCS
from ..core.values import dtype_of
from .families import batch_elementwise, constant, elementwise, elementwise_aval, linear
from .samples import binary, draw, sample, unary

__all__ = [
    "add",
    "subtract",
    "negative",
    "positive",
    "multiply",
    "divide",
    "remainder",
    "fmod",
    "floor_divide",
    "fractional",
    "integral",
    "mantissa",
    "exponent",
    "ldexp",
    "gcd",
    "lcm",
]

add = elementwise("add", np.add, (1, 1), keeps=False, keeps_out=False, singular=False, samples=binary())
subtract = elementwise("subtract", np.subtract, (1, -1), keeps=False, keeps_out=False, singular=False, samples=binary())
negative = elementwise("negative", np.negative, (-1,), keeps=False, keeps_out=False, singular=False, samples=unary())
positive = elementwise("positive", np.positive, (1,), keeps=False, keeps_out=False, singular=False, samples=unary())
multiply = elementwise(
    "multiply",
    np.multiply,
    (lambda out, x, y: y, lambda out, x, y: x),
    keeps_out=False,
    singular=False,
    samples=binary(),
)
divide = elementwise(
    "divide",
    np.true_divide,
    (lambda out, x, y: 1 / y, lambda out, x, y: -out / y),
    samples=binary(b=(0.5, 2.0)),
)

# --- remainders: x - q y with a whole number q, which is constant almost everywhere -----------------------------------

_REMAINDERS = binary((0.1, 3.0), (0.6, 0.9), complex_=False) + [
    sample(draw((3,), key=1), draw((3,), low=-1.5, high=-0.5))
]

remainder = elementwise(
    "remainder",
    np.remainder,
    (1, lambda out, x, y: -np.floor_divide(x, y)),
    keeps_out=False,
    samples=_REMAINDERS,
)
# rint, because the quotient of two rounded numbers may miss the whole number that it is.
fmod = elementwise(
    "fmod",
    np.fmod,
    (1, lambda out, x, y: -np.rint((x - out) / y)),
    samples=_REMAINDERS,
)
floor_divide = constant("floor_divide", np.floor_divide, ufunc=np.floor_divide, samples=_REMAINDERS)
gcd = constant("gcd", np.gcd, ufunc=np.gcd, samples=[sample(draw((3,), int, 1, 12), 6)])
lcm = constant("lcm", np.lcm, ufunc=np.lcm, samples=[sample(draw((3,), int, 1, 12), 6)])

# --- whole part and fraction, mantissa and exponent -------------------------------------------------------------------

fractional = elementwise(
    "fractional",
    None,
    (1,),
    impl=lambda x: np.modf(x)[0],
    keeps=False,
    singular=False,
    keeps_out=False,
    samples=unary(complex_=False),
)
integral = constant("integral", lambda x: np.modf(x)[1], samples=unary(complex_=False))
exponent = constant("exponent", lambda x: np.frexp(x)[1], samples=unary(complex_=False))
mantissa = elementwise(
    "mantissa",
    None,
    (lambda out, x: np.ldexp(dtype_of(out).type(1), -exponent(x)),),
    impl=lambda x: np.frexp(x)[0],
    singular=False,
    samples=unary(complex_=False),
    source="frexp: x = m 2^e, so dm = 2^-e dx where e is constant",
)


def _ldexp_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool]) -> Any:
    return batch_elementwise(lambda: ldexp)(trace, args, batched)


ldexp = linear(
    "ldexp",
    np.ldexp,
    transpose=lambda ct, x, n: unbroadcast(np.ldexp(ct, n), x),
    aval=elementwise_aval(np.ldexp),
    batch=_ldexp_batch,
    keeps=True,
    samples=[
        sample(draw(()), 3),
        sample(draw((3,)), np.array([1, -2, 0])),
        sample(draw((3,), np.float32), np.array([[1], [2]])),
        sample(draw((0,)), 1),
    ],
    sparsity="union",
    numpy=(np.ldexp,),
)

UFUNCS[np.ldexp] = ldexp
UFUNCS[np.divmod] = lambda x, y: (floor_divide(x, y), remainder(x, y))
UFUNCS[np.modf] = lambda x: (fractional(x), integral(x))
UFUNCS[np.frexp] = lambda x: (mantissa(x), exponent(x))
