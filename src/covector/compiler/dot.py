"""Stacks of matrix products by BLAS: how stored arrays, in whatever order of axes, are matrices to it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..core.graph import Var
from .definitions import Dot, Map
from .index import Index
from .llvm import target
from .scope import strides_of

__all__ = ["Product", "dot_call", "write_dot"]

Labels = tuple[int, ...]

_ORIGIN = Index(0)
_FLUSH = 0x8040  # flush to zero, denormals are zero
_GEMM = {"f8": "dgemm", "f4": "sgemm", "c16": "zgemm", "c8": "cgemm"}


class Matrix(NamedTuple):
    """An array as a stack of matrices: the steps, in elements, between rows, columns, and members of the stack."""

    var: Var
    rows: int
    columns: int
    stack: tuple[int, ...]


class Product(NamedTuple):
    """``out = left @ right`` for every member of a stack; `sizes` are those of the stack, rows, summed, columns."""

    routine: str
    stack: tuple[int, ...]
    sizes: tuple[int, int, int]
    out: Matrix
    left: Matrix
    right: Matrix


def _step(labels: Labels, shape: Sequence[int], group: Labels) -> int | None:
    """The step of the axes `group` of a C-contiguous array taken as one axis; None if they do not line up."""
    steps = dict(zip(labels, zip(strides_of(shape), shape, strict=True), strict=True))
    first = expected = 0
    for label in reversed(group):
        step, n = steps[label]
        if n == 1:
            continue
        if expected and step != expected:
            return None
        first = first or step
        expected = step * n
    return first or 1


def _apart(labels: Labels, stack: Labels) -> bool:
    """Whether the members of the stack lie one after the other, so that each is close together in memory."""
    lead = labels[: len([a for a in labels if a in stack])]
    return all(a in stack for a in lead)


def _natural(labels: Labels, stack: Labels, rows: Labels, columns: Labels) -> Labels:
    """The axes of a stack of matrices, each with the axes that it has now in the order that they have now."""
    stack, rest = tuple([a for a in stack if a in labels]), tuple([a for a in labels if a not in stack])
    return (*stack, *(rest if rest == (*columns, *rows) else (*rows, *columns)))


def dot_call(b: Any, x: Any, y: Any, spec: Any, sizes: dict[int, int]) -> Dot | Map | None:
    """Return the step that computes a contraction by BLAS; None where BLAS does not have it."""
    routine = _GEMM.get(f"{b.out.dtype.kind}{b.out.dtype.itemsize}")
    if routine is None:
        return None
    i, j, k = spec
    # An axis of length 1 that stands for more is no axis.
    i, j = (tuple([a if n == sizes[a] else None for a, n in zip(s, o.shape, strict=True)]) for s, o in ((i, x), (j, y)))
    stack = tuple([a for a in k if a in i and a in j])
    rows = tuple([a for a in k if a in i and a not in j])
    columns = tuple([a for a in k if a in j and a not in i])
    if set(k) != {*stack, *rows, *columns}:
        return None
    summed = tuple([a for a in (j if y.size > x.size else i) if a is not None and a not in k])
    left = _operand(b, x, i, stack, rows, summed, sizes)
    right = _operand(b, y, j, stack, summed, columns, sizes)
    lengths = tuple([math.prod([sizes[a] for a in group]) for group in (rows, summed, columns)])
    lowered = b.lowered
    order = k
    place = [_step(k, b.out.shape, group) for group in (rows, columns)]
    inner = place[1] == 1 or place[0] == 1 or min(lengths[0], lengths[2]) == 1
    direct = None not in place and inner and _apart(k, stack)
    if not direct:
        order = _natural(k, stack, rows, columns)
        out = lowered.variable([sizes[a] for a in order], b.out.dtype)
    else:
        out = None
    shape = tuple([sizes[a] for a in order])
    steps = dict(zip(order, strides_of(shape), strict=True))
    target = Matrix(
        out,
        _step(order, shape, rows) or 1,
        _step(order, shape, columns) or 1,
        tuple([steps[a] for a in stack]),
    )
    product = Product(routine, tuple([sizes[a] for a in stack]), lengths, target, left, right)  # type: ignore[arg-type]
    dot = Dot(product)
    if direct:
        dot.reads = [left.var, right.var]
        return dot
    lowered.define(out, dot, [left.var, right.var])
    where = {a: axis for axis, a in enumerate(k)}
    moved = Map(lambda *index: lowered.scope.read(out, [index[where[a]] for a in order]), cost=0)
    moved.reads = [out]
    return moved


def _operand(b: Any, x: Any, labels: Any, stack: Labels, rows: Labels, columns: Labels, sizes: Any) -> Matrix:
    """Return `x` as a stack of matrices, from a copy in another order and dtype if need be."""
    lowered = b.lowered
    var, labels = _looked_through(lowered, x.x, labels)
    ok = type(var) is Var and var.dtype == b.out.dtype
    if ok:
        steps = [_step(labels, var.shape, group) for group in (rows, columns)]
        lengths = [math.prod([sizes[a] for a in group]) for group in (rows, columns)]
        ok = None not in steps and (1 in steps or 1 in lengths) and _apart(labels, stack)
    if not ok:
        order = _natural(labels, stack, rows, columns)
        key = ("copy", var.index if type(var) is Var else id(var), labels, order, b.out.dtype)
        copy = lowered.known.get(key)
        known = copy is not None
        if copy is None:
            copy = lowered.known[key] = lowered.variable([sizes[a] for a in order], b.out.dtype)
        place = {a: k for k, a in enumerate(order)}
        shape, dtype = (var.shape, b.out.dtype) if type(var) is Var else (np.shape(var), b.out.dtype)
        source, old = (var if type(var) is Var else None), labels

        def element(*index: Any) -> Any:
            at = [index[place[a]] if a is not None and n > 1 else _ORIGIN for a, n in zip(old, shape, strict=True)]
            return b.convert(lowered.scope.read(source, at) if source is not None else x(*at), dtype)

        if not known:
            lowered.define(copy, Map(element, cost=1), [source] if source is not None else [])
        var, labels = copy, order
    steps_of = dict(zip(labels, strides_of(var.shape), strict=True))
    return Matrix(
        var,
        _step(labels, var.shape, rows) or 1,
        _step(labels, var.shape, columns) or 1,
        tuple([steps_of.get(a, 0) for a in stack]),
    )


def _looked_through(lowered: Any, x: Any, labels: Any) -> tuple[Any, Any]:
    """Return the array before a permutation of its axes, with its labels: BLAS takes either order."""
    while type(x) is Var:
        eq = lowered.made_by.get(x.index)
        if eq is None or eq.primitive.name != "transpose" or type(eq.inputs[0]) is not Var:
            break
        old = [None] * len(labels)
        for k, axis in enumerate(eq.params["axes"]):
            old[axis] = labels[k]
        x, labels = eq.inputs[0], tuple(old)
    if isinstance(x, np.ndarray) and x.shape:
        x = lowered.constant(x)
    return x, labels


@contextmanager
def flushing(f: Any) -> Iterator[None]:
    """Have the processor take subnormal numbers for zero, which they are in sums of products, and cost a hundredfold."""
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
    p: Product = step.call
    width = f.module.blas_integer(p.routine)
    whole, kind = f"i{width}", {"d": "double", "s": "float", "z": "{double, double}", "c": "{float, float}"}
    element = kind[p.routine[0]]
    itemsize = {"d": 8, "s": 4, "z": 16, "c": 8}[p.routine[0]]
    places = f.plan.places
    out_var = p.out.var if p.out.var is not None else step.var
    bases = [f.pointer(places[v.index]) for v in (out_var, p.left.var, p.right.var)]
    out, a, b = p.out, p.left, p.right
    m, k, n = p.sizes
    if out.columns != 1 and n > 1:
        # Columns lie together: the transposed product, whose rows do.
        out = out._replace(rows=out.columns, columns=out.rows)
        a, b = b._replace(rows=b.columns, columns=b.rows), a._replace(rows=a.columns, columns=a.rows)
        bases = [bases[0], bases[2], bases[1]]
        m, n = n, m

    def slot(text: str, t: str) -> str:
        name = f.fresh()
        f.allocas += [f"{name} = alloca {t}", f"store {t} {text}, ptr {name}"]
        return name

    def matrix(x: Matrix, rows: int, columns: int) -> tuple[str, str]:
        """How to read a matrix row by row, as BLAS, which reads columns, must be told."""
        if x.columns == 1 or columns == 1:
            plain = x.columns == 1 and (rows == 1 or x.rows >= columns)
            if plain or (columns == 1 and x.columns == 1):
                return "78", str(max(x.rows if rows > 1 else columns, columns, 1))
        if x.rows == 1 or rows == 1:
            return "84", str(max(x.columns if columns > 1 else rows, rows, 1))
        return "78", str(max(x.rows, columns, 1))

    ta, lda = matrix(a, m, k)
    tb, ldb = matrix(b, k, n)
    _, ldc = str(0), str(max(out.rows if m > 1 else n, n, 1))
    one = {"d": "1.0", "s": "1.0", "z": "{double 1.0, double 0.0}", "c": "{float 1.0, float 0.0}"}[p.routine[0]]
    sizes = [slot(str(v), whole) for v in (n, m, k, ldb, lda, ldc)]
    letters = [slot(tb, "i8"), slot(ta, "i8")]
    alpha, beta = slot(one, element), slot("zeroinitializer" if element[0] == "{" else "0.0", element)
    f.module.blas.add(p.routine)
    f.module.declared.add(f"declare void @cv_{p.routine}({', '.join(['ptr'] * 13)})")

    def call(offsets: Sequence[str]) -> None:
        at = []
        for base, offset in zip(bases, offsets, strict=True):
            at.append(f.put(f"getelementptr inbounds i8, ptr {base}, i64 {offset}"))
        args = [*letters, *sizes[:3], alpha, at[2], sizes[3], at[1], sizes[4], beta, at[0], sizes[5]]
        f.lines.append(f"call void @cv_{p.routine}({', '.join(f'ptr {x}' for x in args)})")

    def loop(axis: int, offsets: list[str]) -> None:
        if axis == len(p.stack):
            call(offsets)
            return

        def body(counter: str) -> None:
            moved = []
            for x, offset in zip((out, a, b), offsets, strict=True):
                step_bytes = x.stack[axis] * itemsize
                far = f.put(f"mul nsw i64 {counter}, {step_bytes}")
                moved.append(f.put(f"add nsw i64 {offset}, {far}"))
            loop(axis + 1, moved)

        f.counted(p.stack[axis], body)

    with flushing(f):
        loop(0, ["0", "0", "0"])
