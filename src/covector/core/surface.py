"""The face of a traced value: it behaves like the ndarray or NumPy scalar it stands for.

Everything forwards to the tables in `dispatch`, so an operator, a method and a NumPy function are the same thing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from .dispatch import FUNCTIONS, UFUNCS, array_function, array_ufunc, as_operand, call_function
from .errors import NotDifferentiableError, TracerConversionError, caller
from .primitive import Primitive, bind
from .tracer import Tracer, concrete
from .values import Shape, dtype_of, shape_of

__all__ = ["TracedArray", "TracedNumber", "TracedValue"]

_FAST = frozenset((np.ndarray, float, int, np.float64))
_API_VERSIONS = (None, "2021.12", "2022.12", "2023.12", "2024.12")
_DEFER = (str, bytes, dict, set, type(None))


def _binary(ufunc: np.ufunc, reflected: bool = False) -> Callable[[Any, Any], Any]:
    def operator(self: TracedValue, other: Any) -> Any:
        if type(other) not in _FAST and not isinstance(other, Tracer):
            if isinstance(other, _DEFER) or _foreign(other):
                return NotImplemented
            other = as_operand(other, f"np.{ufunc.__name__}")
        handler = UFUNCS[ufunc]
        operands = (other, self) if reflected else (self, other)
        return bind(handler, operands, {}) if type(handler) is Primitive else handler(*operands)

    return operator


def _foreign(x: object) -> bool:
    """Whether `x` is an array of another library, which then gets its own chance to answer the operator."""
    return hasattr(x, "__array_priority__") and not hasattr(x, "toarray") and not isinstance(x, np.generic | np.ndarray)


def _in_place(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    def operator(self: TracedValue, other: Any) -> Any:
        return FUNCTIONS["in-place"](ufunc, self, other)

    return operator


def _unary(ufunc: np.ufunc) -> Callable[[Any], Any]:
    return lambda self: UFUNCS[ufunc](self)


def _method(function: Any) -> Callable[..., Any]:
    def method(self: TracedValue, *args: Any, **kwargs: Any) -> Any:
        return call_function(function, (self, *args), kwargs)

    method.__name__ = function.__name__
    return method


def _own_method(name: str) -> Callable[..., Any]:
    """A method that is no function of NumPy's, registered as ``"ndarray.name"``."""

    def method(self: TracedValue, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS[f"ndarray.{name}"](self, *args, **kwargs)

    method.__name__ = name
    return method


def _no_method(name: str, instead: str) -> Callable[..., NoReturn]:
    def method(self: TracedValue, *_: Any, **__: Any) -> NoReturn:
        raise NotDifferentiableError(
            f".{name}() on an array traced by {self._trace.name} at {caller()} is not supported; {instead}"
        )

    return method


def _no_conversion(name: str, instead: str) -> Callable[..., NoReturn]:
    def convert(self: TracedValue, *_: Any, **__: Any) -> NoReturn:
        raise TracerConversionError(
            f"{name} at {caller()} would drop the derivative of a value traced by {self._trace.name}; {instead}"
        )

    return convert


class TracedValue(Tracer):
    """A traced 0-d value, and the base of `TracedArray`.

    It has neither ``__len__`` nor ``__getitem__``: NumPy takes an object with these for a sequence and then hides our
    message on ``a[0] = t``.
    """

    __slots__ = ()
    __array_priority__ = 1000.0
    __array_ufunc__ = array_ufunc
    __array_function__ = array_function

    @property
    def shape(self) -> Shape:
        return shape_of(self.value)

    @property
    def dtype(self) -> np.dtype[Any]:
        return dtype_of(self.value)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def T(self) -> Any:
        return FUNCTIONS[np.transpose](self)

    @property
    def mT(self) -> Any:
        return FUNCTIONS[np.matrix_transpose](self)

    @property
    def real(self) -> Any:
        return FUNCTIONS[np.real](self)

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Any:
        return FUNCTIONS[np.imag](self)

    @imag.setter
    def imag(self, value: Any) -> None:
        self.imag[...] = value

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def flat(self) -> NoReturn:
        raise NotDifferentiableError(
            f".flat on an array traced by {self._trace.name} at {caller()} is not supported; use .ravel()"
        )

    __add__, __radd__, __iadd__ = _binary(np.add), _binary(np.add, True), _in_place(np.add)
    __sub__, __rsub__, __isub__ = _binary(np.subtract), _binary(np.subtract, True), _in_place(np.subtract)
    __mul__, __rmul__, __imul__ = _binary(np.multiply), _binary(np.multiply, True), _in_place(np.multiply)
    __truediv__, __rtruediv__ = _binary(np.true_divide), _binary(np.true_divide, True)
    __itruediv__ = _in_place(np.true_divide)
    __floordiv__, __rfloordiv__ = _binary(np.floor_divide), _binary(np.floor_divide, True)
    __ifloordiv__ = _in_place(np.floor_divide)
    __mod__, __rmod__, __imod__ = _binary(np.remainder), _binary(np.remainder, True), _in_place(np.remainder)
    __divmod__, __rdivmod__ = _binary(np.divmod), _binary(np.divmod, True)
    __pow__, __rpow__, __ipow__ = _binary(np.power), _binary(np.power, True), _in_place(np.power)
    __matmul__, __rmatmul__, __imatmul__ = _binary(np.matmul), _binary(np.matmul, True), _in_place(np.matmul)
    __and__, __rand__, __iand__ = _binary(np.bitwise_and), _binary(np.bitwise_and, True), _in_place(np.bitwise_and)
    __or__, __ror__, __ior__ = _binary(np.bitwise_or), _binary(np.bitwise_or, True), _in_place(np.bitwise_or)
    __xor__, __rxor__, __ixor__ = _binary(np.bitwise_xor), _binary(np.bitwise_xor, True), _in_place(np.bitwise_xor)
    __lshift__, __rlshift__ = _binary(np.left_shift), _binary(np.left_shift, True)
    __ilshift__ = _in_place(np.left_shift)
    __rshift__, __rrshift__ = _binary(np.right_shift), _binary(np.right_shift, True)
    __irshift__ = _in_place(np.right_shift)
    __lt__, __le__, __gt__, __ge__ = (
        _binary(np.less),
        _binary(np.less_equal),
        _binary(np.greater),
        _binary(np.greater_equal),
    )
    __eq__, __ne__ = _binary(np.equal), _binary(np.not_equal)
    __hash__ = None  # type: ignore[assignment]
    __neg__, __pos__, __abs__, __invert__ = (
        _unary(np.negative),
        _unary(np.positive),
        _unary(np.absolute),
        _unary(np.invert),
    )

    def __round__(self, ndigits: int | None = None) -> Any:
        return FUNCTIONS[np.round](self, ndigits or 0)

    def __setitem__(self, index: Any, value: Any) -> None:
        FUNCTIONS["setitem"](self, index, value)

    def __bool__(self) -> bool:
        return bool(self._number("bool"))

    def __int__(self) -> int:
        return int(self._number("int"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"only integers can be used as an index, got a value of dtype {self.dtype}")
        return self._number("index").__index__()  # type: ignore[no-any-return]

    def __trunc__(self) -> int:
        return math.trunc(self._number("math.trunc"))  # type: ignore[no-any-return]

    def __floor__(self) -> int:
        return math.floor(self._number("math.floor"))  # type: ignore[no-any-return]

    def __ceil__(self) -> int:
        return math.ceil(self._number("math.ceil"))  # type: ignore[no-any-return]

    def _number(self, purpose: str) -> Any:
        """Return the plain value, for questions that have no derivative; traces without a single one raise."""
        value = self.value
        return value._number(purpose) if isinstance(value, TracedValue) else value

    __float__ = _no_conversion(
        "float(t), a math.* function or an assignment a[i] = t into a plain array",
        "use the NumPy function, such as np.sin(t), or build the array from its parts, as in np.stack([t, u])",
    )
    __complex__ = _no_conversion("complex(t)", "use t + 0j")
    __array__ = _no_conversion(
        "np.array(t), np.asarray(t) or a function that converts its argument to an array",
        "use t itself, np.stack([t, u]) for np.array([t, u]), and NumPy functions that accept traced values",
    )

    sum, prod, mean, std, var = (_method(f) for f in (np.sum, np.prod, np.mean, np.std, np.var))
    max, min, ptp, all, any = (_method(f) for f in (np.max, np.min, np.ptp, np.all, np.any))
    argmax, argmin, argsort, argpartition = (_method(f) for f in (np.argmax, np.argmin, np.argsort, np.argpartition))
    cumsum, cumprod, nonzero, searchsorted = (_method(f) for f in (np.cumsum, np.cumprod, np.nonzero, np.searchsorted))
    clip, round, conj, conjugate = (_method(f) for f in (np.clip, np.round, np.conj, np.conjugate))
    dot, trace, diagonal, repeat, take = (_method(f) for f in (np.dot, np.trace, np.diagonal, np.repeat, np.take))
    ravel, squeeze, swapaxes = (_method(f) for f in (np.ravel, np.squeeze, np.swapaxes))
    flatten, fill, sort, partition = (_own_method(name) for name in ("flatten", "fill", "sort", "partition"))
    put, choose = (_method(f) for f in (np.put, np.choose))

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        """Return the value in another shape."""
        return FUNCTIONS[np.reshape](self, shape[0] if len(shape) == 1 else shape, order=order, copy=copy)

    def transpose(self, *axes: Any) -> Any:
        """Return the value with its axes permuted."""
        return FUNCTIONS[np.transpose](self, (axes[0] if len(axes) == 1 else axes) if axes else None)

    def compress(self, condition: Any, axis: int | None = None, out: Any = None) -> Any:
        """Return the elements or slices at which the condition holds."""
        return call_function(np.compress, (condition, self, axis), {"out": out})

    def astype(
        self, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
    ) -> Any:
        """Return the value in another dtype."""
        return FUNCTIONS[np.astype](self, dtype, copy=copy)

    def copy(self, order: str = "C") -> Any:
        """Return a copy."""
        return FUNCTIONS[np.copy](self, order)

    def view(self, dtype: Any = None, type: Any = None) -> Any:
        """Return a view of the same dtype; others would show the bits of numbers."""
        if type is not None or (dtype is not None and np.dtype(dtype) != self.dtype):
            raise NotDifferentiableError(
                f".view({dtype or type}) of an array traced by {self._trace.name} at {caller()} is not supported; "
                f"use .astype, .real or .imag"
            )
        return FUNCTIONS["getitem"](self, ...)

    def item(self, *args: Any) -> Any:
        """Return one element as a traced scalar."""
        flat = self.ravel()
        if not args:
            if self.size != 1:
                raise ValueError(f"item(): only an array of size 1 has a single item, this one has shape {self.shape}")
            return flat[0]
        index = args[0] if len(args) == 1 else args
        return self[index] if isinstance(index, tuple) else flat[index]  # type: ignore[index]

    resize = _no_method("resize", "use np.resize")
    itemset = _no_method("itemset", "write x[i] = v")
    setflags = _no_method("setflags", "a traced array is read-only")
    byteswap = _no_method("byteswap", "use .astype")
    tolist = _no_conversion(".tolist()", "iterate over the array instead")
    tobytes = _no_conversion(".tobytes()", "return it through has_aux=True first")
    tofile = _no_conversion(".tofile()", "return it through has_aux=True first")
    dump = _no_conversion(".dump()", "return it through has_aux=True first")
    dumps = _no_conversion(".dumps()", "return it through has_aux=True first")

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        """Return the array itself: like NumPy's arrays it is on the CPU."""
        if device != "cpu" or stream is not None:
            raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {device}')
        return self

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """Return `covector.numpy`, which complies with the array API standard."""
        from importlib import import_module

        if api_version not in _API_VERSIONS:
            raise ValueError(f"the array API version {api_version!r} is not supported; supported are {_API_VERSIONS}")
        return import_module("covector.numpy")

    __dlpack__ = __dlpack_device__ = _no_conversion("DLPack", "use the value itself")

    def __repr__(self) -> str:
        return f"Traced({self._show()}, shape={self.shape}, dtype={self.dtype}, by {self._trace.name})"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        value = concrete(self)
        if spec and value is not None and np.shape(value) == ():
            return format(value[()] if isinstance(value, np.ndarray) else value, spec)
        # A number's format (".3f") does not suit a batch or an unknown value; printing those should still work.
        return repr(self) if self.shape == () else format(repr(self), spec)

    def _show(self) -> str:
        return repr(self.value)

    def __copy__(self) -> Tracer:
        return self.clone()

    def __deepcopy__(self, memo: Any) -> Tracer:
        return self.clone()

    def __reduce__(self) -> NoReturn:
        raise TracerConversionError(
            f"pickling a value traced by {self._trace.name} at {caller()} would drop its derivative; "
            f"return it from the transformed function first"
        )


class TracedNumber(TracedValue):
    """A traced 0-d value as functions meet it: it can be indexed as NumPy's scalars can, by ``[()]``, None and ``...``.

    NumPy takes what has ``__getitem__`` for a sequence, and on ``a[0] = t`` puts a message of its own in place of ours.
    So when it asks for a number, the value first becomes one that cannot be indexed.
    """

    __slots__ = ()
    __iter__ = None

    def __getitem__(self, index: Any) -> Any:
        return FUNCTIONS["getitem"](self, index)

    def __float__(self) -> float:  # type: ignore[override]
        kinds = [c for c in type(self).__mro__ if issubclass(c, TracedValue) and not hasattr(c, "__getitem__")]
        self.__class__ = kinds[0]  # type: ignore[assignment]
        return float(self)


class TracedArray(TracedValue):
    """A traced array of one or more dimensions: adds what makes it a sequence."""

    __slots__ = ()

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(len(self))])

    def __getitem__(self, index: Any) -> Any:
        return FUNCTIONS["getitem"](self, index)

    def __contains__(self, item: Any) -> bool:
        return bool(FUNCTIONS[np.any](self == item))
