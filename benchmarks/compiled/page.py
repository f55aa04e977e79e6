"""The page of the documentation: its tables and its plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import goals, tables
from .measure import Row
from .suite import Verdict

_PAGE = """# Compiled derivatives against other tools

How fast `covector.jit` is, measured by

```sh
python -m benchmarks compiled
```

Each workload is written once in plain NumPy, compiled with its derivative, and compared with the idiomatic code of
every peer: `jax.jit` with 64 bits, waiting for each result; PyTorch as it is and through `torch.compile`; autograd; and
derivatives derived and written by hand in C (`gcc -O3 -march=native`, and `c-fast` with `-ffast-math`). Results are
compared with each other (1e-9 relative to the largest element) before anything is timed. Each workload has a process of
its own, in which rounds of all contestants alternate; the tables show medians. "÷ jax" and "÷ c" are covector's time as
a multiple of theirs, paired by round: below 1, covector is faster. Wider bounds in the comparison of results:
{looser}.

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


def summary(rows: Sequence[Row]) -> str:
    """The averages in a sentence."""
    parts = []
    for rival, words in (("jax", "`jax.jit`"), ("c", "C written by hand")):
        mean = goals.speedup(rows, rival)
        count = sum(row.ratio(rival) is not None and not row.small for row in rows)
        if mean is not None:
            parts.append(f"{mean:.2f} times as fast as {words} ({count} rows)")
    return f"In the geometric mean covector is {' and '.join(parts)}." if parts else "Nothing was compared."


def listing(lines: Sequence[str]) -> str:
    """The lines as a list in Markdown."""
    return "\n".join(f"- {text}" for text in lines) or "Nothing to report."


def goals_markdown(verdicts: Sequence[Verdict]) -> str:
    """The table of what is asked of covector."""
    words = {True: "yes", False: "no", None: "not measured"}
    lines = ["| reached | goal | what misses it |", "|---|---|---|"]
    for reached, wording, missed in verdicts:
        lines.append(f"| {words[reached]} | {wording} | {'; '.join(missed[:4])}{' …' if len(missed) > 4 else ''} |")
    return "\n".join(lines)


def environment_lines(facts: dict[str, Any]) -> list[str]:
    """Where and with what the measurement was made, one fact a line."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["contestants"].items())
    lines = [
        f"{facts['processor']}, {facts['threads']} thread(s) for everybody, pinned",
        f"Python {facts['python']}, NumPy {facts['numpy']}; {versions}",
    ]
    return lines + [f"{name}: not there, {reason}" for name, reason in facts["missing"].items()]


def plot(rows: Sequence[Row], path: Path) -> None:
    """covector's time as a multiple of JAX's (bars) and of C's (marks), one row each.

    Parameters
    ----------
    rows
        Rows with a ratio to JAX.
    path
        The SVG file to write.
    """
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    shown = [row for row in rows if not row.small and row.ratio("jax") is not None]
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "covector"}
    figure, axes = pyplot.subplots(figsize=(8.0, 0.24 * len(shown) + 1.2), layout="constrained")
    places = range(len(shown))[::-1]
    axes.barh(places, [row.ratio("jax") or 1.0 for row in shown], color="#4878a8", label="÷ jax.jit", height=0.65)
    by_hand = [(place, ratio) for place, row in zip(places, shown, strict=True) if (ratio := row.ratio("c"))]
    axes.plot([r for _, r in by_hand], [p for p, _ in by_hand], "D", color="#c44e52", label="÷ C by hand", markersize=4)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(places, [row.label for row in shown], fontsize=7)
    axes.set_xlabel("covector's time as a multiple of theirs (left of 1: covector is faster)")
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


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
    target, picture = folder / "compiled-benchmarks.md", folder / "compiled-benchmarks.svg"
    full = [row for row in rows if not row.small]
    plot(full, picture)
    text = _PAGE.format(
        looser=facts["looser"],
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
