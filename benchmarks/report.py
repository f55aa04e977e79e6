"""Tables for the terminal, Markdown for the docs, JSON for programs."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .eager import COVECTOR, HANDWRITTEN, Row
from .peers import Peer
from .targets import TARGETS
from .timing import Timing


def duration(seconds: float) -> str:
    """A time with three digits and a readable unit."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}" if seconds < 100 * factor else f"{seconds / factor:.0f} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def busy_cores(rows: Sequence[Row], name: str) -> float | None:
    """Median over the rows of the processor seconds per wall-clock second; None if it was never measured."""
    values = [row.timings[name].busy_cores for row in rows if name in row.timings]
    return statistics.median(values) if values else None


def environment(peers: Sequence[Peer], missing: Sequence[str], threads: int) -> dict[str, Any]:
    """Where and with what the measurement was made."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "threads": threads,
        "peers": {peer.name: {"version": peer.version, "threads": peer.threads} for peer in peers},
        "not_installed": list(missing),
    }


def environment_lines(facts: dict[str, Any]) -> list[str]:
    """The environment, one fact per line."""
    lines = [
        f"{facts['processor']}, {facts['cores']} cores; {facts['system']}",
        f"Python {facts['python']}, NumPy {facts['numpy']}; float64; {facts['threads']} thread(s) asked of everyone:",
    ]
    lines += [f"  {name} {peer['version']}: {peer['threads']}" for name, peer in facts["peers"].items()]
    lines += [f"  {name}: not installed" for name in facts["not_installed"]]
    return lines


def _cell(row: Row, name: str) -> tuple[str, str]:
    """Time, and how many times covector's time that is."""
    if name in row.failures:
        return "failed", ""
    if name not in row.timings:
        return "—", ""
    ratio = row.speedup(name) if name != COVECTOR else None
    return duration(row.timings[name].median), "" if ratio is None else f"{ratio:.2f}x"


def columns(peers: Sequence[Peer]) -> list[str]:
    """The contestants in the order of the columns."""
    return [*(peer.name for peer in peers), HANDWRITTEN]


def header(names: Sequence[str]) -> str:
    """First line of the terminal table."""
    text = f"{'':38}{'n':>10}"
    for name in names:
        text += f"{name:>12}" if name == COVECTOR else f"{name:>14}{'':>9}"
    return text.rstrip()


def line(row: Row, names: Sequence[str]) -> str:
    """One line of the terminal table."""
    text = f"{row.workload.name:38}{row.size:>10,}"
    for name in names:
        time, ratio = _cell(row, name)
        text += f"{time:>12}" if name == COVECTOR else f"{time:>14}{ratio:>9}"
    return text.rstrip()


def notes(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Remarks, failures, and the peers' own built-in functions."""
    lines = dict.fromkeys(f"{row.workload.name}: {remark}" for row in rows for remark in row.remarks)
    failures = [f"{row.label}: {name} failed: {error}" for row in rows for name, error in row.failures.items()]
    builtins = []
    for row in rows:
        calls = []
        for name in (name for name in row.timings if name not in names):
            ratio = row.speedup(name)
            compared = "" if ratio is None else f" ({ratio:.2f}x)"
            calls.append(f"{name} {duration(row.timings[name].median)}{compared}")
        if calls:
            builtins.append(f"{row.label}, the function by one library call: {', '.join(calls)}")
    return [*lines, *failures, *builtins]


def verdicts(rows: Sequence[Row]) -> list[str]:
    """Every target, reached or not, with the figures."""
    return [text for target in TARGETS for text in target.judge(rows).lines()]


def markdown(rows: Sequence[Row], names: Sequence[str], facts: dict[str, Any]) -> str:
    """The table and everything needed to read it, for the documentation."""
    heads = ["derivative", "n", *names]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" + "---:|" * (len(heads) - 1)]
    for row in rows:
        cells = [" ".join(part for part in _cell(row, name) if part) for name in names]
        lines.append("| " + " | ".join([row.workload.name, f"{row.size:,}", *cells]) + " |")
    lines += ["", "Medians of interleaved rounds in one process; `x` is the time as a multiple of covector's.", ""]
    lines += [f"- {text.strip()}" for text in environment_lines(facts)]
    lines += ["", *(f"- {text}" for text in notes(rows, names))]
    lines += ["", "| reached | target | worst row |", "|---|---|---|"]
    for target in TARGETS:
        verdict = target.judge(rows)
        reached = {True: "yes", False: "no", None: "not measured"}[verdict.reached]
        worst = f"{verdict.speedups[0][0]:.2f}x: {verdict.speedups[0][1]}" if verdict.speedups else ""
        lines.append(f"| {reached} | {target.wording} | {worst} |")
    return "\n".join(lines) + "\n"


def _timing_data(timing: Timing) -> dict[str, Any]:
    lower, upper = timing.quartiles
    return {
        "median": timing.median,
        "lower_quartile": lower,
        "upper_quartile": upper,
        "rounds": len(timing.rounds),
        "calls_per_round": timing.calls,
        "busy_cores": timing.busy_cores,
    }


def data(rows: Sequence[Row], facts: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured, for `json.dump`; times in seconds per call."""
    return {
        "environment": facts,
        "rows": [
            {
                "name": row.workload.name,
                "size": row.size,
                "operator": row.workload.operator,
                "timings": {name: _timing_data(timing) for name, timing in row.timings.items()},
                "speedups": {name: row.speedup(name) for name in row.timings if name != COVECTOR},
                "failures": row.failures,
                "remarks": row.remarks,
            }
            for row in rows
        ],
        "targets": [
            {
                "target": target.wording,
                "reached": (verdict := target.judge(rows)).reached,
                "speedups": {label: speedup for speedup, label in verdict.speedups},
                "not_measured": list(verdict.unmeasured),
            }
            for target in TARGETS
        ],
    }
