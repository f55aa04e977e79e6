"""How NumPy's protocols find us: the tables from NumPy's functions to ours, filled by `ops` and `numpy_api`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .augmented import has_one_owner, is_augmented
from .errors import NotDifferentiableError, TracerConversionError, caller
from .primitive import Primitive, bind, load_late_rules
from .tracer import Tracer, own
from .values import SCALAR_TYPES
from .views import VIEW_TYPES

__all__ = [
    "FUNCTIONS",
    "OUT",
    "REFUSED",
    "UFUNCS",
    "UFUNC_METHODS",
    "VIEWS",
    "array_function",
    "array_ufunc",
    "as_operand",
    "call_function",
]

UFUNCS: dict[Any, Callable[..., Any]] = {}
"""ufunc → callable taking its inputs (a Primitive, usually)."""

UFUNC_METHODS: dict[str, Callable[..., Any]] = {}
"""``"reduce"``, ``"accumulate"``, ``"outer"``, ``"at"``, … → handler ``(ufunc, *inputs, **kwargs)``; ``"__call__"``
is the handler of plain calls with keyword arguments (``where=``, ``dtype=``, ``out=`` …)."""

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""Function with an ``__array_function__`` hook → callable with the same signature."""

VIEWS: set[Any] = set()
"""Functions whose result is, or may be, a view of their argument or the argument itself."""

OUT: dict[Any, int] = {}
"""Function with a parameter ``out`` → its position."""

REFUSED: dict[Any, str] = {}
"""Function → why it has no derivative here, and the supported form."""

_OPERANDS = (np.ndarray, Tracer, np.generic, *SCALAR_TYPES)
_EXACT = frozenset((np.ndarray, np.float64, *SCALAR_TYPES))


def as_operand(x: Any, function: str) -> Any:
    """Return `x` as an operand of `function`: arrays, scalars and tracers as they are, sequences as arrays."""
    if isinstance(x, _OPERANDS):
        if isinstance(x, SCALAR_TYPES) and type(x) not in SCALAR_TYPES and not isinstance(x, np.generic):
            return np.asarray(x)[()]  # a member of an `IntEnum`, say, which NumPy takes for a number of its own
        return x
    try:
        array = np.asarray(x)
    except TracerConversionError as error:
        raise TracerConversionError(
            f"{function} got a {type(x).__name__} that holds traced values (at {caller()}); "
            f"build the array with np.stack([...]) first"
        ) from error
    if array.dtype == object:
        hint = "; use x.toarray(), or keep sparse matrices out of the differentiated function"
        raise NotDifferentiableError(
            f"{function} of a traced value and a {type(x).__module__}.{type(x).__name__} is not supported"
            f"{hint if hasattr(x, 'toarray') else ''} (at {caller()})"
        )
    return array


def _describe(function: Any) -> str:
    name = getattr(function, "__name__", repr(function))
    module = getattr(function, "__module__", None) or ("numpy" if isinstance(function, np.ufunc) else "")
    if isinstance(function, np.ufunc) and getattr(np, name, None) is not function:
        special = getattr(sys.modules.get("scipy.special"), name, None)
        module = "scipy.special" if getattr(special, "__wrapped__", special) is function else "the ufunc "
    return f"{module}.{name}".removeprefix(".").replace("the ufunc .", "the ufunc ").replace("numpy.", "np.", 1)


