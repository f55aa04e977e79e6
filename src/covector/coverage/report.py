"""The table as text, JSON and Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from .table import CONSTANT, DIFFERENTIABLE, REFUSED, UNKNOWN, Row, by_section

__all__ = ["as_json", "as_markdown", "as_text", "summary"]

_VERDICTS = (DIFFERENTIABLE, CONSTANT, REFUSED, UNKNOWN)


def counts(rows: Sequence[Row]) -> Counter[str]:
    """How many rows there are of each verdict."""
    return Counter(r.verdict for r in rows)


def summary(rows: Sequence[Row]) -> str:
    """Return the last line: the number of names of each verdict, the unknown ones at the end."""
    found = counts(rows)
    return f"{len(rows)} functions: " + ", ".join(f"{found[verdict]} {verdict}" for verdict in _VERDICTS)


def as_text(rows: Sequence[Row], end: str = "") -> str:
    """Return the table for a terminal, ending with the line `end`, or else with the summary of these rows."""
    lines = []
    for section, members in by_section(rows):
        if not members:
            continue
        lines += [section, "-" * len(section)]
        width = max(len(r.name) for r in members)
        for r in members:
            columns = f"{r.jvp or '-':<6}{r.vjp or '-':<6}{r.vmap or '-':<5}"
            lines.append(f"{r.name:<{width}}  {r.verdict:<24}{columns}{r.note}".rstrip())
        lines.append("")
    heading = "name, verdict, jvp, vjp, vmap, note\n\n"
    return heading + "\n".join([*lines, end or summary(rows)])


def as_json(rows: Sequence[Row]) -> str:
    """Return the table as JSON: the rows, and the number of each verdict."""
    found = counts(rows)
    return json.dumps({"rows": [r._asdict() for r in rows], "counts": {v: found[v] for v in _VERDICTS}}, indent=1)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _markdown_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(_cell(x) for x in line) + " |" for line in lines) + "\n"


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the table as Markdown: a section per module, in it one table per verdict."""
    parts = [f"{summary(rows)}.\n\n"]
    totals = [(f"`{section}`", *(str(counts(members)[v]) for v in _VERDICTS)) for section, members in by_section(rows)]
    parts.append(_markdown_table(("module", *_VERDICTS), totals) + "\n")
    for section, members in by_section(rows):
        parts.append(f"## {section}\n\n")
        for verdict in _VERDICTS:
            chosen = [r for r in members if r.verdict == verdict]
            if not chosen:
                continue
            parts.append(f"### {section}: {verdict} ({len(chosen)})\n\n")
            if verdict in (REFUSED, UNKNOWN):
                parts.append(
                    _markdown_table(("name", "why, and what works"), [(f"`{r.name}`", r.note) for r in chosen])
                )
            else:
                lines = [(f"`{r.name}`", r.jvp, r.vjp, r.vmap, r.note) for r in chosen]
                parts.append(_markdown_table(("name", "jvp", "vjp", "vmap", "note"), lines))
            parts.append("\n")
    return "".join(parts)
