"""Stacks of matrix products as calls of BLAS in LLVM IR."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..loops.definitions import Dot
from ..native.llvm import target
from .dot import Matrix, Product

__all__ = ["flushing", "write_dot"]

_FLUSH = 0x8040  # flush to zero, denormals are zero
_ELEMENTS = {"d": ("double", 8), "s": ("float", 4), "z": ("{double, double}", 16), "c": ("{float, float}", 8)}
_ONE = {"d": "1.0", "s": "1.0", "z": "{double 1.0, double 0.0}", "c": "{float 1.0, float 0.0}"}
_PLAIN, _TRANSPOSED = str(ord("N")), str(ord("T"))


@contextmanager
def flushing(f: Any) -> Iterator[None]:
    """Have the processor take subnormal numbers for zero: in sums of products they are, and cost a hundredfold."""
    if not target().triple.startswith("x86_64"):
        yield
        return
    f.module.declared |= {"declare void @llvm.x86.sse.stmxcsr(ptr)", "declare void @llvm.x86.sse.ldmxcsr(ptr)"}
    old, new = f.fresh(), f.fresh()
    f.allocas += [f"{old} = alloca i32", f"{new} = alloca i32"]
    f.lines.append(f"call void @llvm.x86.sse.stmxcsr(ptr {old})")
    x = f.put(f"or i32 {f.put(f'load i32, ptr {old}')}, {_FLUSH}")
    f.lines += [f"store i32 {x}, ptr {new}", f"call void @llvm.x86.sse.ldmxcsr(ptr {new})"]
    yield
    f.lines.append(f"call void @llvm.x86.sse.ldmxcsr(ptr {old})")


def write_dot(f: Any, step: Dot) -> None:
    """Write the calls of one step into the function `f` of a program."""
    with flushing(f):
        _Gemm(f, step).write()


class _Gemm:
    """One call of ?gemm, in loops over the stack.

    BLAS reads columns where our arrays lie in rows, so what is passed is the transposed product, right operand first.
    """

    def __init__(self, f: Any, step: Dot) -> None:
        p: Product = step.call
        self.f = f
        self.routine = p.routine
        self.stack = p.stack
        self.element, self.itemsize = _ELEMENTS[p.routine[0]]
        self.sizes = p.sizes
        self.matrices = [p.out._replace(var=p.out.var or step.var), p.left, p.right]
        out, a, b = self.matrices
        m, k, n = p.sizes
        if out.columns != 1 and n > 1:
            # Columns lie together: the transposed product, whose rows do.
            self.matrices = [_turned(out), _turned(b), _turned(a)]
            self.sizes = (n, k, m)

    def write(self) -> None:
        f, (out, a, b) = self.f, self.matrices
        m, k, n = self.sizes
        (ta, lda), (tb, ldb) = _reading(a, m, k), _reading(b, k, n)
        ldc = max(out.rows if m > 1 else n, n, 1)
        whole = f"i{f.module.blas_integer(self.routine)}"
        letters = [self._slot(tb, "i8"), self._slot(ta, "i8")]
        sizes = [self._slot(str(v), whole) for v in (n, m, k)]
        steps = [self._slot(str(v), whole) for v in (ldb, lda, ldc)]
        none = "zeroinitializer" if self.element[0] == "{" else "0.0"
        factors = [self._slot(_ONE[self.routine[0]], self.element), self._slot(none, self.element)]
        f.module.declared.add(f"declare void @cv_{self.routine}({', '.join(['ptr'] * 13)})")

        def call(at: Sequence[str]) -> None:
            args = [*letters, *sizes, factors[0], at[2], steps[0], at[1], steps[1], factors[1], at[0], steps[2]]
            f.lines.append(f"call void @cv_{self.routine}({', '.join(f'ptr {x}' for x in args)})")

        self._loop(0, [f.pointer(f.plan.places[x.var.index]) for x in self.matrices], call)

    def _slot(self, text: str, kind: str) -> str:
        """A place on the stack that holds an argument: Fortran takes pointers."""
        name: str = self.f.fresh()
        self.f.allocas += [f"{name} = alloca {kind}", f"store {kind} {text}, ptr {name}"]
        return name

    def _loop(self, axis: int, at: list[str], call: Any) -> None:
        f = self.f
        if axis == len(self.stack):
            call(at)
            return

        def body(counter: str) -> None:
            moved = []
            for x, pointer in zip(self.matrices, at, strict=True):
                far = f.put(f"mul nsw i64 {counter}, {x.stack[axis] * self.itemsize}")
                moved.append(f.put(f"getelementptr inbounds i8, ptr {pointer}, i64 {far}"))
            self._loop(axis + 1, moved, call)

        f.counted(self.stack[axis], body)


def _turned(x: Matrix) -> Matrix:
    return x._replace(rows=x.columns, columns=x.rows)


def _reading(x: Matrix, rows: int, columns: int) -> tuple[str, int]:
    """Whether BLAS must transpose a matrix, and the step between its rows, or columns then."""
    if x.columns == 1 and (rows == 1 or columns == 1 or x.rows >= columns):
        return _PLAIN, max(x.rows if rows > 1 else columns, columns, 1)
    if x.rows == 1 or rows == 1:
        return _TRANSPOSED, max(x.columns if columns > 1 else rows, rows, 1)
    return _PLAIN, max(x.rows, columns, 1)
