"""Write coverage.md from the registry of primitives and the dispatch tables. The site's build calls it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import covector  # noqa: F401  (declares the primitives)
from covector.core.dispatch import FUNCTIONS, REFUSED, UFUNCS
from covector.core.primitive import PRIMITIVES, Primitive, Refuse, load_late_rules

HEADER = """# Coverage

What has a derivative rule, read from the registry when this page was built. *forward* is the Jacobian-vector product,
*reverse* the vector-Jacobian product, *batch* the rule that `vmap` uses. Families: *elementwise* functions are given by
their partial derivatives, *linear* and *multilinear* ones by their transposes, *weighted* reductions by the weights of
a sum, *general* ones by their forward rule, which reverse mode transposes. *constant* functions return plain values and
have derivative zero. *collective* primitives act on the named axes of `vmap`; *call* primitives stand for a whole
function. Other families hold primitives whose rules are written out.
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


def functions() -> str:
    """Render the functions that answer traced values, by the module users find them in."""
    names = sorted({function_name(f) for f in (*UFUNCS, *FUNCTIONS) if not isinstance(f, str)})
    by_module: dict[str, list[str]] = {}
    for name in names:
        by_module.setdefault(name.rpartition(".")[0], []).append(f"`{name.rpartition('.')[2]}`")
    rows = [(f"`{module}`", len(members), ", ".join(members)) for module, members in sorted(by_module.items())]
    return f"## Functions: {len(names)}\n\n" + table(("module", "count", "functions"), rows)


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
    parts = [HEADER, "\n", functions(), f"\n## Primitives: {len(PRIMITIVES)}\n\n", *families()]
    if REFUSED:
        rows = sorted((f"`{function_name(f)}`", reason) for f, reason in REFUSED.items())
        parts += ["## Functions that say what to use instead\n\n", table(("function", "instead"), rows)]
    return "".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("coverage.md").write_text(render(), encoding="utf-8")
