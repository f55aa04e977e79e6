"""Eager derivatives: covector against torch.func, autograd, JAX without jit, and NumPy by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .peers import Peer
from .timing import Timing, interleave
from .workloads import Workload

HANDWRITTEN = "hand-written"
COVECTOR = "covector"
TOLERANCE = 1e-9


class Disagreement(Exception):
    """Two libraries computed different derivatives, so their times say nothing."""


@dataclass
class Row:
    """The measurements of one workload.

    Attributes
    ----------
    workload
        What was measured.
    timings
        Contestant to its times; a contestant is a peer, or a peer with its built-in function in brackets.
    failures
        Peer to the error it raised instead of a result.
    remarks
        What a reader must know about single contestants.
    """

    workload: Workload
    timings: dict[str, Timing] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Number of elements that decides which targets apply."""
        return self.workload.size

    @property
    def label(self) -> str:
        """Name and size."""
        return f"{self.workload.name}, n = {self.size:,}"

    def speedup(self, rival: str) -> float | None:
        """The rival's time divided by covector's; None if one of them was not measured."""
        if COVECTOR not in self.timings or rival not in self.timings:
            return None
        return self.timings[rival].ratio_to(self.timings[COVECTOR])


def _leaves(tree: Any) -> list[np.ndarray[Any, Any]]:
    if isinstance(tree, (tuple, list)):
        return [leaf for child in tree for leaf in _leaves(child)]
    return [np.asarray(tree)]


def check(label: str, contestant: str, result: Any, expected: Any) -> None:
    """Raise unless a result equals the hand-written one.

    Parameters
    ----------
    label
        Workload, for the message.
    contestant
        Whose result it is, for the message.
    result, expected
        Arrays or nested tuples of arrays.

    Raises
    ------
    Disagreement
        If number, shape, dtype or, by more than ``1e-9 · max |expected|`` in a leaf, the values differ.
    """
    got, want = _leaves(result), _leaves(expected)
    if len(got) != len(want):
        raise Disagreement(f"{label}: {contestant} returned {len(got)} arrays, expected {len(want)}")
    for index, (mine, reference) in enumerate(zip(got, want, strict=True)):
        if mine.shape != reference.shape or mine.dtype != reference.dtype:
            raise Disagreement(
                f"{label}: result {index} of {contestant} is {mine.dtype}{mine.shape}, "
                f"expected {reference.dtype}{reference.shape}"
            )
        error = float(np.max(np.abs(mine - reference)) / np.max(np.abs(reference)))
        if not error <= TOLERANCE:
            raise Disagreement(
                f"{label}: result {index} of {contestant} is off by {error:.2e} relative to the largest element, "
                f"allowed {TOLERANCE:.0e}; nothing was timed"
            )


def _call(peer: Peer, operator: str, model: Any, values: tuple[Any, ...]) -> Callable[[], Any]:
    """The derivative as a call without arguments that returns when the result is complete."""
    derivative = getattr(peer, operator)(model(peer.namespace))
    inputs = tuple(peer.inputs(value) for value in values)
    if type(peer).wait is Peer.wait:
        return lambda: derivative(*inputs)
    wait = peer.wait
    return lambda: wait(derivative(*inputs))


def _contestants(row: Row, peers: Sequence[Peer], values: tuple[Any, ...]) -> dict[str, Callable[[], Any]]:
    """Everyone who takes part, each checked against the hand-written derivative."""
    workload = row.workload

    def handwritten() -> Any:
        return workload.handwritten(*values)

    expected = handwritten()
    calls: dict[str, Callable[[], Any]] = {}
    for peer in peers:
        models = {peer.name: workload.model}
        if peer.name in workload.builtin:
            function, builtin = workload.builtin[peer.name]
            models[f"{peer.name} [{function}]"] = builtin
        for name, model in models.items():
            try:
                call = _call(peer, workload.operator, model, values)
                result = call()
            except Exception as error:  # one library's error must not hide the figures of the others
                row.failures[name] = f"{type(error).__name__}: {error}"
                continue
            check(row.label, name, result, expected)
            calls[name] = call
        if workload.operator in peer.remarks:
            row.remarks.append(peer.remarks[workload.operator])
    calls[HANDWRITTEN] = handwritten
    return calls


def measure(workload: Workload, peers: Sequence[Peer], *, rounds: int, seconds: float) -> Row:
    """Check all contestants of a workload against each other, then time them.

    Parameters
    ----------
    workload
        What to compute.
    peers
        The libraries.
    rounds, seconds
        See `benchmarks.timing.interleave`.

    Returns
    -------
    Row
        Times, and the errors of those who could not compute it.

    Raises
    ------
    Disagreement
        If a result differs from the hand-written derivative.
    """
    row = Row(workload)
    values = workload.inputs(np.random.default_rng(2024))
    calls = _contestants(row, peers, values)
    row.timings = interleave(calls, rounds=rounds, seconds=seconds)
    return row
