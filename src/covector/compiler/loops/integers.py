"""Division of integers as NumPy defines it: rounded down, zero by zero, without traps."""

from __future__ import annotations

from .nodes import Node, Nodes

__all__ = ["floor_divide", "fmod", "remainder"]


def _safe(S: Nodes, x: Node, y: Node) -> tuple[Node, Node]:
    """A divisor that does not trap, and whether it stands for zero; it also stands for -1 under the least number."""
    none = S.compare("eq", y, S.const(0, y.type))
    if y.type[0] == "u":
        return S.select(none, S.const(1, y.type), y), none
    least = S.compare("eq", x, S.const(-(1 << (8 * int(y.type[1:]) - 1)), y.type))
    overflow = S.both(S.compare("eq", y, S.const(-1, y.type)), least)
    return S.select(S.either(none, overflow), S.const(1, y.type), y), none


def _other_side(S: Nodes, m: Node, divisor: Node) -> Node:
    """Whether a remainder has not the sign of its divisor."""
    zero = S.const(0, m.type)
    opposite = S.compare("lt", S.make("xor", m.type, m, divisor), zero)
    return S.both(opposite, S.compare("ne", m, zero))


def remainder(S: Nodes, x: Node, y: Node) -> Node:
    """Return what a division rounded down leaves; 0 for a divisor of zero."""
    divisor, none = _safe(S, x, y)
    m = S.make("rem", x.type, x, divisor)
    if x.type[0] == "i":
        m = S.select(_other_side(S, m, divisor), S.add(m, divisor), m)
    return S.select(none, S.const(0, x.type), m)


def floor_divide(S: Nodes, x: Node, y: Node) -> Node:
    """Return the quotient rounded down; 0 for a divisor of zero."""
    divisor, none = _safe(S, x, y)
    q = S.make("div", x.type, x, divisor)
    if x.type[0] == "i":
        m = S.make("rem", x.type, x, divisor)
        q = S.select(_other_side(S, m, divisor), S.sub(q, S.const(1, x.type)), q)
    return S.select(none, S.const(0, x.type), q)


def fmod(S: Nodes, x: Node, y: Node) -> Node:
    """Return what a division rounded towards zero leaves; 0 for a divisor of zero."""
    divisor, none = _safe(S, x, y)
    return S.select(none, S.const(0, x.type), S.make("rem", x.type, x, divisor))
