"""A loop nest as LLVM IR: counters, accumulators and stores around the instructions of its nodes."""

from __future__ import annotations

import math
from typing import Any

from ..loops.kernels import Box, Result
from ..loops.nodes import Complex, Node
from .instructions import FAST, Writer, literal, memory_type, value_type
from .masks import write_unmasked

__all__ = ["Nest", "identity"]

_BLOCK = 2048  # terms that are summed before they enter a compensated sum
_COLUMNS = 512  # columns that are summed side by side


def identity(how: str, t: str) -> str:
    """What changes nothing when combined with."""
    if how in ("add", "or"):
        return literal(0, t)
    if how in ("mul", "and"):
        return literal(1, t)
    sign = -1 if "max" in how else 1
    if t[0] == "f":
        return literal(math.nan if how[0] == "f" else sign * math.inf, t)
    if t == "b1":
        return literal(sign > 0, t)
    bits = 8 * int(t[1:])
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if t[0] == "i" else (0, (1 << bits) - 1)
    return literal(low if sign < 0 else high, t)


class _Sum:
    """The accumulators of one component of a reduction."""

    def __init__(self, result: Result, node: Node, part: int) -> None:
        self.result = result
        self.node = node
        self.part = part
        self.how = result.how or ""
        self.type = node.type
        self.compensated = self.how == "add" and node.type[0] == "f"
        self.complex = isinstance(result.value, Complex)
        self.block = self.total = self.rest = ""


