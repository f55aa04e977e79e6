"""Looking at compiled functions: programs after every stage, times, and callables for inner loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ...control.loops.capacity import CapacityError
from ...core import tree
from ...core.graph import Graph
from ...core.values import dtype_of, shape_of
from ...transforms.arguments import fun_name
from .signature import Arguments, Static, plain_leaf
from .specialise import MISMATCH, Specialisation

__all__ = ["Bound", "CompileReport", "Lowered"]


class Bound:
    """A compiled function for arguments of one structure, with one set of dtypes and shapes.

    Arrays of another dtype or shape are refused. Nothing else is checked: what Python asked for (``if``, ``int()``) is
    taken to have the same answers. What the function closes over is read anew at every call. Where a loop makes more
    iterations than there is room for, the function is recorded once more.
    """

    __slots__ = ("_again", "_checked", "_given", "_places", "_read", "_specialisation", "_static", "_treedef")

    def __init__(
        self,
        specialisation: Specialisation,
        given: Arguments,
        static: Static,
        read: Callable[[], Any] | None,
        again: Callable[[Specialisation, CapacityError], Specialisation],
        checked: bool = False,
    ) -> None:
        self._again = again
        self._specialisation = specialisation
        self._given = given
        self._static = static
        self._read = read
        self._checked = checked
        self._treedef = given.treedef
        everything = len(given.places) == given.treedef.num_leaves
        self._places = None if everything else given.places

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._checked:
            return self._call_checked(args, kwargs)
        leaves = tree.flatten((args, kwargs))[0]
        if self._places is not None:
            leaves = [leaves[i] for i in self._places]
        hidden: Any = () if self._read is None else self._read()
        if type(hidden) is int:
            raise TypeError(f"what {self!r} reaches besides its arguments has changed; bind it again")
        try:
            return self._specialisation.force([plain_leaf(x) for x in leaves], hidden)
        except CapacityError as error:
            self._make_room(error)
        return self(*args, **kwargs)

    def _make_room(self, error: CapacityError) -> None:
        """Have the function recorded again, after a loop had no room for all that it has to keep."""
        before = self._specialisation
        self._specialisation = self._again(before, error)
        if self._specialisation is before:
            raise error

    def _call_checked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = Arguments(self._static, args, kwargs)
        hidden: Any = () if self._read is None else self._read()
        if given.key != self._given.key or type(hidden) is int:
            raise TypeError(
                f"{self!r} was called with arguments of other structure, dtypes, shapes or static values: got "
                f"{', '.join(f'{dtype_of(x)}{list(shape_of(x))}' for x in given.leaves)}; call the jitted function"
            )
        try:
            out = self._specialisation.run([plain_leaf(x) for x in given.leaves], hidden)
        except CapacityError as error:
            self._make_room(error)
            return self._call_checked(args, kwargs)
        if out is MISMATCH:
            raise TypeError(
                f"{self!r} was recorded for other values: {self._specialisation.guards}; call the jitted function"
            )
        return out

    def __repr__(self) -> str:
        return f"{'Compiled' if self._checked else 'Bound'}({fun_name(self._static.fun)}: {self._specialisation!r})"


class Lowered:
    """The programs that a jitted function becomes for given arguments, stage by stage.

    Attributes
    ----------
    graph : Graph
        What was recorded.
    simplified : object
        The program after simplification.
    kernels : object
        The loops that it is made of.
    llvm : str
        The code given to LLVM.
    guards : list of Guard
        What Python asked for while the function was recorded, with the answers.
    """

    def __init__(self, specialisation: Specialisation, compiled: Bound) -> None:
        self._specialisation = specialisation
        self._compiled = compiled

    @property
    def graph(self) -> Graph:
        return self._specialisation.graph

    @property
    def guards(self) -> list[Any]:
        return self._specialisation.guards

    @property
    def simplified(self) -> Any:
        return self._stage("simplified")

    @property
    def kernels(self) -> Any:
        return self._stage("kernels")

    @property
    def llvm(self) -> Any:
        return self._stage("llvm")

    def _stage(self, name: str) -> Any:
        stages = self._specialisation.executable.stages
        if name not in stages:
            raise AttributeError(f"this program has no stage {name!r}; it has {', '.join(stages)}")
        return stages[name]

    def compile(self) -> Bound:
        """Return a callable for arguments like these; others raise TypeError."""
        self._specialisation.executable  # noqa: B018  # compiles
        return self._compiled

    def __repr__(self) -> str:
        return f"Lowered({self._specialisation!r})"


_ASKED = 8
"""Questions for values on one line from which on it is a loop that asks in every iteration."""


class CompileReport:
    """Milliseconds per stage and specialisation, and what became of loops; print it to read it.

    Attributes
    ----------
    rows : list of dict
        Per specialisation ``{"program": its description, "trace": milliseconds, …}``.
    """

    def __init__(self, specialisations: Sequence[Specialisation]) -> None:
        self._specialisations = list(specialisations)
        self._loops: list[list[Any]] | None = None
        self.rows: list[dict[str, Any]] = []
        for spec in specialisations:
            seconds = {**spec.seconds, **spec.code_seconds()}
            self.rows.append({"program": repr(spec), **{k: 1e3 * v for k, v in seconds.items()}})

    @property
    def loops(self) -> list[list[Any]]:
        """Per specialisation notes on its loops, and on repeated operations that are none; they print as lines.

        The attributes of a note are `kind` ("rolled", made of repeated operations; "loop", written as one; "unrolled",
        repeated operations that stayed), `iterations` (None if values decide), `operations` in one of them, `begins`
        (what is carried, as it is at first), `reason` (why a stretch is not rolled) and `inner` (the loops inside).
        They are found when first asked for, in about the time that it took to find the loops for the compiler.
        """
        if self._loops is None:
            self._loops = [_loop_notes(spec) for spec in self._specialisations]
        return self._loops

    def __repr__(self) -> str:
        if not self.rows:
            return "nothing compiled yet"
        lines = []
        for row, notes, spec in zip(self.rows, self.loops, self._specialisations, strict=True):
            times = ", ".join(f"{name} {t:.2f} ms" for name, t in row.items() if name != "program")
            lines += [row["program"], f"    {times}", *[line for note in notes for line in note.lines(1)]]
            lines += [f"    {text}" for text in _questions(spec)]
        return "\n".join(lines)


def _loop_notes(spec: Specialisation) -> list[Any]:
    from ..passes.expand import expand
    from ..passes.rolling.report import notes_on
    from ..passes.shorten import shorten

    return notes_on(shorten(expand(spec.graph)).rolled)


def _questions(spec: Specialisation) -> list[str]:
    """Lines on the places where Python asked for values again and again."""
    asked = Counter(guard.where for guard in spec.guards)
    return [
        f"asked for values {n} times at {where}: each set of answers is a program of its own; covector.while_loop, "
        f"cond and fori_loop are recorded once"
        for where, n in asked.items()
        if n >= _ASKED
    ]
