"""Traced values of `jit`: arrays, NumPy's numbers and Python's numbers, each with the operators that those have."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.dispatch import array_function
from ...core.graph import GraphTracer, Var
from ...core.primitive import PRIMITIVES
from ...core.surface import TracedArray, TracedNumber
from ...core.tracer import Trace, Tracer
from ...core.values import is_weak
from .answers import Lazy

__all__ = ["NOWHERE", "JitArray", "JitNumber", "JitPoint", "JitScalar", "JitTracer"]

NOWHERE: frozenset[Trace] = frozenset()
_PYTHON = {"b": bool, "i": int, "u": int, "f": float, "c": complex}
_MAKE_ARRAYS = frozenset((np.copy, np.broadcast_to))
_MAKE_ARRAYS_OF_PYTHONS = frozenset((np.squeeze, np.transpose))
"""Functions of a number that return arrays of no dimensions; the latter return NumPy's numbers as they are."""
_LARGEST = 9.2e18
"""Integers beyond this do not fit into 64 bits, or nearly so."""


class JitTracer(GraphTracer):
    """A value known by shape and dtype, which can be asked for while there are example arguments."""

    __slots__ = ()
    _state: tuple[str, ...] = ("value", "_var", "lanes", "slot")
    _lazy: Any = Tracer.__dict__["slot"]
    """What computes the value on the example arguments; None where there are none."""

    @property
    def _answers(self) -> bool:  # type: ignore[override]
        self._trace  # noqa: B018  # brings a view up to date
        return self._lazy is not None

    def __init__(self, trace: Any, var: Var, lazy: Lazy | None) -> None:
        # As in the base class, for one call less: there is a tracer for every operation.
        self._trace = trace
        self._link = None
        self._var = var
        self.value = None
        self.lanes = NOWHERE
        self._lazy = lazy

    def clone(self) -> Tracer:
        trace: Any = self._trace
        out = trace.make(self._var, self._lazy, type(self) is JitScalar)
        out.lanes = self.lanes
        return out

    def _number(self, purpose: str) -> Any:
        trace: Any = self._trace  # brings a view up to date
        trace.check_alive(purpose)
        if self._lazy is None:
            return super()._number(purpose)
        value = self._lazy.force()
        trace.ask(self, value, purpose)
        return value

    def item(self, *args: Any) -> Any:
        """Return one element as a Python number."""
        return _as_python(super().item(*args))


class JitNumber(TracedNumber, JitTracer):
    """A `JitTracer` of no dimensions."""

    __slots__ = ()

    def __float__(self) -> float:  # type: ignore[override]
        return float(self._number("float"))

    def __complex__(self) -> complex:  # type: ignore[override]
        return complex(self._number("complex"))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        out = array_function(self, func, types, args, kwargs)
        makes = func in _MAKE_ARRAYS or (func in _MAKE_ARRAYS_OF_PYTHONS and type(self) is JitScalar)
        return out._as_array() if makes and isinstance(out, JitNumber) else out

    def _as_array(self) -> Tracer:
        out: Any = self
        if type(self) is JitNumber or type(self) is JitScalar:
            trace: Any = self._trace
            out = trace.make(self._var, self._lazy)
            out.lanes = self.lanes
            out.__class__ = JitPoint
        return out


class JitPoint(JitNumber):
    """An array of no dimensions, an argument or made of a number: it can be written to, as ``x += 1`` does."""

    __slots__ = ()
    _is_array = True

    def clone(self) -> Tracer:
        out = super().clone()
        out.__class__ = JitPoint
        return out


class JitArray(TracedArray, JitTracer):
    """A `JitTracer` of one or more dimensions."""

    __slots__ = ()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        trace: Any = self._trace
        if trace.integers and self.dtype.kind in "iub" and self._lazy is not None:
            return np.array(self._number("np.asarray"), dtype)
        return super().__array__(dtype, copy)

    def tolist(self) -> Any:
        return np.asarray(self._number("tolist")).tolist()


class JitScalar(JitNumber):
    """A Python number: its dtype gives way to that of any array, and so does that of what Python computes from it.

    Integers are exact in Python. What does not fit into 64 bits is refused with an `OverflowError`, under a guard, and
    then the call is made in Python.
    """

    __slots__ = ()
    _weak = True

    def __pow__(self, other: Any, modulus: Any = None) -> Any:
        if modulus is not None:
            return pow(*[x._plain() if isinstance(x, JitScalar) else x for x in (self, other, modulus)])
        if _is_integer(self) and _is_integer(other) and other < 0:
            return _weak_of(PRIMITIVES["convert"](self, dtype=np.dtype(float))) ** other
        return _weak_power(self, other)

    def __rpow__(self, other: Any, modulus: Any = None) -> Any:
        if modulus is not None:
            return pow(other, self._plain(), modulus)
        if self.dtype.kind == "i" and type(other) is int and self < 0:
            return _weak_power_of(self, float(other))
        return _weak_power_of(self, other)

    def __round__(self, ndigits: int | None = None) -> Any:
        # Python rounds the decimal number, NumPy a product: they differ in the last digit that remains.
        return _integer(self) if self.dtype.kind in "bi" and not ndigits else round(self._plain(), ndigits)

    @property  # type: ignore[misc]
    def real(self) -> Any:
        return _weak_of(np.real(self)) if self.dtype.kind == "c" else _integer(self)

    @property  # type: ignore[misc]
    def imag(self) -> Any:
        return _weak_of(np.imag(self)) if self.dtype.kind == "c" else 0.0 if self.dtype.kind == "f" else 0

    def conjugate(self) -> Any:
        """Return the complex conjugate."""
        return _weak_of(np.conjugate(self)) if self.dtype.kind == "c" else _integer(self)

    def as_integer_ratio(self) -> Any:
        """Return numerator and denominator."""
        return self._plain().as_integer_ratio()

    def _plain(self) -> Any:
        """The Python number, under a guard."""
        purpose = {"f": "float", "c": "complex", "b": "bool"}.get(self.dtype.kind, "int")
        return np.asarray(self._number(purpose)).item()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Methods of Python numbers that NumPy does not have, such as `bit_length`.
            if hasattr(_PYTHON[self.dtype.kind], name):
                return getattr(self._plain(), name)
            return super().__getattr__(name)


