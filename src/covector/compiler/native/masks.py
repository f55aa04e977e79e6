"""Products in which zero times anything is zero, without the comparison that this takes.

A comparison with zero and a choice take as long as the product itself, and in a loop over numbers every iteration waits
for those of the one before. Where the other factor is finite they change nothing but the sign of a zero. So the numbers
are computed without them, and only if one of the other factors turns out not to be finite computed again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..loops.nodes import Node
from .instructions import Writer, literal, value_type

__all__ = ["masked_products", "write_unmasked"]

_MOST = 400  # instructions that are written twice


def masked_products(nodes: Sequence[Node]) -> dict[int, Node]:
    """The factor that has to be finite, by number of the node of each product."""
    found = {}
    for n in nodes:
        if n.op == "select" and n.type[0] == "f":
            condition, zero, r = n.args
            if condition.op == "eq" and zero.op == "const" and zero.data == 0 and r.op == "mul":
                t, other = condition.args
                if other.op == "const" and other.data == 0 and t in r.args:
                    found[n.number] = r.args[0] if r.args[1] is t else r.args[1]
    return found


def write_unmasked(w: Writer, lines: list[str], nodes: Sequence[Node], results: Sequence[Node], rare: str) -> bool:
    """Write the nodes so that the values of `results` are known; `rare` is metadata of a jump.

    Return whether that was done: there is something to gain.
    """
    products = masked_products(nodes)
    after: set[int] = set()
    for n in nodes:
        if n.number in products or any(a.number in after for a in n.args):
            after.add(n.number)
    twice = [n for n in nodes if n.number in after]
    if not products or len(twice) > _MOST or any(n.op in ("load", "index", "nonnegative") for n in twice):
        return False
    for n in nodes:
        if n.number not in after:
            w.write(lines, n)
    common = dict(w.values)
    for n in twice:
        if n.number in products:
            w.values[n.number] = w.operand(n.args[2])
        else:
            w.write(lines, n)
    quick, w.values = w.values, common
    bad = _any_infinite(w, lines, quick, list(products.values()))
    k = w.name()[1:]
    lines += [f"br label %{k}.q", f"{k}.q:", f"br i1 {bad}, label %{k}.s, label %{k}.j, !prof {rare}", f"{k}.s:"]
    for n in twice:
        w.write(lines, n)
    lines += [f"br label %{k}.j", f"{k}.j:"]
    for n in dict.fromkeys(results):
        if n.number in after:
            x = f"[ {quick[n.number]}, %{k}.q ], [ {w.values[n.number]}, %{k}.s ]"
            w.values[n.number] = w.put(lines, f"phi {value_type(n.type)} {x}")
    return True


def _any_infinite(w: Writer, lines: list[str], values: dict[int, str], factors: Sequence[Node]) -> str:
    """Whether one of the numbers is infinite or NaN, or perhaps if all of them are huge."""
    found = ""
    for kind in ("f8", "f4"):
        total = ""
        for n in dict.fromkeys(factors):
            if n.type == kind:
                x = w.intrinsic(lines, "fabs", kind, values.get(n.number) or w.operand(n))
                total = w.put(lines, f"fadd {value_type(kind)} {total}, {x}") if total else x
        if total:
            here = w.put(lines, f"fcmp ueq {value_type(kind)} {total}, {literal(float('inf'), kind)}")
            found = w.put(lines, f"or i1 {found}, {here}") if found else here
    return found
