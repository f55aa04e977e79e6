"""Tables for the terminal, Markdown for the documentation, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..report import duration
from . import goals
from .measure import Row
from .suite import Verdict

LABEL = 34


def share(ratio: float | None) -> str:
    """A ratio with two or three digits."""
    if ratio is None:
        return ""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def header(contestants: Sequence[str]) -> str:
    """First line of the terminal table."""
    text = f"{'':{LABEL}}" + "".join(f"{name:>16}" for name in contestants)
    return text + f"{'÷ jax':>10}{'÷ c':>8}"


def line(row: Row, contestants: Sequence[str]) -> str:
    """The times of one row, and covector's as a multiple of JAX's and of C's."""
    text = f"{row.label:{LABEL}}"
    for name in contestants:
        text += f"{_cell(row, name):>16}"
    return (text + f"{share(row.ratio('jax')):>10}{share(row.ratio('c')):>8}").rstrip()


def _cell(row: Row, name: str) -> str:
    if name in row.timings:
        return duration(row.timings[name]["median"])
    if name in row.failures:
        return "failed"
    return "refused" if row.left_out.get(name, "").startswith("refuses") else "—"


def first_lines(row: Row) -> list[str]:
    """First call and fresh process, one contestant a line."""
    return [
        f"    {name:20} first call {duration(entry['first_call']):>8}   "
        f"process to first result {duration(entry['process']):>8}   peak {entry['peak_bytes'] / 2**20:.0f} MiB"
        for name, entry in row.first.items()
    ]


def memory_lines(row: Row) -> list[str]:
    """Memory of one call, one contestant a line."""
    return [
        f"    {name:20} memory of a call {entry['bytes'] / 2**20:8.1f} MiB, "
        f"{entry['bytes'] / entry['arrays']:.2f} times inputs and outputs"
        for name, entry in row.memory.items()
    ]


def failure_lines(rows: Sequence[Row]) -> list[str]:
    """What went wrong."""
    return [f"{row.label}: {name}: {text}" for row in rows for name, text in row.failures.items()]


def left_out_lines(rows: Sequence[Row]) -> list[str]:
    """Who has no function for which cases, and why."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, reason in row.left_out.items():
            reasons.setdefault((name, reason), []).append(row.label)
    return [f"{name}: {', '.join(labels)}: {reason}" for (name, reason), labels in reasons.items()]


def verdict_lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Every goal: yes, no, or not measured, and what misses it."""
    words = {True: "yes", False: "no ", None: "not measured"}
    lines = []
    for reached, wording, missed in verdicts:
        lines.append(f"{words[reached]}  {wording}")
        lines += [f"       {text}" for text in missed]
    return lines


def mean_lines(rows: Sequence[Row], contestants: Sequence[str]) -> list[str]:
    """How many times faster covector is than each of the others, on the rows that both completed."""
    lines = []
    for name in contestants:
        ratios = [
            row.timings[name]["to_covector"]
            for row in rows
            if not row.small and "to_covector" in row.timings.get(name, {}) and name != "covector"
        ]
        mean = goals.geometric_mean(ratios)
        if mean is not None:
            lines.append(f"{name:14} {mean:8.2f}x covector's time, geometric mean of {len(ratios)} rows")
    return lines


def data(rows: Sequence[Row], facts: dict[str, Any], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Everything that was measured, for `json.dump`; times in seconds."""
    judged = [{"goal": wording, "reached": reached, "missed": missed} for reached, wording, missed in verdicts]
    return {"environment": facts, "rows": [asdict(row) for row in rows], "goals": judged}


def rows_of(saved: dict[str, Any]) -> list[Row]:
    """The rows that `data` saved."""
    return [Row(**entry) for entry in saved["rows"]]


def _table(heads: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    rule = "|---|" + "---:|" * (len(heads) - 1)
    return ["| " + " | ".join(heads) + " |", rule, *("| " + " | ".join(cells) + " |" for cells in body)]


def times_markdown(rows: Sequence[Row], contestants: Sequence[str]) -> list[str]:
    """The table of times."""
    body = [
        [row.label, *(_cell(row, name) for name in contestants), share(row.ratio("jax")), share(row.ratio("c"))]
        for row in rows
        if row.timings
    ]
    return _table(["workload", *contestants, "÷ jax", "÷ c"], body)


def first_markdown(rows: Sequence[Row]) -> list[str]:
    """The table of first calls and fresh processes."""
    names = list(dict.fromkeys(name for row in rows for name in row.first))
    heads = ["workload", *(f"{name}: {what}" for what in ("first call", "process") for name in names)]
    body = [
        [row.label]
        + [
            duration(row.first[name][entry]) if name in row.first else "—"
            for entry in ("first_call", "process")
            for name in names
        ]
        for row in rows
        if row.first
    ]
    return _table(heads, body) if body else []


def memory_markdown(rows: Sequence[Row]) -> list[str]:
    """The table of memory."""
    names = list(dict.fromkeys(name for row in rows for name in row.memory))
    body = [
        [row.label]
        + [
            f"{row.memory[name]['bytes'] / row.memory[name]['arrays']:.2f}" if name in row.memory else "—"
            for name in names
        ]
        for row in rows
        if row.memory
    ]
    return _table(["workload", *names], body) if body else []
