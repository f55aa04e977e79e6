"""`jit`: plain NumPy functions as native code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np

from ..control.loops.capacity import CapacityError
from ..core import tree
from ..core.tracer import Tracer, concrete
from ..transforms.arguments import check_callable, fun_name
from .tracing.fast import fast_call
from .tracing.inspection import Bound, CompileReport, Lowered
from .tracing.libraries import is_numpys
from .tracing.signature import Arguments, Static, parameters
from .tracing.specialise import MISMATCH, Specialisation
from .tracing.variants import CacheInfo, Found, UncachedError, Variants

__all__ = ["JitFunction", "jit"]

_ndarray = np.ndarray


class JitFunction:
    """A function that `jit` compiles when it is called; see there.

    Attributes
    ----------
    options : tuple
        The arguments of `jit` after the function.
    inline : bool
        Whether other transforms see the Python function.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        static_argnums: int | Sequence[int] = (),
        static_argnames: str | Sequence[str] = (),
        donate_argnums: int | Sequence[int] = (),
        threads: int | None = None,
        inline: bool = False,
    ) -> None:
        update_wrapper(self, fun)
        self.__wrapped__ = fun
        self.inline = inline
        donate = (donate_argnums,) if isinstance(donate_argnums, int) else tuple(donate_argnums)
        self.options = (static_argnums, static_argnames, donate, threads, inline)
        self._static = Static(fun, static_argnums, static_argnames)
        Static(fun, donate, (), "donate_argnums")  # which checks the positions
        self._variants = Variants(fun, self._static, donate, threads)
        self._recent: Callable[..., Any] | None = None
        self._takes_out: bool | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        recent = self._recent
        if recent is not None:
            try:
                out = recent(args, kwargs)
            except (ArithmeticError, LookupError, ValueError):
                if self.options[2]:
                    raise
                out = MISMATCH  # the general way repeats the call in Python
            except CapacityError:
                out = MISMATCH  # the general way records the program again
            if out is not MISMATCH:
                return out
        return self._dispatch(args, kwargs)

    def _dispatch(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if "out" in kwargs and not self._has_out():
            out = kwargs.pop("out")
            if out is None:
                return self._dispatch(args, kwargs)
            return _write_into(out, self._dispatch(args, kwargs), self.__wrapped__)
        given = Arguments(self._static, args, kwargs)
        if given.traced:
            # Inside a trace without values the function is part of the program that is being recorded.
            if self.inline or any(isinstance(x, Tracer) and concrete(x) is None for x in given.leaves):
                return self.__wrapped__(*args, **kwargs)
            return self._variants.call_traced(given)
        out, found = self._variants.call(given)
        if found is not None:
            self._recent = _fast(self._variants, found, given)
        return out

    def _has_out(self) -> bool:
        if self._takes_out is None:
            # NumPy's functions would write to the arrays that stand for the caller's, which stay as they are.
            known = {} if is_numpys(self.__wrapped__) else parameters(self.__wrapped__)
            self._takes_out = "out" in known or any(p.kind is p.VAR_KEYWORD for p in known.values())
        return self._takes_out

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else BoundMethod(self, instance)

    def __repr__(self) -> str:
        return f"<jitted function {fun_name(self.__wrapped__)}>"

    def __reduce__(self) -> Any:
        from .calls.pickling import reduce_jit

        return reduce_jit(self)

    def replaced(self, fun: Callable[..., Any]) -> JitFunction:
        """Return the same compiled function of another Python function."""
        return JitFunction(fun, *self.options)

    def recorded(self) -> list[tuple[Any, Any, Any, Any]]:
        """Return ``(fixed_key, environment, key, specialisation)`` of every program of calls without static values."""
        return self._variants.recorded()

    def restore(self, fixed_key: Any, environment: Any, key: Any, specialisation: Any) -> None:
        """Add a program that another process recorded."""
        self._variants.restore(fixed_key, environment, key, specialisation)

    # --- inspection ---------------------------------------------------------------------------------------------------

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Record the function for these arguments and return its programs, stage by stage."""
        found, given = self._found(args, kwargs)
        return Lowered(found.specialisation, self._bound(found, given, checked=True))

    def bind(self, *args: Any, **kwargs: Any) -> Bound:
        """Compile the function for arguments like these; return it with no check but that of dtypes and shapes."""
        found, given = self._found(args, kwargs)
        found.specialisation.executable  # noqa: B018  # compiles
        return self._bound(found, given, checked=False)

    def _found(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = Arguments(self._static, args, kwargs)
        return self._find(given), given

    def _find(self, given: Arguments) -> Any:
        try:
            return self._variants.find(given)[0]
        except UncachedError as error:
            if error.raised and error.__cause__ is not None:
                raise error.__cause__ from None
            reason = "" if error.__cause__ is None else f": {error.__cause__}"
            raise RuntimeError(
                f"jit: {fun_name(self.__wrapped__)} runs as plain Python for these arguments{reason}"
            ) from None

    def _bound(self, found: Any, given: Arguments, checked: bool) -> Bound:
        environment, fun, fixed = found.environment, self.__wrapped__, given.fixed
        read = (lambda: environment.read(fun, fixed)) if environment.active else None

        def again(outgrown: Specialisation, error: CapacityError) -> Specialisation:
            self._variants.outgrow(outgrown, error)
            return self._find(given).specialisation

        return Bound(found.specialisation, given, self._static, read, again, checked)

    def compile_report(self) -> CompileReport:
        """Return how long each stage of each compilation took."""
        return CompileReport(self._variants.all())

    def cache_info(self) -> CacheInfo:
        """Return how many calls found their program, how many did not, and how many programs there are."""
        return CacheInfo(self._variants.hits[0], self._variants.misses, len(self._variants.all()))

    def cache_clear(self) -> None:
        """Forget all programs."""
        self._recent = None
        self._variants.clear()


class BoundMethod:
    """A jitted method of one instance."""

    __slots__ = ("__func__", "__self__")

    def __init__(self, function: JitFunction, instance: Any) -> None:
        self.__func__ = function
        self.__self__ = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """See `JitFunction.lower`."""
        return self.__func__.lower(self.__self__, *args, **kwargs)

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """See `JitFunction.bind`."""
        bound = self.__func__.bind(self.__self__, *args, **kwargs)
        return lambda *args, **kwargs: bound(self.__self__, *args, **kwargs)

    def __reduce__(self) -> Any:
        return BoundMethod, (self.__func__, self.__self__)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func__, name)

    def __eq__(self, other: Any) -> bool:
        same = isinstance(other, BoundMethod)
        return same and self.__func__ is other.__func__ and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((id(self.__func__), id(self.__self__)))

    def __repr__(self) -> str:
        return f"<bound {self.__func__!r} of {self.__self__!r}>"


def _fast(variants: Variants, found: Found, given: Arguments) -> Any:
    """The fast way of calls like this one, None where there is none."""
    try:
        return fast_call(variants, found, given)
    except (SyntaxError, RecursionError, MemoryError):
        return None  # Python's compiler does not take expressions that are nested very deeply


def _write_into(out: Any, result: Any, fun: Any) -> Any:
    """Copy the leaves of `result` into the arrays of the same structure `out`; return `out`."""
    targets, treedef = tree.flatten(out)
    leaves, own = tree.flatten(result)
    if treedef != own:
        raise ValueError(
            f"jit: out= must have the structure of the result of {fun_name(fun)}, which is {own}; got {treedef}"
        )
    for target, x in zip(targets, leaves, strict=True):
        if not isinstance(target, _ndarray) or target.shape != np.shape(x):
            got = f"shape {target.shape}" if isinstance(target, _ndarray) else type(target).__name__
            raise ValueError(
                f"jit: out= of {fun_name(fun)} must be an array of shape {np.shape(x)} and dtype "
                f"{np.asarray(x).dtype}; got {got}"
            )
    for target, x in zip(targets, leaves, strict=True):
        np.copyto(target, x)
    return out


def jit(
    fun: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Sequence[str] = (),
    donate_argnums: int | Sequence[int] = (),
    threads: int | None = None,
    inline: bool = False,
) -> Any:
    """Compile a function of plain NumPy code to native code.

    The first call with arguments of new dtypes, shapes or structure records what the function computes and compiles it;
    other calls run the machine code. NumPy arrays go in and come out, in the dtypes that NumPy would give them.

    Parameters
    ----------
    fun : callable
        Takes and returns pytrees of arrays; may be the result of a transform, as in ``jit(grad(f))``, a method or any
        other callable. Without it, `jit` returns a decorator: ``@jit(static_argnums=1)``.
    static_argnums : int or sequence of int, default ()
        Positions of arguments that are part of the program: it is recorded anew for each of their values, which are
        compared by type and value, arrays by contents.
    static_argnames : str or sequence of str, default ()
        Names of such arguments. With either, an argument is static whether it is passed by position or by name.
    donate_argnums : int or sequence of int, default ()
        Positions of arguments that the caller does not need any more, whose memory results may be put into.
    threads : int, optional
        How many threads long loops may use; all that the process may use when absent.
    inline : bool, default False
        Under other transforms, run `fun` as if it were not compiled.

    Returns
    -------
    callable
        The compiled function. It takes the arguments of `fun`, and ``out=`` with arrays to write the result into unless
        `fun` has a parameter of that name. Its methods ``lower``, ``bind``, ``compile_report``, ``cache_info`` and
        ``cache_clear`` are described in the notes; ``__wrapped__`` is `fun`.

    Raises
    ------
    TypeError
        `fun` is not callable; at a call, an argument or output is no array, or a static argument cannot be compared.
    ValueError
        A static position or name that `fun` does not have; at a call, ``out=`` of another structure or shape.

    Notes
    -----
    *Values.* Python may look at values (``if``, ``while``, ``int()``, masks as indices). The answers are checked
    whenever the program runs, and another program is recorded for other answers. A warning names the line that causes
    many.

    *Hidden inputs.* Arrays that the function reaches through globals, closures, defaults and attributes are read anew
    at every call. Numbers and other objects found there are compared, and the function is recorded anew when they
    change. What it assigns to elements of such an array is written there; arguments stay as they are.

    *Numbers.* Python numbers are inputs, not constants, and give way to the dtypes of arrays as in NumPy.

    ``lower(*args)`` returns the programs for these arguments: ``.graph``, ``.simplified``, ``.kernels``, ``.llvm``, and
    ``.compile()``. ``bind(*args)`` returns a callable for such arguments that checks dtypes and shapes only, for
    inner loops.
    ``compile_report()`` shows the time that each stage took, ``cache_info()`` counts calls and programs, and
    ``cache_clear()`` forgets them.

    Cost: recording takes about as long as an eager call on small arrays, compiling some ten milliseconds; a call of
    compiled code a microsecond more than the computation.

    Examples
    --------
    >>> import numpy as np, covector
    >>> @covector.jit
    ... def steps(x):
    ...     n = 0
    ...     while x > 1:
    ...         x = x / 2
    ...         n += 1
    ...     return x, n
    >>> steps(10.0)
    (0.625, 4)
    >>> covector.jit(covector.grad(lambda x: np.sum(x**2)))(np.arange(3.0))
    array([0., 2., 4.])
    """
    if fun is None:
        return lambda f: jit(
            f,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
            threads=threads,
            inline=inline,
        )
    if isinstance(fun, staticmethod | classmethod):
        method: Any = JitFunction(fun.__func__, static_argnums, static_argnames, donate_argnums, threads, inline)
        return type(fun)(method)
    check_callable(fun, "jit")
    if isinstance(fun, JitFunction):
        fun = fun.__wrapped__
    return JitFunction(fun, static_argnums, static_argnames, donate_argnums, threads, inline)
