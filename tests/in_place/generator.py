"""Random programs: statements are proposed, tried under NumPy, and kept if they run and stay in bounds."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np

from in_place.kinds import CONCRETE, STATEMENTS
from in_place.programs import Program
from in_place.statements import Scope

__all__ = ["random_program"]

_BOUND = 8.0
_LARGEST = 60
_MOST_NAMES = 12
_SHAPES: tuple[tuple[int, ...], ...] = ((4,), (5,), (6,), (3, 3), (2, 3), (4, 2), (2, 2, 3), (2, 3, 2), (1, 4), (3, 1))


def random_program(seed: int) -> Program:
    """Return the program that belongs to the seed: 5 to 40 statements over two inputs."""
    rng = random.Random(seed)
    is_complex = rng.random() < 0.2
    concrete = not is_complex and rng.random() < 0.5
    inputs = {name: _input(rng, is_complex) for name in ("x", "y")}
    # What decides by value has no derivative where a difference step changes the decision; complex step takes none.
    table = [s for s in STATEMENTS if (s.kinks is False or not is_complex)] + (CONCRETE if concrete else [])
    weights = [s.weight for s in table]
    program = Program((), inputs, concrete, not is_complex, seed)
    blocks: list[str] = []
    scope = Scope(rng, _run(program, blocks), is_complex, concrete)
    length = rng.randint(5, 40)
    attempts = 0
    while len(blocks) < length and attempts < 40 * length:
        attempts += 1
        scope.crowded = len(scope.names) >= _MOST_NAMES
        (statement,) = rng.choices(table, weights)
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error")
                block = statement.write(scope)
        except (ValueError, IndexError, TypeError, AttributeError, ArithmeticError, Warning):
            block = None  # does not fit these shapes
        if block is None:
            continue
        if _fits(scope.names, block):
            blocks.append(block)
        else:
            scope.names = _run(program, blocks)
    return Program(tuple(blocks), inputs, concrete, not is_complex, seed)


def _input(rng: random.Random, is_complex: bool) -> Any:
    shape = rng.choice(_SHAPES)
    numbers = np.random.default_rng(rng.getrandbits(32))
    draw = lambda s: numbers.uniform(-1.0, 1.0, s) + (1j * numbers.uniform(-1.0, 1.0, s) if is_complex else 0.0)
    layout = rng.random()
    if layout < 0.5:
        return draw(shape)
    if layout < 0.75:
        return np.asfortranarray(draw(shape))
    return draw(tuple(2 * n for n in shape))[tuple(slice(None, None, 2) for _ in shape)]


def _run(program: Program, blocks: list[str]) -> dict[str, Any]:
    """The names after these statements, from fresh inputs: a rejected statement may have written halfway."""
    names = dict(zip(program.inputs, program.fresh_inputs(), strict=True))
    for block in blocks:
        exec(block, {"np": np}, names)
    names.pop("i", None)
    names.pop("r", None)
    return names


def _fits(names: dict[str, Any], block: str) -> bool:
    try:
        with warnings.catch_warnings(), np.errstate(over="raise", invalid="raise", divide="raise", under="ignore"):
            warnings.simplefilter("error")
            exec(block, {"np": np}, names)
    except Exception:
        return False
    names.pop("i", None)
    names.pop("r", None)
    arrays = [np.asarray(x) for x in names.values()]
    return all(x.size <= _LARGEST and (x.dtype.kind in "bi" or bool(np.all(np.abs(x) < _BOUND))) for x in arrays)
