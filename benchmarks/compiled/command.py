"""``python -m benchmarks compiled``."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from typing import Any

import numpy as np

from ..report import processor
from . import goals, page, tables
from .contestants import CONTESTANTS
from .families import FAMILIES, Case
from .measure import ALONE, Row, compare, first_calls, memory
from .options import PEERS, ROOT
from .processes import Workshop
from .suite import Suite

QUICK_PEERS = ("jax", "c")
COMPILED = Suite("compiled", FAMILIES, ("small",), PEERS, goals.verdicts, page.write)


class Unknown(Exception):
    """A name on the command line that nothing has."""


def _names(text: str | None, known: tuple[str, ...], option: str) -> list[str]:
    names = [name.strip() for name in text.split(",")] if text else list(known)
    for name in names:
        if name not in known:
            raise Unknown(f"{option} {name}: there is no such name; there are: {', '.join(known)}")
    return names


def select(options: argparse.Namespace, suite: Suite) -> list[Case]:
    """The cases that the options ask for: all of full size, or with ``--quick`` the small ones."""
    import covector

    found = [case for family in _names(options.only, suite.families, "--only") for case in suite.cases(family)]
    found = [case for case in found if not case.requires or hasattr(covector, case.requires)]
    if options.sizes:
        sizes = _names(options.sizes, tuple(dict.fromkeys(case.size for case in found)), "--sizes")
        return [case for case in found if case.size in sizes]
    return [case for case in found if case.small == bool(options.quick) or case.family in suite.always]


def participants(options: argparse.Namespace, suite: Suite) -> tuple[list[str], dict[str, str]]:
    """Who takes part, in the order of the columns, and why others do not."""
    known = tuple(name for name in CONTESTANTS if name != "covector")
    asked = _names(options.peers, known, "--peers") if options.peers else QUICK_PEERS if options.quick else suite.peers
    missing = {name: reason for name in asked if (reason := CONTESTANTS[name].missing()) is not None}
    wanted = {"covector", *asked} - set(missing)
    return [name for name in CONTESTANTS if name in wanted], missing


def _looser(chosen: list[Case]) -> str:
    reasons = dict.fromkeys(f"{case.label} {case.tolerance:.0e}: {case.reason}" for case in chosen if case.reason)
    return "; ".join(reasons) or "none"


def facts_of(names: list[str], missing: dict[str, str], chosen: list[Case], threads: int) -> dict[str, Any]:
    """Where and with what the measurement is made."""
    return {
        "processor": processor(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "threads": threads,
        "contestants": {name: CONTESTANTS[name].version() for name in names},
        "missing": missing,
        "looser": _looser(chosen),
    }


def _measure(case: Case, names: list[str], workshop: Workshop, options: argparse.Namespace) -> Row:
    """One case: compared and timed together, then first calls and memory alone."""
    row = Row(case.family, case.size, case.small, left_out=dict(case.left_out))
    offered = [name for name in names if CONTESTANTS[name].offers(case)]
    rounds, budget = (5, 1.0) if options.quick else (options.rounds, options.budget)
    right = compare(row, case, offered, workshop, budget, rounds)
    alone = [name for name in ALONE if name in right]
    if options.first and case.timed:
        first_calls(row, case, alone, workshop, 1 if options.quick else options.first)
    if case.memory or options.memory:
        memory(row, case, alone, workshop)
    return row


def _write(rows: list[Row], facts: dict[str, Any], names: list[str], options: argparse.Namespace, suite: Suite) -> None:
    if options.write_docs:
        for path in suite.write(rows, facts, names, ROOT / "docs"):
            print(f"wrote {path.relative_to(ROOT)}")


def main(options: argparse.Namespace, suite: Suite = COMPILED) -> int:
    """Measure and print.

    Parameters
    ----------
    options
        The command line.
    suite
        Which benchmark.

    Returns
    -------
    int
        Exit status: 1 if covector failed or was wrong anywhere, 2 for an option that means nothing.
    """
    if options.report:
        saved = json.loads(options.json.read_text(encoding="utf-8"))
        rows, facts = tables.rows_of(saved), saved["environment"]
        names = list(facts["contestants"])
        print(*page.environment_lines(facts), "", tables.header(names), sep="\n")
        print(*(tables.line(row, names) for row in rows), sep="\n")
        _finish(rows, names, suite)
        _write(rows, facts, names, options, suite)
        return 0
    try:
        chosen = select(options, suite)
        names, missing = participants(options, suite)
    except Unknown as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    facts = facts_of(names, missing, chosen, options.threads)
    print(*page.environment_lines(facts), "", tables.header(names), sep="\n", flush=True)
    workshop = Workshop(options.threads, options.timeout)
    rows = []
    for case in chosen:
        rows.append(row := _measure(case, names, workshop, options))
        lines = [tables.line(row, names), *tables.first_lines(row), *tables.memory_lines(row)]
        lines += [f"    ! {text}" for text in tables.failure_lines([row])]
        print(*lines, sep="\n", flush=True)
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(tables.data(rows, facts, suite.verdicts(rows)), indent=1), encoding="utf-8")
    _finish(rows, names, suite)
    _write(rows, facts, names, options, suite)
    return 1 if any(name.startswith("covector") for row in rows for name in row.failures) else 0


def _finish(rows: list[Row], names: list[str], suite: Suite) -> None:
    print("", *tables.mean_lines(rows, names), sep="\n")
    print("", *tables.verdict_lines(suite.verdicts(rows)), sep="\n")
