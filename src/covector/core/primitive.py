"""Primitives, the unit that every transform understands, and `bind`, which routes a call to the right one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .errors import NotDifferentiableError, caller
from .tracer import Trace, Tracer

__all__ = ["LATE_RULES", "PRIMITIVES", "Expand", "Primitive", "Refuse", "Routine", "Sample", "bind", "load_late_rules"]

PRIMITIVES: dict[str, Primitive] = {}
"""Every primitive by name: the one registry that tests, tables and pickles read."""

LATE_RULES: list[Callable[[], Any]] = []
"""Imports of primitives that wait for their first use, because they load libraries that would make ours slow."""

Rule = Callable[..., Any]


class Sample:
    """One input on which every generic test exercises a primitive.

    An argument given as a `functools.partial` is made by calling it when the arguments are first read, so that an
    import declares samples without computing any.

    Parameters
    ----------
    args : tuple
        Arrays, or partials that make them.
    params : dict or callable
        Static parameters, or what makes them.
    label : str
        What is particular about this sample.
    """

    __slots__ = ("_args", "_params", "label")

    def __init__(
        self, args: tuple[Any, ...], params: dict[str, Any] | Callable[[], dict[str, Any]], label: str = ""
    ) -> None:
        self._args = args
        self._params = params
        self.label = label

    @property
    def params(self) -> dict[str, Any]:
        """The keywords to call the primitive with."""
        if not isinstance(self._params, dict):
            self._params = self._params()
        return self._params

    @property
    def args(self) -> tuple[Any, ...]:
        """The arrays to call the primitive with."""
        self._args = tuple([x() if isinstance(x, partial) else x for x in self._args])
        return self._args

    def __repr__(self) -> str:
        return f"Sample({self.label or self.args!r})"


class Refuse:
    """Stands in a rule slot that cannot be filled; calling it raises `NotDifferentiableError` with the reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise NotDifferentiableError(f"{self.reason} (at {caller()})")


class Expand:
    """Stands in the slot `lower` of a primitive that is, to the compiler, no more than its definition by others.

    Parameters
    ----------
    function : callable
        ``function(*args, **params)`` in plain NumPy; returns what the primitive returns.
    """

    def __init__(self, function: Rule) -> None:
        self.function = function


class Routine:
    """Stands in the slot `lower` of a primitive that compiled programs compute by routines of BLAS and LAPACK.

    Parameters
    ----------
    name : str
        As the compiler knows it, see `compiler.lapack`.
    small : callable, optional
        ``small(*args, **params)``: the same in plain NumPy, for arguments of which ``fits(*args, **params)`` holds.
    fits : callable, optional
        It may read shapes and dtypes only.
    """

    def __init__(self, name: str, small: Rule | None = None, fits: Rule | None = None) -> None:
        self.name = name
        self.small = small
        self.fits = fits


@dataclass(eq=False, slots=True)
class Primitive:
    """An operation together with all its rules.

    Arrays are positional and static parameters are keywords, so a traced value can sit in one place only.
    Rules are written in plain NumPy: on arrays they run as they stand, on traced values they are traced.
    The family builders of `covector.ops.families` fill most slots.

    Attributes
    ----------
    name : str
        Unique; primitives pickle by it.
    impl : callable
        ``impl(*args, **params)`` on plain arrays.
    aval : callable
        ``aval(*avals, **params)``: the abstract output, or a tuple of them when `multiple`.
    jvp : callable
        ``jvp(args, tangents, out, **params)``: the output tangent(s); None stands for zero on both sides.
    vjp : callable
        ``vjp(ct, wanted, out, args, **params)``: one cotangent per argument, None where not wanted or zero.
        For an argument in which the primitive is linear only shape and dtype may be read, so that the same
        rule transposes recorded linear programs. Result dtypes may be wider or complex; the caller narrows.
    batch : callable
        ``batch(trace, args, batched, **params)``: the output(s) with the batch axis first;
        where ``batched[i]`` the axis is first in ``args[i]``.
    lower : object
        How the compiler makes machine code of it: the name of a scalar operation, an `Expand`, a `Routine`, or a rule
        ``lower(b, *args, **params)`` that says which elements of the arguments each element of the output is made
        of (see `compiler.lowering`). None: the compiled program calls `impl`.
    sparsity : object
        What the sparsity analysis needs; None until that part reads it.
    samples : sequence of Sample
        Inputs for the generic tests.
    source : str
        Paper or derivation, where not obvious.
    family : str
        Name of the builder.
    residuals : callable, optional
        ``residuals(args, params) -> (out, params)``: what the tape runs instead of `bind`, for functions whose
        user-given forward pass returns more than the output; the extra values go to `vjp` as parameters.
    forward : callable, optional
        ``forward(args, tangents, params) -> (out, tangents_out)``: what forward mode runs instead of `impl` and `jvp`,
        where values and tangents are better computed together.
    multiple : bool
        Whether the primitive returns a tuple.
    constant : bool
        Whether the output has no derivative by nature (comparisons, rounding, positions).
    keeps : bool
        Whether the derivative reads the values of real and complex arguments (else the tape holds only their shapes,
        and such constants need no protection from being overwritten).
    keeps_out : bool
        Whether the derivative reads the value of the output.
    singular : bool
        Whether derivative rules can divide by zero at finite inputs; they then run without NumPy's warnings.
    lean : bool
        Whether the tape holds only shape and dtype of arguments that the derivative does not read even where they are
        small: reading from an array that is written to in turn must not make it look shared.
    writes : bool
        Whether it is a `WritePrimitive`.
    inline : callable, optional
        ``inline(*args, **params)``: what a recorded program gets instead, for calls of programs: their operations.
    """

    name: str
    impl: Rule
    aval: Rule
    jvp: Rule
    vjp: Rule
    batch: Rule
    lower: Any = None
    sparsity: Any = None
    samples: Sequence[Sample] = ()
    source: str = ""
    family: str = ""
    residuals: Rule | None = None
    forward: Rule | None = None
    multiple: bool = False
    constant: bool = False
    keeps: bool = True
    keeps_out: bool = True
    singular: bool = False
    lean: bool = False
    writes: bool = False
    inline: Rule | None = None
    numpy: tuple[Any, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.name in PRIMITIVES:
            raise ValueError(f"the primitive {self.name!r} is declared twice")
        PRIMITIVES[self.name] = self

    def __call__(self, *args: Any, **params: Any) -> Any:
        return bind(self, args, params)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_name, (self.name,)


def load_late_rules() -> None:
    """Declare the primitives that wait for their first use; a second call finds everything imported."""
    for load in LATE_RULES:
        load()


def _by_name(name: str) -> Primitive:
    if name not in PRIMITIVES:
        load_late_rules()
    return PRIMITIVES[name]


def bind(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply `primitive`: at once when no argument is traced, else as the innermost transform among them decides."""
    top: Trace | None = None
    for arg in args:
        if isinstance(arg, Tracer):
            trace = arg._trace
            if top is None or trace.level > top.level:
                top = trace
    if top is None:
        return primitive.impl(*args, **params)
    return top.process(primitive, args, params)
