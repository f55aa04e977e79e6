"""What operations cost, and whether they can be done where the program did not ask for them."""

from __future__ import annotations

from typing import Any

from ....core.graph import Equation, Var
from ....core.programs import has_programs
from ..algebra import is_elementwise

__all__ = ["MOVES", "TRANSCENDENTAL", "is_cheap", "is_total", "nbytes"]

MOVES = frozenset({"reshape", "transpose", "broadcast", "slice", "read", "real", "imag", "stop_gradient"})
"""What only says where elements are found: done where they are read, for nothing."""

_TOTAL = frozenset(
    {
        *("sum", "prod", "max", "min", "any", "all", "count_nonzero", "matmul", "contract", "concat", "cumsum"),
        *("unslice", "write", "where", "convert", *MOVES),
    }
)
"""What gives a result for all values, besides elementwise functions."""

_INDEXED = frozenset({"gather", "scatter", "put", "add_at"})

TRANSCENDENTAL = frozenset(
    {
        *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "logaddexp2", "cbrt", "power", "root"),
        *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "arctan2", "sinh", "cosh", "tanh", "sech_squared"),
        *("arcsinh", "arccosh", "arctanh", "erf", "erfc", "expit", "gammaln", "digamma", "sinc", "hypot"),
    }
)
"""Functions so long that computing several elements at once pays, even if that takes a way to memory and back."""

_CHEAP = frozenset(
    {
        *("add", "subtract", "multiply", "negative", "positive", "product", "masked_product", "absolute", "fabs"),
        *("maximum", "minimum", "fmax", "fmin", "at_least", "at_most", "square", "convert", "where", "sign"),
        *("copysign", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and"),
        *(
            "logical_or",
            "logical_not",
            "logical_xor",
            "isnan",
            "isinf",
            "isfinite",
            "floor",
            "ceil",
            "trunc",
            "rint",
            "signbit",
        ),
    }
)
"""Functions of one instruction or a few."""


def is_cheap(eq: Equation) -> bool:
    """Whether `eq` takes an instruction or a few per element, and none that waits for long."""
    return eq.primitive.name in _CHEAP


def is_total(eq: Equation) -> bool:
    """Whether `eq` gives a result, and raises nothing, for all values of its inputs."""
    primitive = eq.primitive
    if has_programs(eq.params) or primitive.family in ("call", "collective", "control"):
        return False
    if primitive.name in _INDEXED:
        return not any(type(x) is Var and x.dtype.kind in "iu" for x in eq.inputs[1:])
    if primitive.name == "power":
        # NumPy raises for integers to negative integer powers.
        return eq.outputs[0].dtype.kind in "fc"
    if primitive.name in _TOTAL:
        return True
    return is_elementwise(primitive) and isinstance(primitive.lower, str)


def nbytes(x: Any) -> int:
    """The bytes of a variable or array."""
    return int(x.size * x.dtype.itemsize) if hasattr(x, "dtype") else 0