def array_ufunc(self: Tracer, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """Answer ``__array_ufunc__`` for traced values."""
    handler = UFUNCS.get(ufunc)
    if handler is None:
        load_late_rules()
        handler = UFUNCS.get(ufunc)
        if handler is None:
            raise _unsupported(ufunc, self)
    if method == "__call__" and not kwargs:
        if type(inputs[0]) is np.ndarray and ufunc in _HORNER and inputs[0].ndim:
            _check_polynomial(self)
        for x in inputs:
            if type(x) not in _EXACT and (not isinstance(x, _OPERANDS) or isinstance(x, SCALAR_TYPES)):
                inputs = tuple(as_operand(y, _describe(ufunc)) for y in inputs)
                break
        # A primitive is bound right away: one frame less in every ufunc call.
        return bind(handler, inputs, {}) if type(handler) is Primitive else handler(*inputs)
    if method == "__call__" and type(inputs[0]) is np.ndarray and kwargs.get("out", (None,))[0] is inputs[0]:
        references = sys.getrefcount(inputs[0])
        if has_one_owner(inputs[0], references, ufunc is np.matmul) and is_augmented(sys._getframe(1)):
            return FUNCTIONS["augmented"](ufunc, *inputs)
    return UFUNC_METHODS[method](ufunc, *inputs, **kwargs)


_HORNER = (np.add, np.subtract, np.multiply)


def _check_polynomial(t: Tracer) -> None:
    """Raise if an evaluation function of `numpy.polynomial` combines arrays of coefficients with a traced array.

    They ask ``isinstance(x, np.ndarray)`` to line up the axes of both, and would broadcast them wrongly.
    """
    # The same functions run in `covector.numpy.polynomial`, where they do recognise it.
    if t.ndim and sys._getframe(2).f_globals.get("__name__", "").startswith("numpy.polynomial."):
        raise NotDifferentiableError(
            f"an evaluation function of np.polynomial at {caller()} does not recognise a traced array and would "
            f"combine it wrongly with coefficients of more than one dimension; use the function of the same name in "
            f"covector.numpy.polynomial"
        )


def array_function(self: Tracer, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Answer ``__array_function__`` for traced values."""
    handler = FUNCTIONS.get(func)
    if handler is None:
        load_late_rules()
        handler = FUNCTIONS.get(func)
        if handler is None:
            raise _unsupported(func, self)
    if kwargs or len(args) > 2:
        return call_function(func, args, kwargs)
    result = handler(*args)
    # As in `call_function`; one frame less for the many calls without keywords.
    return result if func in VIEWS else _apart(result, args)


def call_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call our implementation of `function`: write to ``out=``, and let only views share memory with arguments."""
    handler = FUNCTIONS[function]
    if "out" in kwargs or len(args) > 2:
        at = OUT.get(function)
        if at is not None and (len(args) > at or "out" in kwargs):
            out, args, kwargs = _without_out(at, args, kwargs)
            if out is not None and out is not np._NoValue:
                return FUNCTIONS["out"](function, out, handler(*args, **kwargs))
    result = handler(*args, **kwargs)
    return result if function in VIEWS else _apart(result, args)


def _apart(x: Any, args: tuple[Any, ...]) -> Any:
    """Return the result `x` as a handle of its own, neither a view nor one of the arguments."""
    if not isinstance(x, Tracer):
        if type(x) is np.ndarray and x.ndim and x.dtype.kind in "fc":
            # A function of buffers that went through a number on its way, as sums with keepdims=True do.
            for a in args:
                if isinstance(a, Tracer) and a._trace.level == 0:
                    return a._trace.lift(x)
        return x
    if type(x) in VIEW_TYPES:
        return own(x.clone())
    for a in args:
        if a is x or (type(a) in (tuple, list) and any(b is x for b in a)):
            return own(x.clone())
    return x


def _without_out(at: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Take ``out``, the parameter at position `at`, from the arguments."""
    if len(args) > at:
        out, args = args[at], (*args[:at], None, *args[at + 1 :])
    else:
        out, kwargs = kwargs["out"], {name: x for name, x in kwargs.items() if name != "out"}
    return (out[0] if isinstance(out, tuple) and len(out) == 1 else out), args, kwargs


def _unsupported(function: Any, tracer: Tracer) -> NotDifferentiableError:
    name = _describe(function)
    made = isinstance(function, np.ufunc) and name.startswith("the ufunc ")
    reason = (
        "it was made by np.frompyfunc; call the Python function itself, or use covector.numpy.vectorize"
        if made
        else REFUSED.get(function, "it has no derivative rule; write it with functions that have one")
    )
    return NotDifferentiableError(f"{name} met a value traced by {tracer._trace.name} at {caller()}: {reason}")
