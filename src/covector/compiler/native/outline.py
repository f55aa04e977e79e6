"""Loop nests as functions of their own, which long ones share out among threads."""

from __future__ import annotations

import math
from typing import Any

from ...core.graph import Var
from ..loops.kernels import Box
from ..loops.plan import Place
from .instructions import Writer, memory_type, value_type
from .nests import Nest, identity

__all__ = ["call_nest"]

_INLINE = 64  # iterations up to which a loop nest becomes part of the program's function
_WORTH = 150_000  # operations from which threads bring more than they cost
_PART = 40_000  # operations that a thread does before it looks for more
_PARTS = 64  # parts at most
_RARE = 1 << 20
_VECTORS = (4, 8, 16)  # lengths of rows of small matrices that are vectors
_CALL = 15  # operations that a mathematical function counts as


def call_nest(f: Any, box: Box, size: int, independent: bool) -> None:
    """Write the function of a loop nest, and its call into the function `f` of a program.

    `independent` says that iterations of the innermost loop do not touch what others write.
    """
    _Outline(f, box, size, independent).write()


class _Outline:
    def __init__(self, f: Any, box: Box, size: int, independent: bool) -> None:
        self.f = f
        self.module = f.module
        self.box = box
        self.size = size
        self.independent = independent and bool(box.symbols) and not box.parts
        self.params: dict[Place, str] = {}
        self.parts, self.chunk = self._shares() if independent and f.module.may_split else (1, 0)
        self.partial = self.parts > 1 and any(r.how is not None and r.depth == 0 for r in box.results)

    def _shares(self) -> tuple[int, int]:
        """Into how many parts of how many iterations the outermost loop is split."""
        box = self.box
        if not box.symbols or box.parts or (box.columns >= 0 and not box.columns):
            return 1, 0
        depths = {r.depth if r.how is not None else len(box.symbols) for r in box.results}
        if 0 in depths and (box.again or (len(depths) > 1 and min(depths - {0}) < len(box.symbols))):
            return 1, 0
        length = box.symbols[0].high - box.symbols[0].low + 1
        cost = sum([_CALL if n.op == "call" else 1 for n in box.nodes.all])
        work = cost * math.prod([s.high - s.low + 1 for s in box.symbols])
        if work < _WORTH or length < 2:
            return 1, 0
        chunk = max(-(-length * _PART // work), -(-length // _PARTS))
        return -(-length // chunk), chunk

    def _pointer(self, var: Var) -> str:
        return self.params.setdefault(self.f.plan.places[var.index], f"%b{len(self.params)}")

    def write(self) -> None:
        w = Writer(self._pointer)
        lines: list[str] = []
        allocas: list[str] = []
        nest = Nest(w, "l", lines, allocas, self.box)
        if self.f.again and self.f.plan.small:
            nest.rare = self.module.weights((1, _RARE))
        marker = ""
        if self.independent:
            w.group, marker = "!GROUP", "!LOOP"
        symbols = self.box.symbols
        edges: list[tuple[str, str]] = []
        if self.box.parts:
            edges = [(f"%low{k}", f"%high{k}") for k in range(len(symbols))]
        elif self.parts > 1:
            edges = [("%low0", "%high0")]
        if self.partial:
            nest.partials = ("%partials", self.chunk, symbols[0].low)
        nest.write(edges, marker)
        self.module.declared |= w.declared
        self.module.wanted |= w.wanted
        extra = ["ptr %partials"] if self.partial else []
        inner = [f"ptr noalias nocapture {b}" for b in self.params.values()]
        params = ", ".join([*inner, *extra, *(f"i64 {x}" for pair in edges for x in pair)])
        name = self._define(params, "\n  ".join([*allocas, *lines, "ret void"]), marker)
        args = [f"ptr {self.f.pointer(place)}" for place in self.params]
        if self.parts > 1:
            self._shared_call(name, args, nest)
            return
        for part in self.box.parts or [[]]:
            ends = [f"i64 {x}" for a, b in part for x in (a, b + 1)]
            self.f.lines.append(f"call void {name}({', '.join([*args, *ends])})")

    def _define(self, params: str, text: str, marker: str) -> str:
        """Define the function, unless there is an equal one."""
        known: str | None = self.module.kernels.get((params, text))
        if known is not None:
            return known
        name: str = self.module.name("loop")
        self.module.kernels[params, text] = name
        if marker:
            group, loop = self.module.independent(self._rows())
            text = text.replace("!GROUP", group).replace("!LOOP", loop)
        how = "noinline"
        if self.box.parts:
            how = "noinline cold minsize optsize"
        elif self.size <= _INLINE:
            how = "alwaysinline"
        self.module.functions.append(f"define internal void {name}({params}) {how} #0 {{\n  {text}\n}}")
        return name

    def _rows(self) -> bool:
        """Whether the innermost loop of a nest that becomes part of the loop around it is over vectors."""
        if not (self.f.again and self.f.plan.small) or len(self.box.symbols) < 2:
            return False
        last = self.box.symbols[-1]
        return last.high - last.low + 1 in _VECTORS

    # --- threads ------------------------------------------------------------------------------------------------------

    def _shared_call(self, name: str, args: list[str], nest: Nest) -> None:
        """Write the call through the pool: pointers travel in a table."""
        f, module, low = self.f, self.module, self.box.symbols[0].low
        module.parallel = True
        module.declared.add("declare void @cv_parallel_for(ptr, ptr, i64, i64, i64)")
        n = len(args) + self.partial
        part = module.name("part")
        lines = []
        for k in range(n):
            lines.append(f"%s{k} = getelementptr inbounds ptr, ptr %ctx, i64 {k}")
            lines.append(f"%a{k} = load ptr, ptr %s{k}")
        lines.append(f"%from = add nsw i64 %lo, {low}")
        lines.append(f"%to = add nsw i64 %hi, {low}")
        inner = ", ".join([*(f"ptr %a{k}" for k in range(n)), "i64 %from", "i64 %to"])
        body = "\n  ".join([*lines, f"call void {name}({inner})", "ret void"])
        module.functions.append(f"define internal void {part}(ptr %ctx, i64 %lo, i64 %hi) #0 {{\n  {body}\n}}")
        table = f.fresh()
        f.allocas.append(f"{table} = alloca [{n} x ptr]")
        if self.partial:
            partials = f.fresh()
            f.allocas.append(f"{partials} = alloca [{self.parts * len(nest.sums)} x i64], align 64")
            args = [*args, f"ptr {partials}"]
        for k, a in enumerate(args):
            slot = f.put(f"getelementptr inbounds ptr, ptr {table}, i64 {k}")
            f.lines.append(f"store {a}, ptr {slot}")
        length = self.box.symbols[0].high - low + 1
        f.lines.append(
            f"call void @cv_parallel_for(ptr {part}, ptr {table}, i64 {length}, i64 {self.chunk}, i64 %threads)"
        )
        if self.partial:
            self._combine(partials, nest)

    def _combine(self, partials: str, nest: Nest) -> None:
        """Combine what the parts have left; the order does not depend on the number of threads."""
        f = self.f
        w = Writer(lambda var: f.pointer(f.plan.places[var.index]))
        w.name = f.fresh  # type: ignore[method-assign]
        for k, s in enumerate(nest.sums):
            kind = value_type(s.type)
            total = f.fresh()
            f.allocas.append(f"{total} = alloca {kind}")
            f.lines.append(f"store {kind} {identity(s.how, s.type)}, ptr {total}")

            def add(i: str, s: Any = s, k: int = k, kind: str = kind, total: str = total) -> None:
                at = f.put(f"add nsw i64 {f.put(f'mul nsw i64 {i}, {len(nest.sums)}')}, {k}")
                cell = f.put(f"getelementptr inbounds i64, ptr {partials}, i64 {at}")
                x = f.put(f"load {memory_type(s.type)}, ptr {cell}")
                if s.type == "b1":
                    x = f.put(f"trunc i8 {x} to i1")
                old = f.put(f"load {kind}, ptr {total}")
                new = Nest.combined(w, f.lines, s, old, x)
                f.lines.append(f"store {kind} {new}, ptr {total}")

            f.counted(self.parts, add)
            x = f.put(f"load {kind}, ptr {total}")
            offset = s.result.offset * 2 + s.part if s.complex else s.result.offset
            w.store(f.lines, s.result.var, s.type, w.index(f.lines, offset), x)
        self.module.declared |= w.declared
