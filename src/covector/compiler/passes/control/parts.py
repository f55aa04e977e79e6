"""A loop taken apart, so that carries, constants, sequences and stacks can be left out and put in one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any

from ....core.graph import Equation, Graph, Var

__all__ = ["Carry", "Given", "Loop", "Stack", "program", "renamed", "same"]


@dataclass(slots=True, eq=False)
class Given:
    """A value that the iterations are given: a constant, or a sequence of which each gets an element.

    Attributes
    ----------
    outer : Var or constant
        The value outside.
    var : Var
        What stands for it in the body.
    test : Var or None
        What stands for it in the condition; None for sequences, and for all in loops without condition.
    """

    outer: Any
    var: Var
    test: Var | None = None


@dataclass(slots=True, eq=False)
class Carry(Given):
    """A value that goes from iteration to iteration; `outer` is what it starts from.

    Attributes
    ----------
    after : Var or constant
        What the body returns for it.
    out : Var
        The variable outside for what it ends as.
    """

    after: Any = None
    out: Any = None


@dataclass(slots=True, eq=False)
class Stack:
    """What every iteration adds to an array.

    Attributes
    ----------
    element : Var or constant
        What the body returns.
    out : Var
        The variable outside for the array.
    """

    element: Any
    out: Var


class Loop:
    """The parts of a `loop`.

    Attributes
    ----------
    count : list
        The number of iterations as a value, if it is one.
    index, test_index : Var
        The number of the iteration, in the body and in the condition.
    constants, sequences : list of Given
    carries : list of Carry
    stacks : list of Stack
    body : Graph
        The body; what it returns is noted with carries and stacks, and put together by `outputs`.
    condition : Graph or None
    options : dict
        All other parameters.
    """

    def __init__(self, inputs: Sequence[Any], params: dict[str, Any], outputs: Sequence[Var]) -> None:
        body, n, m = params["body"], params["constants"], params["carries"]
        self.options = {k: v for k, v in params.items() if k not in ("body", "cond", "constants", "carries")}
        self.body: Graph = body
        self.condition: Graph | None = params.get("cond")
        skip = 1 if params.get("counted") else 0
        self.count = list(inputs[:skip])
        values, inner = inputs[skip:], body.inputs[1:]
        self.index = body.inputs[0]
        tests: Sequence[Any] = [None] * (n + m) if self.condition is None else self.condition.inputs[1:]
        self.test_index = None if self.condition is None else self.condition.inputs[0]
        self.constants = [Given(*x) for x in zip(values[:n], inner[:n], tests[:n], strict=True)]
        self.carries = [
            Carry(*x)
            for x in zip(values[n : n + m], inner[n : n + m], tests[n:], body.outputs[:m], outputs[:m], strict=True)
        ]
        self.sequences = [Given(x, v) for x, v in zip(values[n + m :], inner[n + m :], strict=True)]
        self.stacks = [Stack(x, v) for x, v in zip(body.outputs[m:], outputs[m:], strict=True)]

    @property
    def length(self) -> int | None:
        """The number of iterations, or where that is not known the most that there is room for; None: no bound."""
        length: int | None = self.options["length"]
        return length

    @property
    def certain(self) -> bool:
        """Whether there is at least one iteration."""
        return self.condition is None and not self.count and bool(self.length)

    def inner(self) -> list[Var]:
        """The inputs of the body."""
        return [self.index, *[g.var for g in [*self.constants, *self.carries, *self.sequences]]]

    def outputs(self) -> list[Any]:
        """What the body returns."""
        return [*[c.after for c in self.carries], *[s.element for s in self.stacks]]

    def settle(self, body: Graph | None = None) -> None:
        """Make the body, or another one that returns the same things in this order, the body with all its parts."""
        if body is None:
            body, inputs, outputs = self.body, self.inner(), self.outputs()
            if not (same(inputs, body.inputs) and same(outputs, body.outputs)):
                body = program(body, inputs, body.equations, outputs)
        self.body = body
        for carry, x in zip(self.carries, body.outputs, strict=False):
            carry.after = x
        for stack, x in zip(self.stacks, body.outputs[len(self.carries) :], strict=True):
            stack.element = x
        if self.condition is not None:
            tests = [self.test_index, *[g.test for g in [*self.constants, *self.carries]]]
            if not same(tests, self.condition.inputs):
                self.condition = program(self.condition, tests, self.condition.equations, self.condition.outputs)

    def substitute(self, values: dict[int, Any], tests: dict[int, Any] | None = None) -> None:
        """Put values in the place of variables of the body, and of the condition."""
        if values:
            use = lambda x: values.get(x.index, x) if type(x) is Var else x
            self.body = program(self.body, self.body.inputs, renamed(self.body.equations, use), self.body.outputs)
            for carry in self.carries:
                carry.after = use(carry.after)
            for stack in self.stacks:
                stack.element = use(stack.element)
        if tests and self.condition is not None:
            use = lambda x: tests.get(x.index, x) if type(x) is Var else x
            graph = self.condition
            equations = renamed(graph.equations, use)
            self.condition = program(graph, graph.inputs, equations, [use(x) for x in graph.outputs])

    def variable(self, aval: Any) -> Var:
        """Make a fresh variable of the body."""
        return self.body.variable(aval)

    def used(self) -> set[int]:
        """Numbers of the variables of the body that are read."""
        return _read(self.body.equations, self.outputs())

    def tested(self) -> set[int]:
        """Numbers of the variables of the condition that are read."""
        return set() if self.condition is None else _read(self.condition.equations, self.condition.outputs)

    def drop_unused(self) -> None:
        """Drop constants and sequences that nothing reads."""
        used, tested = self.used(), self.tested()
        read = lambda g: g.var.index in used or (g.test is not None and g.test.index in tested)
        self.constants = [g for g in self.constants if read(g)]
        self.sequences = [g for g in self.sequences if read(g)]

    def equation(self) -> tuple[list[Any], dict[str, Any], list[Var]]:
        """Inputs, parameters and outputs of the loop with the parts that it has now."""
        self.settle()
        inputs = [*self.count, *[g.outer for g in [*self.constants, *self.carries, *self.sequences]]]
        params = {"body": self.body, "constants": len(self.constants), "carries": len(self.carries), **self.options}
        if self.condition is not None:
            params["cond"] = self.condition
        return inputs, params, [*[c.out for c in self.carries], *[s.out for s in self.stacks]]


def same(xs: Sequence[Any], ys: Sequence[Any]) -> bool:
    """Whether two sequences hold the same objects."""
    return len(xs) == len(ys) and all(map(is_, xs, ys))


def program(like: Graph, inputs: Sequence[Any], equations: Sequence[Equation], outputs: Sequence[Any]) -> Graph:
    """Return a program of these parts, whose variables are those of the program `like`."""
    graph = Graph()
    graph.count = like.count
    graph.inputs, graph.equations, graph.outputs = list(inputs), list(equations), list(outputs)
    return graph


def renamed(equations: Iterable[Equation], use: Callable[[Any], Any]) -> list[Equation]:
    """The equations with ``use(x)`` in place of each input."""
    return [Equation(eq.primitive, [use(x) for x in eq.inputs], eq.params, eq.outputs) for eq in equations]


def _read(equations: Sequence[Equation], outputs: Sequence[Any]) -> set[int]:
    found = {x.index for x in outputs if type(x) is Var}
    for eq in equations:
        found.update([x.index for x in eq.inputs if type(x) is Var])
    return found
