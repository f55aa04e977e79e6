"""A scalar function with a loop in it, and the three cases it makes: value, gradient, derivative along a direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...compiled.families.base import Case, Compiler, Function

QUANTITIES = ("value", "gradient", "forward")


@dataclass(frozen=True)
class Loop:
    """A scalar function of parameters, in which it is differentiated, and of data.

    Attributes
    ----------
    family, size
        Names as in `Case`.
    parameters, data
        Make the arguments: arrays, the parameters first. The data are made with what the generator has left.
    covector, jax, torch
        Make the function of parameters and data in each library; None where the library has none.
    limit
        The quantity, the loaded C library, parameters, data and, for ``forward``, tangents to a call that fills and
        returns what the other libraries return.
    left_out
        Peer, or peer and quantity as in ``"jax gradient"``, to the reason why it does not take part.
    quantities
        Which of the three are cases.
    marks
        Further attributes of the cases.
    """

    family: str
    size: str
    parameters: Callable[[np.random.Generator], tuple[Any, ...]]
    covector: Callable[[], Function]
    jax: Callable[[], Function]
    torch: Callable[[], Function]
    limit: Callable[..., Callable[[], Any]]
    data: Callable[[np.random.Generator], tuple[Any, ...]] = lambda random: ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    quantities: tuple[str, ...] = QUANTITIES
    marks: Mapping[str, Any] = field(default_factory=dict)

    def cases(self) -> list[Case]:
        """The cases, one per quantity."""
        return [self.case(quantity) for quantity in self.quantities]

    def case(self, quantity: str) -> Case:
        """The case of one quantity.

        Parameters
        ----------
        quantity
            ``"value"``, ``"gradient"`` (a tuple, one entry per parameter) or ``"forward"`` (value and derivative
            along a direction; the direction's entries are arguments before the parameters).
        """
        count = len(self.parameters(np.random.default_rng(0)))
        left_out = {
            peer: reason
            for peer in ("jax", "torch")
            if (reason := self.left_out.get(f"{peer} {quantity}") or self.left_out.get(peer))
        }

        def inputs(random: np.random.Generator) -> tuple[Any, ...]:
            primals = self.parameters(random)
            data = self.data(random)
            tangents = tuple(np.asarray(random.normal(size=np.shape(value))) for value in primals)
            return (*(tangents if quantity == "forward" else ()), *primals, *data)

        def limit(library: Any, arguments: tuple[Any, ...]) -> Callable[[], Any]:
            tangents = arguments[:count] if quantity == "forward" else ()
            rest = arguments[len(tangents) :]
            return self.limit(quantity, library, rest[:count], rest[count:], tangents)

        peers: dict[str, Callable[[], Function]] = {
            "jax": lambda: with_jax(self.jax(), quantity, count),
            "torch": lambda: with_torch(self.torch(), quantity, count),
        }
        return Case(
            family=self.family,
            size=f"{self.size}-{quantity}",
            inputs=inputs,
            covector=lambda jit: with_covector(self.covector(), quantity, count, jit),
            peers={name: build for name, build in peers.items() if name not in left_out},
            limit=limit,
            left_out=left_out,
            suite="loops",
            **self.marks,
        )


def _along(jvp: Function, function: Function, count: int) -> Function:
    """``tangents, parameters, data -> value, derivative`` with the `jvp` of a library."""

    def forward(*arguments: Any) -> Any:
        tangents, primals, data = arguments[:count], arguments[count : 2 * count], arguments[2 * count :]
        return jvp(lambda *parameters: function(*parameters, *data), primals, tangents)

    return forward


def with_covector(function: Function, quantity: str, count: int, jit: Compiler) -> Function:
    """The quantity through covector, compiled by `jit`."""
    import covector

    if quantity == "value":
        return jit(function)
    if quantity == "gradient":
        return jit(covector.grad(function, argnums=tuple(range(count))))
    return jit(_along(covector.jvp, function, count))


def with_jax(function: Function, quantity: str, count: int) -> Function:
    """The quantity through ``jax.jit``."""
    import jax

    if quantity == "value":
        return jax.jit(function)
    if quantity == "gradient":
        return jax.jit(jax.grad(function, argnums=tuple(range(count))))
    return jax.jit(_along(jax.jvp, function, count))


def with_torch(function: Function, quantity: str, count: int) -> Function:
    """The quantity through torch's tape, or ``torch.func.jvp``."""
    import torch

    if quantity == "forward":
        return _along(torch.func.jvp, function, count)

    def value(*arguments: Any) -> Any:
        with torch.no_grad():
            return function(*arguments)

    def gradient(*arguments: Any) -> Any:
        primals = tuple(argument.detach().requires_grad_() for argument in arguments[:count])
        return torch.autograd.grad(function(*primals, *arguments[count:]), primals)

    return value if quantity == "value" else gradient


def answers(quantity: str, primals: tuple[Any, ...]) -> tuple[Any, ...]:
    """Empty arrays for what C returns: the value, a gradient per parameter, or value and derivative."""
    if quantity == "gradient":
        return tuple(np.empty_like(value) for value in primals)
    return tuple(np.empty(()) for _ in range(1 if quantity == "value" else 2))


def filling(run: Callable[[], None], out: tuple[Any, ...]) -> Callable[[], Any]:
    """A call that runs `run` and returns the arrays it fills."""

    def invoke() -> Any:
        run()
        return out

    return invoke
