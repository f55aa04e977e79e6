"""How calls of BLAS and LAPACK are written: arguments are pointers, matrices are stored column by column.

An array of ours, stored row by row, is to them a stack of transposed matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ...core.graph import Var
from ..loops.definitions import Failure
from ..loops.scope import strides_of

__all__ = ["Block", "Calls", "letter_of"]

_REAL = {"d": "double", "s": "float", "z": "double", "c": "float"}


def letter_of(dtype: np.dtype[Any]) -> str | None:
    """The first letter of the routines for numbers of `dtype`; None if there are none."""
    return (
        {"f8": "d", "f4": "s", "c16": "z", "c8": "c"}.get(f"{dtype.kind}{dtype.itemsize}") if dtype.isnative else None
    )


class Block(NamedTuple):
    """A block of a matrix that is stored row by row: the pointer to its first element, and how far rows are apart."""

    pointer: str
    step: int


class Calls:
    """Writes calls of routines for one dtype into a function of a program."""

    def __init__(self, f: Any, dtype: np.dtype[Any]) -> None:
        self.f = f
        self.itemsize = dtype.itemsize
        self.letter = letter_of(dtype) or ""
        self.real = _REAL[self.letter]
        self.whole = f"i{f.module.blas_integer(self.letter + 'gemm')}"
        self.known: dict[tuple[str, str], str] = {}

    # --- arguments ----------------------------------------------------------------------------------------------------

    def _constant(self, type_: str, text: str) -> str:
        name = self.known.get((type_, text))
        if name is None:
            name = self.known[type_, text] = self.f.fresh()
            self.f.allocas += [f"{name} = alloca {type_}", f"store {type_} {text}, ptr {name}"]
        return name

    def number(self, x: float) -> str:
        t = self.real
        if self.letter in "ds":
            return self._constant(t, f"{x:.1f}")
        return self._constant(f"{{{t}, {t}}}", f"{{{t} {x:.1f}, {t} 0.0}}")

    def argument(self, x: Any) -> str:
        """A pointer to a number or letter; what is a pointer already stays."""
        if isinstance(x, int):
            return self._constant(self.whole, str(x))
        if isinstance(x, float):
            return self.number(x)
        return x if x.startswith("%") else self._constant("i8", str(ord(x)))

    def pointer(self, var: Var) -> str:
        return self.f.pointer(self.f.plan.places[var.index])

    def moved(self, pointer: str, elements: int) -> str:
        if not elements:
            return pointer
        return self.f.put(f"getelementptr inbounds i8, ptr {pointer}, i64 {elements * self.itemsize}")

    # --- calls --------------------------------------------------------------------------------------------------------

    def call(self, routine: str, *args: Any) -> None:
        """Write ``routine(*args)``: integers, floats, letters, and pointers."""
        name = self.letter + routine
        module = self.f.module
        module.blas_integer(name)
        module.declared.add(f"declare void @cv_{name}({', '.join(['ptr'] * len(args))})")
        pointers = ", ".join([f"ptr {self.argument(x)}" for x in args])
        self.f.lines.append(f"call void @cv_{name}({pointers})")

    @contextmanager
    def checked(self, failure: Failure | None) -> Iterator[str]:
        """The pointer to an integer to which routines write whether they failed: see `note`."""
        f = self.f
        info, failed = f.fresh(), f.fresh()
        f.allocas += [f"{info} = alloca {self.whole}", f"{failed} = alloca {self.whole}"]
        f.lines.append(f"store {self.whole} 0, ptr {failed}")
        self._failed = failed
        yield info
        if failure is not None:
            f.fail_if(f.put(f"icmp ne {self.whole} {f.put(f'load {self.whole}, ptr {failed}')}, 0"), failure)

    def note(self, info: str) -> None:
        """Remember that `info` is not zero."""
        f, t = self.f, self.whole
        both = f.put(f"or {t} {f.put(f'load {t}, ptr {info}')}, {f.put(f'load {t}, ptr {self._failed}')}")
        f.lines.append(f"store {t} {both}, ptr {self._failed}")

    def each(self, stack: Sequence[int], arrays: Sequence[tuple[Var, int]], body: Callable[..., None]) -> None:
        """Write ``body(*pointers)`` for every member of a stack; each array has some number of inner axes."""
        steps = []
        for var, inner in arrays:
            lead = var.shape[: len(var.shape) - inner]
            far = [s * var.dtype.itemsize for s in strides_of(var.shape)[: len(lead)]]
            mine = [0 if n == 1 else s for s, n in zip(far, lead, strict=True)]
            steps.append([0] * (len(stack) - len(lead)) + mine)

        def loop(axis: int, pointers: list[str]) -> None:
            if axis == len(stack):
                body(*pointers)
            elif stack[axis] == 1:
                loop(axis + 1, pointers)
            else:
                self.f.counted(stack[axis], lambda counter: loop(axis + 1, moved(axis, pointers, counter)))

        def moved(axis: int, pointers: list[str], counter: str) -> list[str]:
            out = []
            for pointer, step in zip(pointers, steps, strict=True):
                far = self.f.put(f"mul nsw i64 {counter}, {step[axis]}") if step[axis] else "0"
                out.append(
                    self.f.put(f"getelementptr inbounds i8, ptr {pointer}, i64 {far}") if step[axis] else pointer
                )
            return out

        loop(0, [self.pointer(var) for var, _ in arrays])

    # --- blocks stored row by row -------------------------------------------------------------------------------------

    def subtract_product(self, out: Block, a: Block, b: Block, sizes: tuple[int, int, int], trans: str = "NN") -> None:
        """``out -= a @ b`` with (rows, summed, columns); `trans` says which of the two are transposed."""
        self.product(out, a, b, sizes, trans, -1.0, 1.0)

    def product(
        self,
        out: Block,
        a: Block,
        b: Block,
        sizes: tuple[int, int, int],
        trans: str = "NN",
        alpha: float = 1.0,
        beta: float = 0.0,
    ) -> None:
        m, k, n = sizes
        if m and k and n:
            args = (b.pointer, b.step, a.pointer, a.step, beta, out.pointer, out.step)
            self.call("gemm", trans[1], trans[0], n, m, k, alpha, *args)

    def divide(self, x: Block, low: Block, rows: int, columns: int, how: str) -> None:
        """Divide `x` in place by a lower triangle D: "D\\x", "D'\\x", "x/D" or "x/D'"."""
        if not rows or not columns:
            return
        side = "R" if how.endswith("x") else "L"
        trans = {"D\\x": "N", "D'\\x": "T", "x/D": "N", "x/D'": "T"}[how]
        args = (1.0, low.pointer, low.step, x.pointer, x.step)
        self.call("trsm", side, "U", trans, "N", columns, rows, *args)

    def clear_above(self, x: Block, n: int) -> None:
        """Write zeros above the diagonal."""
        f = self.f
        f.module.declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")

        def row(i: str) -> None:
            first = f.put(f"add nsw i64 {f.put(f'mul nsw i64 {i}, {x.step + 1}')}, 1")
            count = f.put(f"mul nsw i64 {f.put(f'sub nsw i64 {n - 1}, {i}')}, {self.itemsize}")
            at = f.put(f"mul nsw i64 {first}, {self.itemsize}")
            to = f.put(f"getelementptr i8, ptr {x.pointer}, i64 {at}")
            f.lines.append(f"call void @llvm.memset.p0.i64(ptr {to}, i8 0, i64 {count}, i1 false)")

        f.counted(n, row)
