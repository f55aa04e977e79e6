"""What an array is to the loop compiler: how each of its elements comes about, before anything is stored.

The slot `lower` of a primitive makes one of these through a `Builder`; `fuse` decides which arrays get memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...core.graph import Graph, Var

__all__ = [
    "Branch",
    "Capacity",
    "Check",
    "Definition",
    "Dot",
    "Failure",
    "Host",
    "Lapack",
    "Map",
    "Nested",
    "Piece",
    "Reduce",
    "Repeat",
    "Scan",
    "Update",
]

ElementRule = Callable[..., Any]


class Definition:
    """How the variable `var` is computed from the variables `reads`."""

    __slots__ = ("reads", "var")
    var: Var
    reads: list[Var]

    def __repr__(self) -> str:
        what = f"call of {self.equation.primitive}" if isinstance(self, Host) else type(self).__name__.lower()
        made = getattr(self, "vars", [self.var])
        return f"{what} -> {', '.join(f'{v}:{v.aval}' for v in made)}"


class Map(Definition):
    """Each element by itself: ``rule(*index) -> value``.

    Attributes
    ----------
    cost : int
        Roughly the number of additions that one element costs, operands not counted.
    aligned : bool
        Whether it reads its operands only at its own index, apart from broadcasting.
    mixes : bool
        Whether it combines or selects along axes, so that small ones are better unrolled.
    pieces : sequence of (operand, callable)
        If the array consists of whole others: these, and where ``place(index) -> index`` their elements go.
    """

    __slots__ = ("aligned", "cost", "mixes", "pieces", "rule")

    def __init__(
        self,
        rule: ElementRule,
        cost: int = 1,
        aligned: bool = False,
        mixes: bool = True,
        pieces: Sequence[tuple[Any, ElementRule]] = (),
    ) -> None:
        self.rule = rule
        self.cost = cost
        self.aligned = aligned
        self.mixes = mixes
        self.pieces = pieces


class Piece(Map):
    """A part of the array `var` that is another array: ``rule(*index)`` of that goes to ``place(index)``."""

    __slots__ = ("place", "shape", "source")

    def __init__(self, var: Var, source: Any, rule: ElementRule, place: ElementRule) -> None:
        super().__init__(rule, 0)
        self.var = var
        self.reads = [source.x] if type(source.x) is Var else []
        self.source: Var | None = source.x if type(source.x) is Var else None
        self.shape: tuple[int, ...] = source.shape
        self.place = place


class Reduce(Definition):
    """Elements combined: ``combine over r of rule(index, r)`` with r in the box `extent`.

    `how` is "add", "mul", "max", "min", "fmax", "fmin", "or", "and".
    """

    __slots__ = ("cost", "extent", "how", "rule")

    def __init__(self, how: str, extent: Sequence[int], rule: ElementRule, cost: int = 1) -> None:
        self.how = how
        self.extent = tuple(extent)
        self.rule = rule
        self.cost = cost


class Scan(Definition):
    """A running combination along one axis: ``out[k] = step(out[k-1], index)``, backwards if `reverse`.

    ``first(index)`` is the element where it starts.
    """

    __slots__ = ("axis", "first", "reverse", "step")

    def __init__(self, axis: int, reverse: bool, first: ElementRule, step: ElementRule) -> None:
        self.axis = axis
        self.reverse = reverse
        self.first = first
        self.step = step


class Update(Definition):
    """A copy of `old` (zeros if None) in which places in the box `extent` of writes are replaced or added to.

    ``place(r) -> index`` into the array, ``rule(r) -> value``; writes to the same place come in order. `distinct`
    says that no two writes go to the same place.
    """

    __slots__ = ("adds", "distinct", "extent", "old", "place", "rule")

    def __init__(
        self, old: Var | None, extent: Sequence[int], place: ElementRule, rule: ElementRule, adds: bool, distinct: bool
    ) -> None:
        self.old = old
        self.extent = tuple(extent)
        self.place = place
        self.rule = rule
        self.adds = adds
        self.distinct = distinct


class Dot(Definition):
    """A stack of matrix products by BLAS; operands are stored arrays (see `dot`)."""

    __slots__ = ("call",)

    def __init__(self, call: Any) -> None:
        self.call = call


class Host(Definition):
    """A call of NumPy: `vars` are all outputs of the equation."""

    __slots__ = ("equation", "vars")

    def __init__(self, equation: Any) -> None:
        self.equation = equation
        self.vars: list[Var] = list(equation.outputs)


class Lapack(Definition):
    """Calls of BLAS and LAPACK on stored arrays; see `lapack`.

    Attributes
    ----------
    vars : list of Var
        The arrays that it computes, temporary ones among them.
    takes : list of pairs of Var
        Operands that, copied, become results: ``(operand, result)``.
    write : callable
        ``write(f, step)`` writes the calls into a function of the program.
    """

    __slots__ = ("takes", "vars", "write")

    def __init__(self, vars_: Sequence[Var], takes: Sequence[tuple[Var, Var]], write: Callable[..., None]) -> None:
        self.vars = list(vars_)
        self.takes = list(takes)
        self.write = write


class Nested(Definition):
    """An equation whose parameters are programs; `vars` are all of its outputs.

    Attributes
    ----------
    graphs : tuple of Graph
        The programs, in the order in which their plans are kept.
    """

    __slots__ = ("equation", "graphs", "vars")

    def __init__(self, equation: Any, graphs: Sequence[Graph]) -> None:
        self.equation = equation
        self.graphs = tuple(graphs)
        self.vars: list[Var] = list(equation.outputs)


class Repeat(Nested):
    """A native loop: the equation of the primitive `loop`. Its programs are the body and, if it has one, the condition.

    Attributes
    ----------
    counted : int
        1 if the number of iterations is the first input, else 0.
    constants, carries : int
        How many there are.
    length : int or None
        The number of iterations, the most of a counted loop, or the rows of the stacks of one with a condition.
    reverse : bool
    tag : int or None
        What the loop calls itself when it has no room for all of its iterations; without it, it goes on.
    """

    __slots__ = ("carries", "constants", "counted", "length", "reverse", "tag")

    def __init__(self, equation: Any) -> None:
        params = equation.params
        condition = params.get("cond")
        super().__init__(equation, [params["body"], *([condition] if condition is not None else [])])
        self.counted = int(bool(params.get("counted")))
        self.constants: int = params["constants"]
        self.carries: int = params["carries"]
        self.length: int | None = params["length"]
        self.reverse: bool = params["reverse"]
        self.tag: int | None = params.get("tag")

    @property
    def conditional(self) -> bool:
        return len(self.graphs) > 1

    def parts(self, inputs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """Constants, carries and sequences among `inputs`, one entry per input of the equation."""
        first = self.counted + self.constants
        last = first + self.carries
        return inputs[self.counted : first], inputs[first:last], inputs[last:]


class Branch(Nested):
    """One of several programs, chosen by a number: the equation of the primitive `branch`."""

    __slots__ = ()

    def __init__(self, equation: Any) -> None:
        super().__init__(equation, equation.params["branches"])


class Capacity(NamedTuple):
    """A CapacityError: the loop `tag` has no room for all of its iterations."""

    tag: int


class Failure(NamedTuple):
    """A LinAlgError: `message` with ``{}`` for how far the number that showed it is from `last`."""

    message: str
    last: int = 0


class Check:
    """Numbers that index an axis of length `size` must be in its range: `least` and `most` are reduced variables.

    Numbers out of range are an IndexError, or what `failure` says.
    """

    __slots__ = ("axis", "failure", "least", "most", "size")

    def __init__(self, least: Var, most: Var, size: int, axis: int, failure: Failure | None = None) -> None:
        self.least = least
        self.most = most
        self.size = size
        self.axis = axis
        self.failure = failure

    def __repr__(self) -> str:
        return f"check of {self.least} and {self.most}"
