"""A program that can be called and differentiated: a graph, its machine code, and the programs made of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...control.programs.axes import Axis, axes_of, bound_axes, settle_axes
from ...control.programs.derivatives import Derived, Source, Tape, batched, check_closed, tangents
from ...core.graph import Graph, Var
from ...core.programs import programs_in
from ...core.values import Aval, aval_of

__all__ = ["Part", "Program", "Reverse"]

_ndarray = np.ndarray


class Part(NamedTuple):
    """A `Derived` program, ready to be called."""

    program: Program
    sources: list[Source]
    places: list[int]


class Program:
    """A recorded program; machine code and derivatives are made when first needed, once.

    Parameters
    ----------
    graph : Graph
        Straight-line, with plain arrays as constants; not to be changed afterwards.
    threads : int, optional
        How many threads its code may use.

    Attributes
    ----------
    axes : tuple of Axis
        The named axes over which its collectives go.
    reaches : tuple of bool
        Per input whether a derivative can flow from it to an output.
    lock : RLock
        Held while something is derived from the program.
    """

    __slots__ = ("__weakref__", "_derived", "_executable", "axes", "graph", "lock", "reaches", "threads")

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        self.graph = settle_axes(graph)
        self.threads = threads
        self.axes: tuple[Axis, ...] = axes_of(self.graph)
        self.reaches = _reaches(self.graph)
        self.lock = threading.RLock()
        self._executable: Any = None
        self._derived: dict[Any, Any] = {}
        _settle_constants(self.graph)

    def __repr__(self) -> str:
        return f"Program({len(self.graph.inputs)} inputs, {len(self.graph)} operations)"

    def __reduce__(self) -> Any:
        from .pickling import checked

        return Program, (checked(self.graph), self.threads)

    @property
    def executable(self) -> Any:
        """The machine code."""
        if self._executable is None:
            with self.lock:
                if self._executable is None:
                    from ..backend import executable

                    self._executable = executable(self.graph, threads=self.threads)
        return self._executable

    def __call__(self, *args: Any) -> tuple[Any, ...]:
        """Run on plain arrays; results of no dimensions are NumPy scalars."""
        if self.axes:
            return tuple(bound_axes(self.graph).run(*args))
        inputs = self.graph.inputs
        ready = [
            x if type(x) is _ndarray and x.dtype == v.dtype else np.asarray(x, v.dtype)
            for x, v in zip(args, inputs, strict=True)
        ]
        return tuple([x if x.ndim else x[()] for x in self.executable(*ready)])

    def avals(self) -> tuple[Aval, ...]:
        """The abstract outputs."""
        return tuple([x.aval if type(x) is Var else aval_of(x) for x in self.graph.outputs])

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        found = self._derived.get(key)
        if found is None:
            with self.lock:
                found = self._derived.get(key)
                if found is None:
                    found = self._derived[key] = make()
        return found

    def part(self, derived: Derived) -> Part:
        """Make a program of what was derived from this one."""
        graph, sources, places = derived
        return Part(Program(graph, self.threads), sources, places)

    def reverse(self, wanted: Sequence[bool]) -> Reverse:
        """The passes of reverse mode for the arguments to which a derivative flows."""
        key = tuple(wanted)
        return self._once(("reverse", key), lambda: Reverse(self, key))

    def forget_reverse(self, wanted: Sequence[bool]) -> None:
        """Record the passes of reverse mode again when they are next asked for: loops have more room then."""
        with self.lock:
            self._derived.pop(("reverse", tuple(wanted)), None)

    def tangents(self, moving: Sequence[bool]) -> Part:
        """The program of the tangents of the outputs."""
        key = tuple(moving)
        return self._once(("tangents", key), lambda: self.part(tangents(self.graph, key)))

    def batched(self, mapped: Sequence[bool], size: int, axis_name: Any) -> tuple[Program, list[bool]]:
        """The program for a batch, and which of its outputs are mapped."""
        # A user's rule may hold collectives that nobody has seen yet.
        name = axis_name if self.axes or _has_rules(self.graph) else None
        key = tuple(mapped)

        def make() -> Any:
            graph, mine = batched(self.graph, key, size, name)
            return Program(graph, self.threads), mine

        return self._once(("batched", key, size, name), make)


class Reverse:
    """The passes of reverse mode over a program.

    Attributes
    ----------
    forward : Program
        Returns the outputs, followed by the residuals.
    depends : list of bool
        Per output whether a derivative flows from it.
    """

    __slots__ = ("_parts", "_tape", "depends", "forward", "of")

    def __init__(self, of: Program, wanted: Sequence[bool]) -> None:
        self.of = of
        self._parts: dict[Any, Part] = {}
        self._tape = Tape(of.graph, wanted)
        self.forward = Program(self._tape.forward, of.threads)
        self.depends = self._tape.depends

    def pull(self, given: Sequence[bool]) -> Part:
        """The program of the cotangents of the arguments, from those of the outputs that are `given`."""
        return self._once("pull", tuple(given))

    def push(self, given: Sequence[bool]) -> Part:
        """The program of the tangents of the outputs, from those of the arguments that are `given`."""
        return self._once("push", tuple(given))

    def _once(self, walk: str, given: tuple[bool, ...]) -> Part:
        part = self._parts.get((walk, given))
        if part is None:
            with self.of.lock:
                part = self._parts.get((walk, given))
                if part is None:
                    part = self._parts[walk, given] = self.of.part(getattr(self._tape, walk)(given))
        return part


def _settle_constants(graph: Graph) -> None:
    """Make the constants read-only: who records the program again then need not copy them."""
    check_closed(graph)
    for eq in graph.equations:
        for x in eq.inputs:
            if type(x) is _ndarray and x.base is None:
                x.flags.writeable = False


def _reaches(graph: Graph) -> tuple[bool, ...]:
    """Per input whether it is differentiable and leads to a differentiable output, through operations that are."""
    active = {x.index for x in graph.outputs if type(x) is Var and x.dtype.kind in "fc"}
    for eq in reversed(graph.equations):
        if not eq.primitive.constant and any(v.index in active for v in eq.outputs):
            active.update(x.index for x in eq.inputs if type(x) is Var and x.dtype.kind in "fc")
    return tuple([v.index in active for v in graph.inputs])


def _has_rules(graph: Graph) -> bool:
    """Whether the program calls functions with derivative rules of the user's."""
    return any("rule" in eq.params or any(map(_has_rules, programs_in(eq.params))) for eq in graph.equations)
