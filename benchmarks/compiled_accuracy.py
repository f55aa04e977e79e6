"""Accuracy and speed of the scalar functions of compiled programs, against mpmath and against NumPy and SciPy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import scipy.special

from covector.compiler.math import FUNCTIONS, module
from covector.compiler.native import llvm

from .references.ulp import largest_error, points_of
from .references.values import VALUES, Truth
from .references.values_elementary import ELEMENTARY
from .report import processor

__all__ = ["Row", "main", "rows"]

_DTYPES = {"f64": np.dtype(np.float64), "f32": np.dtype(np.float32)}
_IR = {"f64": "double", "f32": "float"}
_LENGTH = 16384
_ROUNDS = 40

HEADER = """# Accuracy of compiled functions

Compiled programs do not call a library for these functions: each is a formula that becomes part of the loop around
it and works on as many numbers at a time as the processor's vectors hold. The table says how far the results are from
the true ones, in units in the last place (ulp), beside NumPy's or SciPy's own: the worst of {points} points in each of
several regions (ordinary and huge numbers, neighbours of zeros and ends), compared with mpmath at 50 digits. Subnormal
results are left out; "overflow" is an infinity or NaN instead of a finite value. Times are nanoseconds per number in
one thread, of arrays of {length} numbers of ordinary size, and vary by a third from run to run; subnormal intermediate
results make some processors far slower.

The polynomials behind them are minimax fits of our own, made by `python -m benchmarks.fits.elementary` and
`python -m benchmarks.fits.special`.

The unit in the last place is that of the true value, so that zeros count with all their digits, but for

{scales}

Written by `python -m benchmarks compiled-accuracy --markdown docs/compiled-accuracy.md`, with NumPy {numpy}, SciPy
{scipy} and llvmlite {llvmlite}, on {machine}.

| function | float64: ulp | NumPy, SciPy | ns | NumPy, SciPy | float32: ulp | NumPy, SciPy | ns | NumPy, SciPy |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""


@dataclass(frozen=True)
class Row:
    """One function in one precision; the other's figures are None where NumPy and SciPy have no such function."""

    name: str
    ctype: str
    error: float
    where: tuple[float, ...]
    nanoseconds: float
    other_error: float | None
    other_nanoseconds: float | None

    @property
    def good(self) -> bool:
        """Whether the error is within what the function promises."""
        return self.error <= FUNCTIONS[self.name].accuracy[self.ctype]


def _loop(name: str, ctype: str) -> Callable[..., Callable[[], None]]:
    """``loop(out, *arguments)`` makes a call that computes `out` from arrays of its length."""
    type_, arity = _IR[ctype], FUNCTIONS[name].arity
    pointers = "".join(f", ptr noalias readonly %p{k}" for k in range(arity))
    loads = "".join(
        f"  %a{k} = getelementptr {type_}, ptr %p{k}, i64 %i\n  %x{k} = load {type_}, ptr %a{k}\n" for k in range(arity)
    )
    operands = ", ".join(f"{type_} %x{k}" for k in range(arity))
    text = f"""{module([(name, ctype)])}
define void @loop(ptr noalias %out{pointers}, i64 %n) nounwind "prefer-vector-width"="512" {{
entry:
  br label %body
body:
  %i = phi i64 [0, %entry], [%next, %body]
{loads}  %y = call {type_} @"cv.{name}.{ctype}"({operands})
  %o = getelementptr {type_}, ptr %out, i64 %i
  store {type_} %y, ptr %o
  %next = add nuw nsw i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %body, label %done
done:
  ret void
}}
"""
    code = llvm.compile_ir(text, ["loop"])
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(code.address("loop"))

    def bind(out: Any, *arguments: Any, _code: Any = code) -> Callable[[], None]:
        # The addresses beforehand: asking for one takes as long as computing a thousand numbers.
        return partial(function, out.ctypes.data, *[a.ctypes.data for a in arguments], out.size)

    return bind


def _fastest(call: Callable[[], Any]) -> float:
    """Nanoseconds per number of the fastest of some calls."""
    best = np.inf
    for _ in range(_ROUNDS):
        start = perf_counter()
        call()
        best = min(best, perf_counter() - start)
    return best / _LENGTH * 1e9


def _other(name: str) -> Callable[..., Any] | None:
    return getattr(np, name, None) or getattr(scipy.special, name, None)


def _measure(name: str, ctype: str, truth: Truth, count: int) -> Row:
    dtype = _DTYPES[ctype]
    loop, other = _loop(name, ctype), _other(name)
    arguments = [np.ascontiguousarray(a) for a in points_of(truth, dtype, count)]
    out = np.empty(arguments[0].shape, dtype)
    loop(out, *arguments)()
    error, where = largest_error(truth, arguments, out)
    ordinary = [np.resize(a[:count], _LENGTH) for a in arguments]
    target = np.empty(_LENGTH, dtype)
    nanoseconds = _fastest(loop(target, *ordinary))
    if other is None:
        return Row(name, ctype, error, where, nanoseconds, None, None)
    with np.errstate(all="ignore"):
        other_error = largest_error(truth, arguments, np.asarray(other(*arguments), dtype))[0]
        into = {"out": target} if isinstance(other, np.ufunc) else {}
        other_nanoseconds = _fastest(partial(other, *ordinary, **into))
    return Row(name, ctype, error, where, nanoseconds, other_error, other_nanoseconds)


def rows(only: str, count: int) -> list[tuple[Row, Row]]:
    """Measure the functions with `only` in their name: in double and in single precision."""
    truths = {name: truth for name, truth in (ELEMENTARY | VALUES).items() if name in FUNCTIONS and only in name}
    out = []
    for name, truth in truths.items():
        pair = _measure(name, "f64", truth, count), _measure(name, "f32", truth, count)
        print(_line(pair), *[f"FAILED at {row.where}" for row in pair if not row.good], flush=True)
        out.append(pair)
    return out


def _cells(row: Row) -> list[str]:
    figures = (row.error, row.other_error, row.nanoseconds, row.other_nanoseconds)
    return ["–" if x is None else _number(x) for x in figures]


def _number(x: float) -> str:
    if not np.isfinite(x):
        return "overflow"
    return f"{x:.2f}" if x < 10 else f"{x:.0f}" if x < 10000 else f"{x:.0e}"


def _line(pair: tuple[Row, Row]) -> str:
    return f"| `{pair[0].name}` | {' | '.join(_cells(pair[0]) + _cells(pair[1]))} |"


def main(only: str, count: int, markdown: Path | None) -> int:
    """Print the table; the exit status is 1 if a function is less accurate than it promises."""
    pairs = rows(only, count)
    failures = sum(not row.good for pair in pairs for row in pair)
    print(f"\n{len(pairs)} functions, {failures} failures")
    if markdown:
        truths = ELEMENTARY | VALUES
        scales = [f"- `{pair[0].name}`: {truths[pair[0].name].says}" for pair in pairs if truths[pair[0].name].says]
        head = HEADER.format(
            points=count,
            length=_LENGTH,
            scales="\n".join(scales),
            machine=processor(),
            numpy=np.__version__,
            scipy=version("scipy"),
            llvmlite=version("llvmlite"),
        )
        markdown.write_text(head + "\n".join(map(_line, pairs)) + "\n", encoding="utf-8")
    return 1 if failures else 0
