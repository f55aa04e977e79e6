"""Arrays of one kind: what functions written for the array API standard expect.

Such a function asks its arguments for their namespace and refuses when there are two. Inside a transform there are:
traced values answer `covector.numpy`; plain arrays, and results without derivative such as comparisons, answer `numpy`.
`array_api` runs a function with handles around all of them.

A `UniformTrace` is a transform that changes nothing: it hands every primitive on to the transforms below and puts
handles around what comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..core import tree
from ..core.buffer import Buffer, BufferValue, buffer, plain_of
from ..core.dispatch import FUNCTIONS, VIEWS, array_function
from ..core.errors import TracerConversionError, caller
from ..core.mutation import adopt, isolate, mutate
from ..core.primitive import Primitive, bind
from ..core.surface import TracedArray, TracedValue
from ..core.tracer import Trace, Tracer, running, snapshot
from ..core.values import shape_of

__all__ = ["array_api", "is_uniform", "made"]


def made(x: Any) -> Any:
    """Return the new array `x` such that traced values can be assigned to it, and of the kind that is asked for here.

    Outside of transforms it stays a plain array.
    """
    trace = running()
    return trace.handle(x) if isinstance(trace, UniformTrace) else buffer(x)


def is_uniform() -> bool:
    """Whether an `array_api` function runs innermost, in which all arrays are of one kind."""
    return isinstance(running(), UniformTrace)


_WRITERS = (np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis)
_KEEPS_HANDLES = VIEWS.union(_WRITERS)
"""Functions that may write to an argument, or whose result one may write to in order to change the argument."""


def _any_traced(values: Iterable[Any]) -> bool:
    return any(_any_traced(x) if isinstance(x, list | tuple) else isinstance(x, Tracer) for x in values)


def _unwrapped(x: Any) -> Any:
    """`x` with plain values in place of the handles around them."""
    if isinstance(x, list | tuple):
        return [_unwrapped(y) for y in x] if isinstance(x, list) else tuple(map(_unwrapped, x))
    if isinstance(x, dict):
        return {name: _unwrapped(y) for name, y in x.items()}
    return x.constant() if isinstance(x, _PlainArray | _PlainScalar) else x


# --- handles ----------------------------------------------------------------------------------------------------------


class _Handle(TracedValue):
    """A handle around a traced value."""

    __slots__ = ()

    def __init__(self, trace: UniformTrace, value: Any) -> None:
        self._trace = trace
        self._link = None
        self.value = value

    def clone(self) -> Tracer:
        trace: Any = self._trace
        return trace.handle(self.value)

    def __setitem__(self, index: Any, value: Any) -> None:
        FUNCTIONS["setitem"](self, _unwrapped(index), value)

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        trace: Any = self._trace
        if func not in _KEEPS_HANDLES and "out" not in kwargs:
            args, kwargs = _unwrapped(args), _unwrapped(kwargs)
            if not _any_traced(args) and not _any_traced(kwargs.values()):
                return trace.handles(func(*args, **kwargs))
        return trace.handles(array_function(self, func, types, args, kwargs))


class _Indexed(_Handle):
    """A handle of no dimensions, which can be indexed as NumPy's scalars can: by ``[()]``, None and ``...``."""

    __slots__ = ()
    __iter__ = None

    def __getitem__(self, index: Any) -> Any:
        return FUNCTIONS["getitem"](self, _unwrapped(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        index = _unwrapped(index)
        if isinstance(index, bool | np.bool) or (isinstance(index, np.ndarray) and index.dtype == bool):
            if not index:
                return
            index, value = (), np.reshape(value, ())
        FUNCTIONS["setitem"](self, index, value)

    def __float__(self) -> float:  # type: ignore[override]
        # NumPy takes what has __getitem__ for a sequence and would put a message of its own in place of ours.
        self.__class__ = _Handle  # type: ignore[assignment]
        return _Handle.__float__(self)


class _Array(_Handle, TracedArray):
    """A handle around a traced array."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        return FUNCTIONS["getitem"](self, _unwrapped(index))


class _PlainArray(_Array, Buffer):
    """A handle around a plain array, which may be converted to one."""

    __slots__ = ()
    constant = Buffer.constant
    __array__ = Buffer.__array__
    __float__ = Buffer.__float__  # type: ignore[assignment]
    __complex__ = Buffer.__complex__  # type: ignore[assignment]
    tolist = Buffer.tolist
    tobytes = Buffer.tobytes


class _PlainScalar(_Indexed, BufferValue):
    """A handle around a plain number, which may be converted to one: there is no derivative to lose."""

    __slots__ = ()
    constant = BufferValue.constant
    __float__ = BufferValue.__float__
    __complex__ = BufferValue.__complex__

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.constant(), dtype)

    def item(self, *args: Any) -> Any:
        return np.asarray(self.constant()).item(*args)

    def tolist(self) -> Any:
        return np.asarray(self.constant()).tolist()


def _class_for(value: Any) -> type[_Handle]:
    if isinstance(value, Tracer):
        return _Array if shape_of(value) else _Indexed
    return _PlainArray if shape_of(value) else _PlainScalar


# --- the transform that changes nothing -------------------------------------------------------------------------------


class UniformTrace(Trace):
    """Applies each primitive below, and makes handles of the results."""

    __slots__ = ()

    def handle(self, x: Any) -> Any:
        """A handle around an array, a NumPy scalar or a traced value; other things as they are."""
        if isinstance(x, Tracer):
            if x._trace is self:
                return x
            x = plain_of(x)
        elif not isinstance(x, np.ndarray | np.generic) or x.dtype.kind not in "biufc":
            return x
        return _class_for(x)(self, x)

    def handles(self, x: Any) -> Any:
        """Handles around all arrays in the result of a function."""
        if isinstance(x, list | tuple) and not hasattr(x, "_fields"):
            return type(x)(map(self.handles, x))
        return type(x)(*map(self.handles, x)) if isinstance(x, tuple) else self.handle(x)

    def below(self, x: Any) -> Any:
        """What the transforms below see of `x`."""
        return x.value if isinstance(x, Tracer) and x._trace is self else snapshot(x)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if not self.alive:
            self.check_alive(primitive)
        out = bind(primitive, [self.below(x) for x in args], params)
        return tuple(self.handle(x) for x in out) if primitive.multiple else self.handle(out)

    def lift(self, value: Any) -> Tracer:
        return self.handle(value)

    def write(self, x: Tracer, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> None:
        """Write to `x`; see `core.mutation.write`."""
        if not self.alive:
            self.check_alive(primitive)
        if x._trace is not self:
            adopt(x, self.lift(snapshot(x)))
        isolate(x)
        mutate(x, "value", primitive, [self.below(a) for a in args], params)
        x.__class__ = _class_for(x.value)


def array_api(fun: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that relies on the array API standard work on traced arrays and plain ones together.

    Parameters
    ----------
    fun : callable
        Takes pytrees of arrays and returns one. Inside, all arrays among its arguments, all that `covector.numpy`
        makes, and all results of computing with them have the namespace `covector.numpy`, whether or not they carry a
        derivative. What is not a pytree, such as a result object of SciPy, it cannot return: return the arrays in it.

    Returns
    -------
    callable
        Takes and returns what `fun` does. Without traced values it computes with plain arrays.

    Raises
    ------
    TracerConversionError
        If the result holds an object with traced values hidden inside.

    Notes
    -----
    Cost: a few microseconds per operation.

    Examples
    --------
    >>> import covector as cv
    >>> import covector.numpy as np
    >>> def f(x, y):
    ...     xp = x.__array_namespace__()
    ...     return xp.sum(xp.where(x > y, x, y))
    >>> cv.grad(np.array_api(f))(np.array([1.0, 5.0]), np.array([2.0, 3.0]))
    array([0., 1.])
    """

    @wraps(fun)
    def call(*args: Any, **kwargs: Any) -> Any:
        if running() is None:
            return fun(*args, **kwargs)
        trace = UniformTrace("array_api")
        try:
            args, kwargs = tree.map(trace.handle, (args, kwargs))
            return tree.map(lambda x: _result(trace, x), fun(*args, **kwargs))
        finally:
            trace.close()

    return call


def _result(trace: UniformTrace, x: Any) -> Any:
    """The leaf `x` of a result, as the transforms outside see it."""
    if isinstance(x, Tracer | np.ndarray | np.generic | str | int | float | complex | None):
        return trace.below(x)
    fields = [*x] if isinstance(x, tuple) else list(getattr(x, "__dict__", {}).values())
    if any(isinstance(field, Tracer) for field in fields):
        raise TracerConversionError(
            f"array_api at {caller()}: the function returned a {type(x).__module__}.{type(x).__name__}, which hides "
            f"traced values; return the arrays in it, as in `lambda t: ttest_1samp(t, 0.0).statistic`"
        )
    return x
