"""Write coverage.md from `covector.coverage`, and from the registry of primitives. The site's build calls it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import covector  # noqa: F401  (declares the primitives)
from covector import coverage
from covector.core.dispatch import FUNCTIONS, UFUNCS
from covector.core.primitive import PRIMITIVES, Primitive, Refuse, load_late_rules

HEADER = """# Coverage

Every public function of NumPy, every method and operator of arrays and every ufunc of scipy.special, as
`python -m covector coverage` lists them. The table is found, not written: from the registry of rules, and by calling
functions on samples under each transform. *jvp* is the Jacobian-vector product, *vjp* the vector-Jacobian product,
*vmap* whether the function maps over a batch. *plain* stands for functions without derivative by nature: they give
values, and their derivative is zero. What is refused raises an error that says what to use instead. "not in" names
parameters in which a function has no derivative.

"""

PRIMITIVES_HEADER = """## Primitives: {}

The operations that all of the above consist of. Families: *elementwise* functions are given by their partial
derivatives, *linear* and *multilinear* ones by their transposes, *weighted* reductions by the weights of a sum,
*general* ones by their forward rule, which reverse mode transposes. *constant* functions return plain values and have
derivative zero. *collective* primitives act on the named axes of `vmap`; *call* primitives stand for a whole function.
Other families hold primitives whose rules are written out.

"""

PUBLIC = {"_riemann_zeta": "zeta", "_zeta": "zeta"}
"""Ufuncs of SciPy that users reach through a Python function of another name."""


def cell(text: object) -> str:
    """Escape what would end a table cell."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Render a Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell(x) for x in line) + " |" for line in lines) + "\n"


def function_name(function: Any) -> str:
    """Name a NumPy or SciPy function as users write it."""
    if isinstance(function, str):
        return function
    name = getattr(function, "__name__", repr(function))
    if isinstance(function, np.ufunc):
        return f"np.{name}" if getattr(np, name, None) is function else f"scipy.special.{PUBLIC.get(name, name)}"
    module = (getattr(function, "__module__", None) or "numpy").replace("numpy", "np", 1)
    return f"{module}.{name}"


def slot(primitive: Primitive, name: str) -> str:
    """Describe a rule slot: what fills it, or why nothing does."""
    rule = getattr(primitive, name)
    if name != "batch" and primitive.constant:
        return "zero"
    return f"refused: {rule.reason}" if isinstance(rule, Refuse) else "yes"


def functions_of(primitive: Primitive) -> str:
    """Name the functions that end in the primitive."""
    found = [f for f, handler in (*UFUNCS.items(), *FUNCTIONS.items()) if handler is primitive]
    return ", ".join(f"`{name}`" for name in sorted({function_name(f) for f in (*primitive.numpy, *found)}))


def families() -> Iterable[str]:
    """Render one table of primitives per family."""
    by_family: dict[str, list[Primitive]] = {}
    for primitive in PRIMITIVES.values():
        by_family.setdefault(primitive.family or "other", []).append(primitive)
    for family, members in sorted(by_family.items()):
        rows = [
            (f"`{p.name}`", functions_of(p), *(slot(p, name) for name in ("jvp", "vjp", "batch")), p.source)
            for p in sorted(members, key=lambda p: p.name)
        ]
        yield f"### {family}: {len(rows)}\n\n"
        yield table(("primitive", "functions", "forward", "reverse", "batch", "source"), rows) + "\n"


def render() -> str:
    """Return the page."""
    load_late_rules()
    parts = [HEADER, coverage.as_markdown(coverage.table()), PRIMITIVES_HEADER.format(len(PRIMITIVES)), *families()]
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("coverage.md").write_text(render(), encoding="utf-8")
