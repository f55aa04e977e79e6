"""Derivatives of the Cholesky factor, forwards and backwards, by blocks of columns; see `covector.ops.cholesky`.

Level-3 versions of Murray 2016, Differentiation of the Cholesky decomposition, section 3.3: nearly all of the work is
matrix products, and twice as much as the factorization's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...core.graph import Var
from ..loops.definitions import Lapack
from ..loops.lowering import Builder, Operand
from ..loops.operations import Unsupported
from .operands import define, stored
from .routines import Block, Calls

__all__ = ["define_cotangent", "define_tangent"]

_LEAST = 64  # columns per block
_MOST = 32  # blocks


def _blocks(n: int) -> list[tuple[int, int]]:
    """Where the blocks of columns begin and end."""
    width = max(_LEAST, -(-n // _MOST))
    return [(k, min(k + width, n)) for k in range(0, n, width)]


class _Matrices:
    """The factor and the array that is changed, block by block, with a square one for what happens on the diagonal."""

    def __init__(self, c: Calls, n: int, factor: str, out: str, work: str) -> None:
        self.c = c
        self.n = n
        self.factor_at = factor
        self.out_at = out
        self.work_at = work

    def factor(self, row: int, column: int) -> Block:
        return Block(self.c.moved(self.factor_at, row * self.n + column), self.n)

    def out(self, row: int, column: int) -> Block:
        return Block(self.c.moved(self.out_at, row * self.n + column), self.n)

    def work(self, size: int) -> Block:
        return Block(self.work_at, size)


def _cotangent_block(x: _Matrices, start: int, stop: int) -> None:
    """Take the columns from `start` to `stop` back; those after them are done."""
    c, size, rest = x.c, stop - start, x.n - stop
    low, block, below, work = x.factor(start, start), x.out(start, start), x.out(stop, start), x.work(size)
    c.divide(below, low, rest, size, "x/D")
    c.subtract_product(x.out(stop, 0), below, x.factor(start, 0), (rest, size, start))
    c.subtract_product(block, below, x.factor(stop, start), (size, rest, size), "TN")
    c.product(work, low, block, (size, size, size), "TN")
    mirror(c, work, size)
    c.divide(work, low, size, size, "D'\\x")
    c.divide(work, low, size, size, "x/D")
    c.subtract_product(x.out(start, 0), below, x.factor(stop, 0), (size, rest, start), "TN")
    c.subtract_product(x.out(start, 0), work, x.factor(start, 0), (size, size, start))
    halved(c, work, block, size)


def _tangent_block(x: _Matrices, start: int, stop: int) -> None:
    """Find the change of the columns from `start` to `stop`; those before them are done."""
    c, size, rest = x.c, stop - start, x.n - stop
    low, block, below, work = x.factor(start, start), x.out(start, start), x.out(stop, start), x.work(size)
    before, change = x.factor(start, 0), x.out(start, 0)
    c.subtract_product(block, change, before, (size, start, size), "NT")
    c.subtract_product(block, before, change, (size, start, size), "NT")
    mirror(c, block, size)
    c.divide(block, low, size, size, "D\\x")
    c.divide(block, low, size, size, "x/D'")
    halved(c, block, work, size)
    c.product(block, low, work, (size, size, size))
    c.subtract_product(below, x.out(stop, 0), before, (rest, start, size), "NT")
    c.subtract_product(below, x.factor(stop, 0), change, (rest, start, size), "NT")
    c.subtract_product(below, x.factor(stop, start), block, (rest, size, size), "NT")
    c.divide(below, low, rest, size, "x/D'")


def _define(
    b: Builder, outputs: Sequence[Var], factor: Operand, change: Operand, step: Callable[..., None], turn: int
) -> None:
    (out,) = outputs
    *stack, n, _ = out.shape
    if out.dtype.kind != "f":
        raise Unsupported("complex numbers")
    blocks = _blocks(n)
    root = stored(b, factor, out.dtype)
    start = stored(b, change, out.dtype, out.shape)
    work = b.lowered.variable((blocks[0][1] ** 2,), out.dtype)

    def write(f: Any, _: Lapack) -> None:
        c = Calls(f, out.dtype)

        def member(factor_at: str, out_at: str) -> None:
            c.clear_above(Block(out_at, n), n)
            x = _Matrices(c, n, factor_at, out_at, c.pointer(work))
            for first, last in blocks[::turn]:
                step(x, first, last)

        c.each(stack, [(root, 2), (out, 2)], member)

    define(b, Lapack([out, work], [(start, out)], write), [start, root])


def define_cotangent(b: Builder, outputs: Sequence[Var], factor: Operand, ct: Operand) -> None:
    """The primitive `cholesky_cotangent`."""
    _define(b, outputs, factor, ct, _cotangent_block, -1)


def define_tangent(b: Builder, outputs: Sequence[Var], factor: Operand, t: Operand) -> None:
    """The primitive `cholesky_tangent`."""
    _define(b, outputs, factor, t, _tangent_block, 1)


# --- loops over the entries of a block --------------------------------------------------------------------------------


def mirror(c: Calls, x: Block, n: int) -> None:
    """Copy what is below the diagonal to above it."""

    def entry(i: str, j: str) -> None:
        _store(c, _load(c, _at(c, x, i, j)), _at(c, x, j, i))

    _lower(c, n, entry)


def halved(c: Calls, x: Block, out: Block, n: int) -> None:
    """Copy the lower triangle with half of the diagonal, and zeros above."""

    def entry(i: str, j: str) -> None:
        f = c.f
        value = _load(c, _at(c, x, i, j))
        same = f.put(f"icmp eq i64 {i}, {j}")
        half = f.put(f"fmul {c.real} {value}, 0.5")
        _store(c, "0.0", _at(c, out, j, i))
        _store(c, f.put(f"select i1 {same}, {c.real} {half}, {c.real} {value}"), _at(c, out, i, j))

    _lower(c, n, entry)


def _lower(c: Calls, n: int, entry: Callable[[str, str], None]) -> None:
    """Write ``entry(i, j)`` for all i, j with j at most i."""
    c.f.counted(n, lambda i: c.f.counted(c.f.put(f"add nsw i64 {i}, 1"), lambda j: entry(i, j)))


def _at(c: Calls, x: Block, i: str, j: str) -> str:
    row = c.f.put(f"mul nsw i64 {i}, {x.step}")
    flat = c.f.put(f"add nsw i64 {row}, {j}")
    return c.f.put(f"getelementptr inbounds {c.real}, ptr {x.pointer}, i64 {flat}")


def _load(c: Calls, pointer: str) -> str:
    return c.f.put(f"load {c.real}, ptr {pointer}")


def _store(c: Calls, value: str, pointer: str) -> None:
    c.f.lines.append(f"store {c.real} {value}, ptr {pointer}")
