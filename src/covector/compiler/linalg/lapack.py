"""Linear equations, factors and determinants in compiled programs: calls of LAPACK on stored arrays.

A matrix that is a Cholesky factor is solved with as the triangle that it is, and the LU factors of a matrix serve all
equations with it and with its transpose, inverse and determinant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from ...core.graph import Equation, Var
from ...core.values import aval_of
from ..loops.definitions import Check, Failure, Lapack, Map, Reduce, Scan
from ..loops.index import Index
from ..loops.lowering import Builder, Lowered, Operand
from ..loops.operations import Unsupported, apply
from . import blas
from .lapack_cholesky import define_cotangent, define_tangent
from .operands import before_transpose, define, plain, stored, swapped
from .routines import Block, Calls, letter_of

__all__ = ["RULES", "define_routine"]

_SINGULAR = Failure("Singular matrix")
_NOT_DEFINITE = Failure("Matrix is not positive definite")
_WORK = 64  # columns that the routines treat at a time


def define_routine(lowered: Lowered, eq: Equation) -> bool:
    """Define the outputs of an equation by calls of LAPACK; False where it has no routine for them."""
    rule = RULES.get(eq.primitive.lower.name)
    arrays = [x.aval if type(x) is Var else aval_of(x) for x in (*eq.inputs, *eq.outputs)]
    if rule is None or any(0 in a.shape for a in arrays) or letter_of(eq.outputs[0].dtype) is None:
        return False
    try:
        operands = [Operand(lowered, x) for x in eq.inputs]
        rule(Builder(lowered, eq.outputs[0].aval), eq.outputs, *operands, **eq.params)
    except Unsupported:
        return False
    return True


def _is_lower(lowered: Lowered, x: Any) -> bool | None:
    """Whether `x`, known to be triangular with a diagonal without zeros, is a lower triangle; None if not known."""
    lower = True
    while type(x) is Var and (eq := lowered.made_by.get(x.index)) is not None:
        if eq.primitive.name == "cholesky":
            return lower
        inner = before_transpose(lowered, x)
        if inner is not None:
            x, lower = inner, not lower
        elif eq.primitive.name == "conjugate":
            x = eq.inputs[0]
        else:
            return None
    return None


def _equal(b: Builder, x: Any, y: float, dtype: np.dtype[Any]) -> Any:
    return apply(b.nodes, "equal", [x, b.number(y, dtype)], [dtype, dtype], np.dtype(bool))


# --- Cholesky ---------------------------------------------------------------------------------------------------------


def _cholesky(b: Builder, outputs: Sequence[Var], a: Operand) -> None:
    (out,) = outputs
    start = stored(b, a, out.dtype)
    *stack, n, _ = out.shape

    def write(f: Any, step: Lapack) -> None:
        c = Calls(f, out.dtype)

        def member(x: str) -> None:
            c.call("potrf", "U", n, x, n, info)
            c.note(info)
            c.clear_above(Block(x, n), n)

        with c.checked(_NOT_DEFINITE) as info:
            c.each(stack, [(out, 2)], member)

    define(b, Lapack([out], [(start, out)], write), [start])


# --- triangular equations ---------------------------------------------------------------------------------------------


def _solve_triangular(b: Builder, outputs: Sequence[Var], a: Operand, y: Operand, *, lower: bool, unit: bool) -> None:
    if not unit:
        _check_diagonal(b, a)
    _substitute(b, outputs[0], a, y, lower, unit)


def _check_diagonal(b: Builder, a: Operand) -> None:
    """Raise an error where there is a zero on the diagonal of a triangle."""
    *stack, n, _ = a.shape
    lowered = b.lowered
    extent = (*stack, n)

    def place(index: Any, r: Sequence[Index]) -> Any:
        return b.nodes.select(
            _equal(b, a(*r, r[-1]), 0, a.dtype), b.nodes.index(r[-1] * -1 + n), b.nodes.const(0, "i8")
        )

    if _is_lower(lowered, a.x) is not None:
        return
    where = lowered.variable((), np.dtype(np.int64))
    lowered.define(where, Reduce("max", extent, place), [a.x])
    alone = Failure("singular matrix: resolution failed at diagonal {}", n)
    lowered.checks.append(Check(where, where, 1, 0, _SINGULAR if stack else alone))


def _substitute(b: Builder, out: Var, a: Operand, y: Operand, lower: bool, unit: bool) -> None:
    root, flipped = plain(b, a, out.dtype)
    start = stored(b, y, out.dtype, out.shape)
    *stack, n, m = out.shape
    # What is stored by rows is, to routines that read columns, the transpose.
    uplo, diagonal = "U" if lower != flipped else "L", "U" if unit else "N"
    left, right = ("N", "T") if flipped else ("T", "N")
    many = math.prod(stack) if math.prod(root.shape[:-2]) == 1 and m == 1 else 1

    def write(f: Any, step: Lapack) -> None:
        c = Calls(f, out.dtype)

        def member(t: str, x: str) -> None:
            if m > 1:
                c.call("trsm", "R", uplo, right, diagonal, m, n, 1.0, t, n, x, m)
            elif many > 1:
                c.call("trsm", "L", uplo, left, diagonal, n, many, 1.0, t, n, x, n)
            else:
                c.call("trsv", uplo, left, diagonal, n, t, n, x, 1)

        c.each(stack if many == 1 else [], [(root, 2), (out, 2)], member)

    define(b, Lapack([out], [(start, out)], write), [start, root])


# --- general equations ------------------------------------------------------------------------------------------------


class _Factors:
    """The LU factors of a matrix: `packed` column by column, `pivots` counted from 1."""

    def __init__(self, packed: Var, pivots: Var) -> None:
        self.packed = packed
        self.pivots = pivots
        self.singular_fails = False


def _factors(b: Builder, a: Operand, dtype: np.dtype[Any], fails: bool) -> tuple[_Factors, bool]:
    """The factors of `a` or of the matrix of which it is the transpose, and whether it is that."""
    inner = before_transpose(b.lowered, a.x)
    if inner is not None:
        a = Operand(b.lowered, inner)
    key = ("lu", a.x.index if type(a.x) is Var else id(a.x), dtype)
    found = b.lowered.known.get(key)
    if found is None:
        found = b.lowered.known[key] = _factorize(b, a, dtype)
    found.singular_fails |= fails
    return found, inner is not None


def _factorize(b: Builder, a: Operand, dtype: np.dtype[Any]) -> _Factors:
    *stack, n, _ = a.shape
    lowered = b.lowered
    start = stored(b, a, dtype, swap=True)
    found = _Factors(
        lowered.variable(a.shape, dtype), lowered.variable((*stack, n), np.dtype(f"i{blas.integer() // 8}"))
    )

    def write(f: Any, step: Lapack) -> None:
        c = Calls(f, dtype)

        def member(x: str, pivots: str) -> None:
            c.call("getrf", n, n, x, n, pivots, info)
            c.note(info)

        with c.checked(_SINGULAR if found.singular_fails else None) as info:
            c.each(stack, [(found.packed, 2), (found.pivots, 1)], member)

    define(b, Lapack([found.packed, found.pivots], [(start, found.packed)], write), [start])
    return found


def _solve(b: Builder, outputs: Sequence[Var], a: Operand, y: Operand) -> None:
    (out,) = outputs
    lower = _is_lower(b.lowered, a.x)
    if lower is not None:
        _substitute(b, out, a, y, lower, False)
        return
    factors, flipped = _factors(b, a, out.dtype, True)
    *stack, n, m = out.shape
    one = math.prod(factors.packed.shape[:-2]) == 1
    solved = out if m == 1 else b.lowered.variable((*stack, m, n), out.dtype)
    start = stored(b, y, out.dtype, out.shape, swap=m > 1)
    sides = math.prod(stack) * m if one else m

    def write(f: Any, step: Lapack) -> None:
        c = Calls(f, out.dtype)

        def member(packed: str, pivots: str, x: str) -> None:
            c.call("getrs", "T" if flipped else "N", n, sides, packed, n, pivots, x, n, info)

        with c.checked(None) as info:
            c.each([] if one else stack, [(factors.packed, 2), (factors.pivots, 1), (solved, 2)], member)

    define(b, Lapack([solved], [(start, solved)], write), [start, factors.packed, factors.pivots])
    if solved is not out:
        turned = Map(lambda *i: b.lowered.scope.read(solved, swapped(i)), 0)
        b.lowered.define(out, turned, [solved])


def _inv(b: Builder, outputs: Sequence[Var], a: Operand) -> None:
    (out,) = outputs
    factors, flipped = _factors(b, a, out.dtype, True)
    *stack, n, _ = out.shape
    # The columns of the inverse are the rows of its transpose, which is what is stored.
    inverse = out if flipped else b.lowered.variable(out.shape, out.dtype)
    work = b.lowered.variable((n * _WORK,), out.dtype)

    def write(f: Any, step: Lapack) -> None:
        c = Calls(f, out.dtype)

        def member(pivots: str, x: str) -> None:
            c.call("getri", n, x, n, pivots, c.pointer(work), n * _WORK, info)

        with c.checked(None) as info:
            c.each(stack, [(factors.pivots, 1), (inverse, 2)], member)

    takes = [(factors.packed, inverse)]
    define(b, Lapack([inverse, work], takes, write), [factors.packed, factors.pivots])
    if inverse is not out:
        b.lowered.define(out, Map(lambda *i: b.lowered.scope.read(inverse, swapped(i)), 0), [inverse])


# --- determinants -----------------------------------------------------------------------------------------------------


def _sign_and_log(b: Builder, a: Operand, dtype: np.dtype[Any], sign: Var, log: Var) -> None:
    """Define the sign, or phase, of determinants, and the logarithm of their absolute value."""
    factors, _ = _factors(b, a, dtype, False)
    packed, pivots = factors.packed, factors.pivots
    n = a.shape[-1]
    scope = lambda: b.lowered.scope
    real = log.dtype

    def sign_of(index: Sequence[Index], r: Sequence[Index]) -> Any:
        x, nodes = scope().read(packed, (*index, *r, *r)), cast(Any, b.nodes)
        kept = nodes.compare("eq", scope().read(pivots, (*index, *r)), b.convert(nodes.index(r[0] + 1), pivots.dtype))
        if dtype.kind == "c":
            size = apply(nodes, "absolute", [x], [dtype], real)
            size = nodes.select(_equal(b, size, 0, real), b.number(1, real), size)
            x = apply(nodes, "divide", [x, b.convert(size, dtype)], [dtype, dtype], dtype)
        else:
            x = b.apply("sign", x, dtype=dtype)
        exchanged = nodes.select(kept, b.number(1, real), b.number(-1, real))
        return b.apply("multiply", b.convert(exchanged, dtype), x, dtype=dtype)

    def log_of(index: Sequence[Index], r: Sequence[Index]) -> Any:
        size = apply(b.nodes, "absolute", [scope().read(packed, (*index, *r, *r))], [dtype], real)
        return b.apply("log", size, dtype=real)

    if dtype.kind != "c":
        b.lowered.define(sign, Reduce("mul", (n,), sign_of, 10), [packed, pivots])
    else:
        # Loops have no products of complex numbers, but running ones.
        running = b.lowered.variable((*sign.shape, n), dtype)
        one = lambda *i: sign_of(i[:-1], i[-1:])
        more = lambda last, *i: b.apply("multiply", last, one(*i), dtype=dtype)
        b.lowered.define(running, Scan(len(sign.shape), False, one, more), [packed, pivots])
        b.lowered.define(sign, Map(lambda *i: scope().read(running, (*i, Index(n - 1))), 0), [running])
    b.lowered.define(log, Reduce("add", (n,), log_of, 20), [packed])


def _slogdet(b: Builder, outputs: Sequence[Var], a: Operand) -> None:
    _sign_and_log(b, a, a.dtype, *outputs)


def _det(b: Builder, outputs: Sequence[Var], a: Operand) -> None:
    (out,) = outputs
    lowered = b.lowered
    sign = lowered.variable(out.shape, out.dtype)
    log = lowered.variable(out.shape, np.empty(0, out.dtype).real.dtype)
    _sign_and_log(b, a, a.dtype, sign, log)

    def rule(*i: Index) -> Any:
        size = b.apply("exp", lowered.scope.read(log, i), dtype=log.dtype)
        return b.apply("multiply", lowered.scope.read(sign, i), b.convert(size), dtype=out.dtype)

    lowered.define(out, Map(rule, 20, aligned=True), [sign, log])


def _regular(b: Builder, outputs: Sequence[Var], x: Operand, bad: Operand, *, message: str) -> None:
    where = b.lowered.variable((), np.dtype(np.int64))
    rule = lambda index, r: b.convert(bad(*r), where.dtype)
    b.lowered.define(where, Reduce("max", bad.shape, rule), [bad.x])
    b.lowered.checks.append(Check(where, where, 1, 0, Failure(message)))
    b.lowered.define(outputs[0], Map(lambda *i: x.broadcast(i), 0), [x.x])


RULES: dict[str, Callable[..., None]] = {
    "cholesky": _cholesky,
    "cholesky_tangent": define_tangent,
    "cholesky_cotangent": define_cotangent,
    "solve_triangular": _solve_triangular,
    "solve": _solve,
    "inv": _inv,
    "slogdet": _slogdet,
    "det": _det,
    "regular": _regular,
}
