"""The page of the documentation: its tables and its plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..compiled import tables
from ..compiled.measure import Row
from ..compiled.page import environment_lines, goals_markdown, listing, plot, summary
from . import goals

_PAGE = """# Loops and branches against other tools

How fast `covector.scan`, `while_loop`, `fori_loop` and `cond` are under `jit`, with their derivatives, measured by

```sh
python -m benchmarks loops
```

Each workload is a scalar function; its value, its gradient in reverse mode and its derivative along one direction are
timed. The peers are `jax.jit` of the same loop through `jax.lax` with 64 bits, waiting for each result; PyTorch, whose
loops run in Python; and function, adjoint and tangent written by hand in C (`gcc -O3 -march=native`). The sizes that
begin with "python" are loops written with `for`, which `covector.jit` turns into loops of compiled code by itself;
their peers use the same loop as before. Results are compared with each other (1e-9 relative to the largest element)
before anything is timed; rounds of all contestants alternate; the tables show medians. "÷ jax" and "÷ c" are covector's
time as a multiple of theirs, paired by round: below 1, covector is faster. "covector-stored" is covector without
checkpoints, where the workload is about checkpoints.

- *cascade*: y₀' = x₀, yᵢ' = xᵢ yᵢ₋₁ by 100 classical Runge-Kutta steps (`scan`), for 10, 1,000 and 100,000 components
- *lstm*: layers x characters, 14 features (`scan`)
- *kalman*: log-likelihood of 10,000 observations, state 4, observation 2 (`scan`, `np.linalg.solve`, `slogdet`);
  differentiated in all four matrices of the model
- *recurrence*: x ← r x (1 − x) + u (`scan` over a sequence of inputs)
- *newton*: Kepler's equation by Newton's method, 10,000 problems at once (`vmap` of `while_loop`); derivatives go
  through the iteration
- *bounce*: 10,000 steps of a ball that bounces (`fori_loop` with a `cond` inside)
- *network*: a million steps of x ← tanh(W x + b u) with 8 states and `checkpoint="sqrt"` (JAX: `jax.checkpoint` of the
  inner of two scans; C: one state kept per 1,000 steps)

Two things bound what can be reached. Where a step is a few operations, each of which waits for the one before
(recurrence, bounce), every compiled loop waits for them: C itself is little faster than `jax.jit` there. And in the
cascade the components that are hardly reached yet are subnormal numbers: `jax.jit` replaces them by zero; NumPy, C and
covector compute with them, which takes about half of covector's time for the value with 1,000 components.

{summary}

![covector's time as a multiple of jax.jit's and of C's]({plot})

{times}

{environment}

## First calls and fresh processes

The first call traces, compiles and runs. "process" is the time from the start of a Python process until the first
result is there, imports included. "covector (cached)" finds the compiled code of an earlier process on disk.

{first}

## Memory

What inputs, outputs and everything between occupy while a call runs, as a multiple of inputs and outputs alone.

{memory}

## What is asked of covector

{goals}

## Who does not take part where

{absent}
"""


def write(rows: Sequence[Row], facts: dict[str, Any], contestants: Sequence[str], folder: Path) -> list[Path]:
    """Write the page and its plot.

    Parameters
    ----------
    rows, facts, contestants
        What was measured, where, and of whom.
    folder
        Where the documentation is.

    Returns
    -------
    list
        The files.
    """
    target, picture = folder / "loop-benchmarks.md", folder / "loop-benchmarks.svg"
    full = [row for row in rows if not row.small]
    plot(full, picture)
    text = _PAGE.format(
        summary=summary(full),
        plot=picture.name,
        times="\n".join(tables.times_markdown(full, contestants)),
        environment=listing(environment_lines(facts)),
        first="\n".join(tables.first_markdown(full)) or "Not measured.",
        memory="\n".join(tables.memory_markdown(full)) or "Not measured.",
        goals=goals_markdown(goals.verdicts(full)),
        absent=listing(tables.left_out_lines(full) + tables.failure_lines(full)),
    )
    target.write_text(text, encoding="utf-8")
    return [target, picture]