def _is_integer(x: Any) -> bool:
    return type(x) in (int, bool) or (isinstance(x, JitScalar) and x.dtype.kind in "bi")


def _weak_of(t: Any) -> Any:
    """The number `t` as a Python number."""
    if not isinstance(t, JitNumber):
        return t
    trace: Any = t._trace
    out = trace.make(t._var, t._lazy, True)
    out.lanes = t.lanes
    return out


def _as_python(t: Any) -> Any:
    """What ``item`` makes of the number `t`."""
    if not isinstance(t, JitNumber):
        return t
    dtype = np.dtype(_PYTHON[t.dtype.kind])
    return _weak_of(t if t.dtype == dtype else PRIMITIVES["convert"](t, dtype=dtype))


def _integer(x: Any) -> Any:
    """A bool as the integer that Python takes it for; anything else as it is."""
    if isinstance(x, JitScalar) and x.dtype.kind == "b":
        return _weak_of(PRIMITIVES["convert"](x, dtype=np.dtype(int)))
    return int(x) if type(x) is bool else x


def _is_bool(x: Any) -> bool:
    return type(x) is bool or (isinstance(x, JitScalar) and x.dtype.kind == "b")


_LOGICAL = ("and", "or", "xor")
_CHECKED: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "pow": operator.pow,
    "lshift": lambda a, b: a * 2.0**b,
    "neg": operator.neg,
    "abs": operator.abs,
}
_BY_ZERO = "integer division or modulo by zero"
_DIVISIONS = {"floordiv": _BY_ZERO, "divmod": _BY_ZERO, "mod": "integer modulo by zero"}


def _among_python_numbers(name: str) -> Callable[..., Any]:
    """The operator `name`, whose result is a Python number where all its operands are."""
    function = getattr(JitNumber, name)
    plain = name.strip("_")
    reflected = plain not in _NAMES
    plain = plain[1:] if reflected else plain

    def weak(self: Any, *others: Any) -> Any:
        if not all(is_weak(x) or type(x) is JitScalar for x in others):
            return function(self, *others)
        if not (plain in _LOGICAL and all(map(_is_bool, (self, *others)))):
            self, others = _integer(self), tuple(map(_integer, others))
        if all(_is_integer(x) for x in (self, *others)):
            _check_integers(plain, (*others, self) if reflected else (self, *others))
        out = function(self, *others)
        return tuple(map(_weak_of, out)) if type(out) is tuple else _weak_of(out)

    weak.__name__ = name
    return weak


def _check_integers(name: str, operands: tuple[Any, ...]) -> None:
    """Raise Python's error of a division by zero, and if the result of integers does not fit into 64 bits."""
    if not all(x._answers for x in operands if isinstance(x, JitScalar)):
        return
    if name in _DIVISIONS and operands[1] == 0:
        raise ZeroDivisionError(_DIVISIONS[name])
    if name in _CHECKED:
        approximate = _CHECKED[name](*map(_strong_float, operands))
        if not np.abs(approximate) < _LARGEST:
            raise OverflowError("a Python integer becomes larger than machine code can represent")


def _strong_float(x: Any) -> Any:
    return PRIMITIVES["convert"](x, dtype=np.dtype(float)) if isinstance(x, JitScalar) else np.float64(x)


def _not_in_place(self: Any, other: Any) -> Any:
    return NotImplemented  # so that Python makes a new number


_TWO = ("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "lshift", "rshift", "and", "or", "xor")
_NAMES = frozenset((*_TWO, "pow", "neg", "pos", "abs", "invert", "lt", "le", "gt", "ge", "eq", "ne"))
_weak_power, _weak_power_of = _among_python_numbers("__pow__"), _among_python_numbers("__rpow__")
for _name in _TWO:
    for _side in ("__", "__r"):
        setattr(JitScalar, f"{_side}{_name}__", _among_python_numbers(f"{_side}{_name}__"))
for _name in ("neg", "pos", "abs", "invert", "lt", "le", "gt", "ge", "eq", "ne"):
    setattr(JitScalar, f"__{_name}__", _among_python_numbers(f"__{_name}__"))
for _name in (*_TWO, "pow"):
    if _name != "divmod":
        setattr(JitScalar, f"__i{_name}__", _not_in_place)
numbers.Number.register(JitNumber)  # which np.isscalar asks for
JitScalar.__hash__ = JitNumber.__hash__  # type: ignore[method-assign]
