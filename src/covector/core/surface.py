"""The face of a traced value: it behaves like the ndarray or NumPy scalar it stands for.

Everything forwards to the tables in `dispatch`, so an operator, a method and a NumPy function are the same thing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .dispatch import FUNCTIONS, array_function, array_ufunc, call_function
from .errors import NotDifferentiableError, TracerConversionError, caller
from .methods import binary, in_place, method_of, no_conversion, no_method, own_method, unary
from .tracer import Tracer, concrete, own
from .values import Shape, dtype_of, shape_of
from .views import is_view, viewing

__all__ = ["TracedArray", "TracedNumber", "TracedValue"]

_API_VERSIONS = (None, "2021.12", "2022.12", "2023.12", "2024.12")
_OF_MEMORY = ("strides", "flags", "data", "base", "ctypes", "getfield", "setfield", "__array_interface__")


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
        if self.dtype.kind != "c":
            raise TypeError("array does not have imaginary part to set")  # NumPy's words
        self.imag[...] = value

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def flat(self) -> NoReturn:
        raise NotDifferentiableError(
            f".flat on an array traced by {self._trace.name} at {caller()} is not supported; use .ravel()"
        )

    __add__, __radd__, __iadd__ = binary(np.add), binary(np.add, True), in_place(np.add)
    __sub__, __rsub__, __isub__ = binary(np.subtract), binary(np.subtract, True), in_place(np.subtract)
    __mul__, __rmul__, __imul__ = binary(np.multiply), binary(np.multiply, True), in_place(np.multiply)
    __truediv__, __rtruediv__ = binary(np.true_divide), binary(np.true_divide, True)
    __itruediv__ = in_place(np.true_divide)
    __floordiv__, __rfloordiv__ = binary(np.floor_divide), binary(np.floor_divide, True)
    __ifloordiv__ = in_place(np.floor_divide)
    __mod__, __rmod__, __imod__ = binary(np.remainder), binary(np.remainder, True), in_place(np.remainder)
    __divmod__, __rdivmod__ = binary(np.divmod), binary(np.divmod, True)
    __pow__, __rpow__, __ipow__ = binary(np.power), binary(np.power, True), in_place(np.power)
    __matmul__, __rmatmul__, __imatmul__ = binary(np.matmul), binary(np.matmul, True), in_place(np.matmul)
    __and__, __rand__, __iand__ = binary(np.bitwise_and), binary(np.bitwise_and, True), in_place(np.bitwise_and)
    __or__, __ror__, __ior__ = binary(np.bitwise_or), binary(np.bitwise_or, True), in_place(np.bitwise_or)
    __xor__, __rxor__, __ixor__ = binary(np.bitwise_xor), binary(np.bitwise_xor, True), in_place(np.bitwise_xor)
    __lshift__, __rlshift__ = binary(np.left_shift), binary(np.left_shift, True)
    __ilshift__ = in_place(np.left_shift)
    __rshift__, __rrshift__ = binary(np.right_shift), binary(np.right_shift, True)
    __irshift__ = in_place(np.right_shift)
    __lt__, __le__, __gt__, __ge__ = (
        binary(np.less),
        binary(np.less_equal),
        binary(np.greater),
        binary(np.greater_equal),
    )
    __eq__, __ne__ = binary(np.equal), binary(np.not_equal)
    __neg__, __pos__, __abs__, __invert__ = (
        unary(np.negative),
        unary(np.positive),
        unary(np.absolute),
        unary(np.invert),
    )

    def __round__(self, ndigits: int | None = None) -> Any:
        if ndigits is None and not self.shape:
            return round(self._number("round"))  # an integer, as of any number
        return FUNCTIONS[np.round](self, ndigits or 0)

    def __setitem__(self, index: Any, value: Any) -> None:
        FUNCTIONS["setitem"](self, index, value)

    def __delitem__(self, index: Any) -> NoReturn:
        raise ValueError("cannot delete array elements")

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
        self._trace  # noqa: B018  # brings a view up to date
        value = self.value
        return value._number(purpose) if isinstance(value, TracedValue) else value

    __float__ = no_conversion(
        "float(t), a math.* function or an assignment a[i] = t into a plain array",
        "use the NumPy function, such as np.sin(t); for a[i] = t make the array with np.zeros_like(t), or with "
        "np.zeros(n) and `import covector.numpy as np`; np.stack([t, u]) builds an array from its parts",
    )
    __complex__ = no_conversion("complex(t)", "use t + 0j")
    __array__ = no_conversion(
        "np.array(t), np.asarray(t) or a function that converts its argument to an array",
        "use t itself, np.stack([t, u]) for np.array([t, u]), `import covector.numpy as np` for np.array, np.full, "
        "np.arange and np.vectorize, covector.scipy for functions of SciPy, and a @ t for a.dot(t)",
        "to pick from a plain array with a batched index, use np.take_along_axis(a, i, 0), np.choose(i, a) or "
        "np.where(mask, a, b)",
    )
    __bytes__ = no_conversion("bytes(t)", "return it through has_aux=True first")
    __hash__ = no_conversion("hash(t), a dict key or a member of a set", "use a position in a list, or id(t)")
    as_integer_ratio = no_conversion(
        "a function of `statistics` or `fractions`", "use NumPy's, as in np.mean(np.stack([t, u]))"
    )

    sum, prod, mean, std, var = (method_of(f) for f in (np.sum, np.prod, np.mean, np.std, np.var))
    max, min, ptp, all, any = (method_of(f) for f in (np.max, np.min, np.ptp, np.all, np.any))
    argmax, argmin, argsort, argpartition = (method_of(f) for f in (np.argmax, np.argmin, np.argsort, np.argpartition))
    cumsum, cumprod, nonzero, searchsorted = (
        method_of(f) for f in (np.cumsum, np.cumprod, np.nonzero, np.searchsorted)
    )
    round, conj, conjugate = (method_of(f) for f in (np.round, np.conj, np.conjugate))
    dot, trace, diagonal, repeat, take = (method_of(f) for f in (np.dot, np.trace, np.diagonal, np.repeat, np.take))
    ravel, squeeze, swapaxes = (method_of(f) for f in (np.ravel, np.squeeze, np.swapaxes))
    flatten, fill, sort, partition = (own_method(name) for name in ("flatten", "fill", "sort", "partition"))
    put, choose = (method_of(f) for f in (np.put, np.choose))

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        """Return the value in another shape."""
        return FUNCTIONS[np.reshape](self, shape[0] if len(shape) == 1 else shape, order=order, copy=copy)

    def transpose(self, *axes: Any) -> Any:
        """Return the value with its axes permuted."""
        return FUNCTIONS[np.transpose](self, (axes[0] if len(axes) == 1 else axes) if axes else None)

    def compress(self, condition: Any, axis: int | None = None, out: Any = None) -> Any:
        """Return the elements or slices at which the condition holds."""
        return call_function(np.compress, (condition, self, axis), {"out": out})

    def clip(self, min: Any = None, max: Any = None, out: Any = None, **options: Any) -> Any:
        """Return the value limited to the given bounds; unlike `numpy.clip`, one of them is enough."""
        return call_function(np.clip, (self, min, max), {"out": out, **options})

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

    resize = no_method("resize", "use np.resize")
    itemset = no_method("itemset", "write x[i] = v")
    setflags = no_method("setflags", "a traced array is read-only")
    byteswap = no_method("byteswap", "use .astype")
    tolist = no_conversion(".tolist()", "iterate over the array instead")
    tobytes = no_conversion(".tobytes()", "return it through has_aux=True first")
    tofile = no_conversion(".tofile()", "return it through has_aux=True first")
    dump = no_conversion(".dump()", "return it through has_aux=True first")
    dumps = no_conversion(".dumps()", "return it through has_aux=True first")

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

    __dlpack__ = __dlpack_device__ = no_conversion("DLPack", "use the value itself")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in _OF_MEMORY:
                # An AttributeError, because NumPy and SciPy find out by hasattr what kind of object they have.
                raise AttributeError(f".{name} tells how an array lies in memory; a traced value does not")
            raise AttributeError(f"traced values have no attribute {name!r}")

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
        return own(self.clone())

    def __deepcopy__(self, memo: Any) -> Tracer:
        return own(self.clone())

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
        self.__class__ = viewing(kinds[0]) if is_view(self) else kinds[0]
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
