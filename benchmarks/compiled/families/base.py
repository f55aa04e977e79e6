"""What a case of the comparison is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line reads the families' names before the number of threads is set
    import numpy as np

Function = Callable[..., Any]
# Gets `covector.jit`, or a function that returns its argument where the derivative is wanted eagerly.
Compiler = Callable[[Function], Function]

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Case:
    """One family of workloads at one size.

    Attributes
    ----------
    family
        Name of the family, as ``--only`` takes it.
    size
        The size in words, as ``--sizes`` takes it.
    inputs
        Makes the arguments: arrays and nested tuples, lists and dicts of arrays.
    covector
        Given the compiler, the function under test.
    peers
        Name of a peer to what makes its function: idiomatic code of that library, compiled where it has a compiler.
        The function takes the same arguments in the library's own arrays.
    limit
        Given the loaded C library and the arguments, a call without arguments that fills and returns arrays; None
        where no derivative was written by hand.
    left_out
        Peer to the reason why it has no function here.
    small
        Whether the case is there for checks and quick looks; it does not count in the averages.
    timed
        Whether the case takes part in the comparison of times.
    memory
        Whether its memory is measured in every run.
    requires
        Name of a function of covector without which the case is left out.
    tolerance
        Largest difference between two results, relative to the largest element of each array.
    reason
        Why `tolerance` is not 1e-9.
    suite
        The benchmark that the case belongs to: the folder next to this one that has its family and its C.
    """

    family: str
    size: str
    inputs: Callable[[np.random.Generator], tuple[Any, ...]]
    covector: Callable[[Compiler], Function]
    peers: Mapping[str, Callable[[], Function]]
    limit: Callable[[Any, tuple[Any, ...]], Callable[[], Any]] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    small: bool = False
    timed: bool = True
    memory: bool = False
    requires: str = ""
    tolerance: float = TOLERANCE
    reason: str = ""
    suite: str = "compiled"

    @property
    def label(self) -> str:
        """Family and size."""
        return f"{self.family} {self.size}"


def compiled_by_torch(build: Callable[[], Function]) -> Callable[[], Function]:
    """The function that `build` makes, through ``torch.compile``."""

    def compiled() -> Function:
        import torch

        function: Function = torch.compile(build())
        return function

    return compiled