class Nest:
    """Writes one box.

    Parameters
    ----------
    writer : Writer
    prefix : str
        Makes the labels unique in the function.
    lines : list of str
        Where the text goes.
    allocas : list of str
        Where the allocation of accumulators goes: the start of the function.
    """

    def __init__(self, writer: Writer, prefix: str, lines: list[str], allocas: list[str], box: Box) -> None:
        self.w = writer
        self.prefix = prefix
        self.lines = lines
        self.allocas = allocas
        self.box = box
        self.depth = len(box.symbols)
        self.blocked = False
        self.metadata: list[str] = []
        self.sums: list[_Sum] = []
        self.rare = ""  # metadata of a jump, if products shall not be waited for
        self.partials: tuple[str, int, int] | None = None  # where parts leave reductions, their length, the first
        for r in box.results:
            if r.how is not None:
                self.sums += [_Sum(r, n, k) for k, n in enumerate(_parts(r.value))]
        self.by_level: list[list[Node]] = [[] for _ in range(self.depth + 1)]
        for n in _needed(box):
            self.by_level[n.level].append(n)

    def write(self, bounds: list[tuple[str, str]] | None = None, loop_metadata: str = "") -> None:
        """Write the nest; `bounds` replace those of the outermost loops."""
        self.bounds = bounds or []
        self.loop_metadata = loop_metadata
        self.blocked = bool(self.sums) and self.box.columns < 0 and self._length(self.depth - 1) > 2 * _BLOCK
        for s in self.sums:
            if self.box.columns >= 0:
                s.block = self._alloca(f"[{_COLUMNS} x {memory_type(s.type)}]")
                continue
            s.block = self._alloca(value_type(s.type))
            s.total = self._alloca(value_type(s.type))
            s.rest = self._alloca(value_type(s.type))
        self._nest(0)

    def _alloca(self, kind: str) -> str:
        name = self.w.name()
        self.allocas.append(f"{name} = alloca {kind}, align 64")
        return name

    def _length(self, k: int) -> int:
        s = self.box.symbols[k]
        return s.high - s.low + 1

    # --- loops --------------------------------------------------------------------------------------------------------

    def _nest(self, level: int) -> None:
        if not self._unmasked():
            for n in self.by_level[level]:
                self.w.write(self.lines, n)
        if self.box.columns == level:
            self._columns(level)
            return
        for s in self.sums:
            if s.result.depth == level:
                self._start(s, level)
        if level == self.depth:
            self._inner()
            return
        if level == self.depth - 1:
            for s in self.sums:
                self._set(s.block, identity(s.how, s.type), s)
        symbol = self.box.symbols[level]
        low, high = str(symbol.low), str(symbol.high + 1)
        if level < len(self.bounds):
            low, high = self.bounds[level]
        if level == self.depth - 1 and self.blocked:
            self._blocks(level, low, high)
        else:
            self._loop(level, low, high, lambda: self._nest(level + 1), level == self.depth - 1)
        if level == self.depth - 1 and not self.blocked:
            self._close_blocks(level)
        for s in self.sums:
            if s.result.depth == level:
                self._finish(s)

    def _unmasked(self) -> bool:
        """Write numbers without the masks of products, if that is worth it."""
        if self.depth or not self.rare:
            return False
        results = [n for r in self.box.results for n in _parts(r.value)]
        return write_unmasked(self.w, self.lines, self.by_level[0], results, self.rare)

    def _loop(self, level: int, low: str, high: str, body: Any, innermost: bool) -> None:
        symbol = self.box.symbols[level]
        if low.lstrip("-").isdigit() and high.isdigit() and int(high) - int(low) == 1:
            self.w.symbols[symbol.number] = low
            body()
            return
        self._counted(low, high, 1, lambda i: self._with(symbol, i, body), self.loop_metadata if innermost else "")

    def _with(self, symbol: Any, i: str, body: Any) -> None:
        self.w.symbols[symbol.number] = i
        body()

    def _counted(self, low: str, high: str, step: int, body: Any, metadata: str = "") -> None:
        """``for (i = low; i < high; i += step)``; there is at least one iteration."""
        i, following, done = self.w.name(), self.w.name(), self.w.name()
        head = f"{self.prefix}{i[1:]}"
        before = self.w.name()[1:]
        self.lines += [f"br label %{before}.p", f"{before}.p:", f"br label %{head}.l", f"{head}.l:"]
        self.lines.append(f"{i} = phi i64 [ {low}, %{before}.p ], [ {following}, %{head}.t ]")
        body(i)
        self.lines += [f"br label %{head}.t", f"{head}.t:"]
        self.lines.append(f"{following} = add nsw i64 {i}, {step}")
        self.lines.append(f"{done} = icmp sge i64 {following}, {high}")
        end = f", !llvm.loop {metadata}" if metadata else ""
        self.lines += [f"br i1 {done}, label %{head}.e, label %{head}.l{end}", f"{head}.e:"]

    def _inner(self) -> None:
        for s in self.sums:
            old = self._get(s.block, s)
            self._set(s.block, self._combined(s, old, self.w.operand(s.node), True), s)
        for r in self.box.results:
            if r.how is None:
                self._store(r, [self.w.operand(n) for n in _parts(r.value)])

    # --- reductions ---------------------------------------------------------------------------------------------------

    def _get(self, slot: str, s: _Sum) -> str:
        return self.w.put(self.lines, f"load {value_type(s.type)}, ptr {slot}")

    def _set(self, slot: str, x: str, s: _Sum) -> None:
        self.lines.append(f"store {value_type(s.type)} {x}, ptr {slot}")

    def _combined(self, s: _Sum, a: str, b: str, loose: bool) -> str:
        return Nest.combined(self.w, self.lines, s, a, b, loose)

    @staticmethod
    def combined(w: Writer, lines: list[str], s: _Sum, a: str, b: str, loose: bool = False) -> str:
        """Write the combination of two values of a reduction; `loose` lets the order of terms change."""
        kind = value_type(s.type)
        if s.how in ("add", "mul"):
            if s.type == "b1":
                return w.put(lines, f"{'or' if s.how == 'add' else 'and'} i1 {a}, {b}")
            if s.type[0] == "f":
                flags = f"reassoc {FAST} " if loose else ""
                return w.put(lines, f"f{s.how} {flags}{kind} {a}, {b}")
            return w.put(lines, f"{s.how} {kind} {a}, {b}")
        if s.how in ("or", "and"):
            return w.put(lines, f"{s.how} {kind} {a}, {b}")
        return w.extremum(lines, s.how, s.type, a, b)

    def _start(self, s: _Sum, level: int) -> None:
        self._set(s.total, identity(s.how, s.type), s)
        if s.compensated:
            self._set(s.rest, literal(0, s.type), s)
        if level == self.depth:
            self._set(s.block, identity(s.how, s.type), s)

    def _blocks(self, level: int, low: str, high: str) -> None:
        symbol = self.box.symbols[level]

        def block(start: str) -> None:
            for s in self.sums:
                self._set(s.block, identity(s.how, s.type), s)
            far = self.w.put(self.lines, f"add nsw i64 {start}, {_BLOCK}")
            self.w.declared.add("declare i64 @llvm.smin.i64(i64, i64)")
            end = self.w.put(self.lines, f"call i64 @llvm.smin.i64(i64 {far}, i64 {high})")
            run = lambda i: self._with(symbol, i, lambda: self._nest(level + 1))
            self._counted(start, end, 1, run, self.loop_metadata)
            self._close_blocks(level)

        self._counted(low, high, _BLOCK, block)

    def _close_blocks(self, level: int) -> None:
        """Add what the innermost loop has summed to the total; the rounding errors are kept (Neumaier 1974)."""
        for s in self.sums:
            if s.result.depth > level:
                continue
            kind = value_type(s.type)
            x, total = self._get(s.block, s), self._get(s.total, s)
            new = self._combined(s, total, x, False)
            self._set(s.total, new, s)
            if s.compensated and (self.blocked or s.result.depth < level):
                p = lambda text: self.w.put(self.lines, text)
                z = p(f"fsub {kind} {new}, {total}")
                first = p(f"fsub {kind} {total}, {p(f'fsub {kind} {new}, {z}')}")
                error = p(f"fadd {kind} {first}, {p(f'fsub {kind} {x}, {z}')}")
                self._set(s.rest, p(f"fadd {kind} {self._get(s.rest, s)}, {error}"), s)

    def _finish(self, s: _Sum) -> None:
        kind = value_type(s.type)
        slot = s.block if s.result.depth == self.depth else s.total
        x = self._get(slot, s)
        if s.compensated and s.result.depth < self.depth:
            rest = self._get(s.rest, s)
            better = self.w.put(self.lines, f"fadd {kind} {x}, {rest}")
            fine = self.w.put(self.lines, f"fcmp ord {kind} {rest}, {better}")
            x = self.w.put(self.lines, f"select i1 {fine}, {kind} {better}, {kind} {x}")
        self._store_part(s, x)

    def _store_part(self, s: _Sum, x: str) -> None:
        r = s.result
        if self.partials and r.depth == 0:
            self._store_partial(s, x)
            return
        offset = r.offset * 2 + s.part if s.complex else r.offset
        at = self.w.index(self.lines, offset)
        if self.box.again:
            x = self._combined(s, self.w.load(self.lines, r.var, s.type, at), x, False)
        self.w.store(self.lines, r.var, s.type, at, x)

    def _store_partial(self, s: _Sum, x: str) -> None:
        assert self.partials is not None
        table, chunk, low = self.partials
        p = lambda text: self.w.put(self.lines, text)
        number = p(f"udiv i64 {p(f'sub nsw i64 %low0, {low}')}, {chunk}")
        at = p(f"add nsw i64 {p(f'mul nsw i64 {number}, {len(self.sums)}')}, {self.sums.index(s)}")
        cell = p(f"getelementptr inbounds i64, ptr {table}, i64 {at}")
        if s.type == "b1":
            x = p(f"zext i1 {x} to i8")
        self.lines.append(f"store {memory_type(s.type)} {x}, ptr {cell}")

    def _store(self, r: Result, values: list[str]) -> None:
        for part, (x, n) in enumerate(zip(values, _parts(r.value), strict=True)):
            offset = r.offset * 2 + part if isinstance(r.value, Complex) else r.offset
            self.w.store(self.lines, r.var, n.type, self.w.index(self.lines, offset), x)

    # --- reductions over rows -----------------------------------------------------------------------------------------

    def _columns(self, level: int) -> None:
        """Sum rows into a block of columns: the innermost loop runs along the rows."""
        inner = self.box.symbols[-1]
        low, high = str(inner.low), str(inner.high + 1)

        def block(start: str) -> None:
            far = self.w.put(self.lines, f"add nsw i64 {start}, {_COLUMNS}")
            self.w.declared.add("declare i64 @llvm.smin.i64(i64, i64)")
            end = self.w.put(self.lines, f"call i64 @llvm.smin.i64(i64 {far}, i64 {high})")
            for s in self.sums:
                self._counted(start, end, 1, lambda j, s=s: self._put_column(s, start, j, identity(s.how, s.type)))
            self._rows(level, start, end)
            for s in self.sums:
                self._counted(start, end, 1, lambda j, s=s: self._column_out(s, start, j))

        self._counted(low, high, _COLUMNS, block)

    def _rows(self, level: int, start: str, end: str) -> None:
        if level == self.depth - 1:
            run = lambda j: self._with(self.box.symbols[-1], j, lambda: self._row(start, j))
            self._counted(start, end, 1, run, self.loop_metadata)
            return
        symbol = self.box.symbols[level]

        def body() -> None:
            for n in self.by_level[level + 1]:
                self.w.write(self.lines, n)
            self._rows(level + 1, start, end)

        self._loop(level, str(symbol.low), str(symbol.high + 1), body, False)

    def _row(self, start: str, j: str) -> None:
        for n in self.by_level[self.depth]:
            self.w.write(self.lines, n)
        for s in self.sums:
            old = self._column(s, start, j)
            self._put_column(s, start, j, self._combined(s, old, self.w.operand(s.node), False))

    def _cell(self, s: _Sum, start: str, j: str) -> str:
        k = self.w.put(self.lines, f"sub nsw i64 {j}, {start}")
        return self.w.put(self.lines, f"getelementptr inbounds {memory_type(s.type)}, ptr {s.block}, i64 {k}")

    def _column(self, s: _Sum, start: str, j: str) -> str:
        cell = self._cell(s, start, j)
        x = self.w.put(self.lines, f"load {memory_type(s.type)}, ptr {cell}{self.w.access()}")
        return self.w.put(self.lines, f"trunc i8 {x} to i1") if s.type == "b1" else x

    def _put_column(self, s: _Sum, start: str, j: str, x: str) -> None:
        if s.type == "b1":
            x = self.w.put(self.lines, f"zext i1 {x} to i8")
        cell = self._cell(s, start, j)
        self.lines.append(f"store {memory_type(s.type)} {x}, ptr {cell}{self.w.access()}")

    def _column_out(self, s: _Sum, start: str, j: str) -> None:
        self.w.symbols[self.box.symbols[-1].number] = j
        self._store_part(s, self._column(s, start, j))


def _parts(value: Any) -> tuple[Node, ...]:
    return tuple(value) if isinstance(value, Complex) else (value,)


def _needed(box: Box) -> list[Node]:
    """The nodes that results depend on, in order."""
    seen: set[int] = set()
    stack = [n for r in box.results for n in (*_parts(r.value), *_inside(r.offset))]
    found = []
    while stack:
        n = stack.pop()
        if n.number in seen:
            continue
        seen.add(n.number)
        found.append(n)
        stack += n.args
        stack += _inside(n.data[1] if n.op == "load" else n.data)
    return sorted(found, key=lambda n: n.number)


def _inside(index: Any) -> list[Node]:
    """The nodes whose values an index is made of."""
    out = []
    for a, _ in getattr(index, "terms", ()):
        if hasattr(a, "node"):
            out.append(a.node)
        elif hasattr(a, "index"):
            out += _inside(a.index)
    return out
