"""Rare arguments: a formula's result is replaced by the C library's where the formula does not hold.

A branch in the body of a loop keeps LLVM from widening it, and doing both sides for every element costs more than
the formula. So the test stands in a function of its own, which exists for one element and for vectors of them; the
attribute ``vector-function-abi-variant`` tells the loop vectoriser which belong together. The vector forms return at
once unless an element is rare, and then call the library for those elements.
"""

from __future__ import annotations

from collections.abc import Callable

from .writer import Code, Operand, Value, literal

LANES = {"f64": (2, 4, 8), "f32": (4, 8, 16)}
_ATTRIBUTES = 'noinline nounwind speculatable willreturn memory(none) "prefer-vector-width"="512"'

Guard = Callable[[str, str, Callable[[float], str]], tuple[str, ...]]


def at_least(limit: float) -> Guard:
    """Rare where \\|x\\| ≥ limit."""

    def lines(type_: str, suffix: str, number: Callable[[float], str]) -> tuple[str, ...]:
        return (
            f"%size = call {type_} @llvm.fabs.{suffix}({type_} %x0)",
            f"%rare = fcmp oge {type_} %size, {number(limit)}",
        )

    return lines


def ratio_above(limit: float) -> Guard:
    """Rare where \\|x\\| > \\|y\\|·limit."""

    def lines(type_: str, suffix: str, number: Callable[[float], str]) -> tuple[str, ...]:
        return (
            f"%top = call {type_} @llvm.fabs.{suffix}({type_} %x0)",
            f"%bottom = call {type_} @llvm.fabs.{suffix}({type_} %x1)",
            f"%most = fmul {type_} %bottom, {number(limit)}",
            f"%rare = fcmp ogt {type_} %top, %most",
        )

    return lines


def _parameters(type_: str, arity: int, *more: str) -> str:
    return ", ".join(f"{type_} {name}" for name in (*(f"%x{i}" for i in range(arity)), *more))


def _scalar(symbol: str, library: str, ctype: str, type_: str, arity: int, guard: Guard) -> str:
    body = "\n  ".join(guard(type_, ctype, lambda v: literal(v, type_)))
    return f"""define internal {type_} @"{symbol}"({_parameters(type_, arity, "%fast")}) {_ATTRIBUTES} {{
  {body}
  br i1 %rare, label %slow, label %done
slow:
  %exact = call {type_} @{library}({_parameters(type_, arity)})
  ret {type_} %exact
done:
  ret {type_} %fast
}}"""


def _each(symbol: str, type_: str, arity: int) -> str:
    """The scalar test for `count` elements in memory; the vector forms share it, so that they stay short."""
    pointers = "".join(f"ptr %p{i}, " for i in range(arity))
    loads = "\n  ".join(
        f"%a{i} = getelementptr {type_}, ptr %p{i}, i64 %k\n  %x{i} = load {type_}, ptr %a{i}" for i in range(arity)
    )
    return f"""define internal void @"{symbol}.each"({pointers}ptr %results, i64 %count) noinline nounwind willreturn {{
entry:
  br label %next
next:
  %k = phi i64 [0, %entry], [%following, %next]
  {loads}
  %at = getelementptr {type_}, ptr %results, i64 %k
  %fast = load {type_}, ptr %at
  %exact = call {type_} @"{symbol}"({_parameters(type_, arity, "%fast")})
  store {type_} %exact, ptr %at
  %following = add i64 %k, 1
  %more = icmp ult i64 %following, %count
  br i1 %more, label %next, label %done
done:
  ret void
}}"""


def _vector(symbol: str, ctype: str, type_: str, lanes: int, arity: int, guard: Guard) -> str:
    vector, suffix = f"<{lanes} x {type_}>", f"v{lanes}{ctype}"
    body = "\n  ".join(guard(vector, suffix, lambda v: f"splat ({type_} {literal(v, type_)})"))
    places = "\n  ".join(f"%p{i} = alloca {vector}" for i in range(arity))
    stores = "\n  ".join(f"store {vector} %x{i}, ptr %p{i}" for i in range(arity))
    pointers = "".join(f"ptr %p{i}, " for i in range(arity))
    parameters = _parameters(vector, arity, "%fast")
    return f"""define weak_odr hidden {vector} @"{symbol}.v{lanes}"({parameters}) {_ATTRIBUTES} {{
  {places}
  %place = alloca {vector}
  {body}
  %mask = bitcast <{lanes} x i1> %rare to i{lanes}
  %none = icmp eq i{lanes} %mask, 0
  br i1 %none, label %done, label %slow
slow:
  {stores}
  store {vector} %fast, ptr %place
  call void @"{symbol}.each"({pointers}ptr %place, i64 {lanes})
  %settled = load {vector}, ptr %place
  ret {vector} %settled
done:
  ret {vector} %fast
}}"""


def or_library(c: Code, fast: Value, *arguments: Operand, library: str, guard: Guard) -> Value:
    """`fast`, or what the C library's function gives for `arguments` where `guard` holds.

    Parameters
    ----------
    c : Code
        The function being written.
    fast : Value
        Its result for ordinary arguments.
    library : str
        C name of the double function; the float one has an ``f`` at the end.
    guard : Guard
        `at_least` or `ratio_above`.
    """
    type_, ctype, arity = c.format.float_type, c.ctype, len(arguments)
    symbol, library = f"cv.{library}.settle.{ctype}", library if ctype == "f64" else f"{library}f"
    attributes = "nounwind willreturn memory(none)"
    c.declarations[library] = f"declare {type_} @{library}({', '.join([type_] * arity)}) {attributes}"
    c.declarations[f"llvm.fabs.{ctype}"] = f"declare {type_} @llvm.fabs.{ctype}({type_})"
    c.definitions[symbol] = _scalar(symbol, library, ctype, type_, arity, guard)
    c.definitions[f"{symbol}.each"] = _each(symbol, type_, arity)
    for lanes in LANES[ctype]:
        vector, suffix = f"<{lanes} x {type_}>", f"v{lanes}{ctype}"
        c.declarations[f"llvm.fabs.{suffix}"] = f"declare {vector} @llvm.fabs.{suffix}({vector})"
        c.definitions[f"{symbol}.v{lanes}"] = _vector(symbol, ctype, type_, lanes, arity, guard)
    shape = "v" * (arity + 1)
    variants = ",".join(f"_ZGV_LLVM_N{lanes}{shape}_{symbol}({symbol}.v{lanes})" for lanes in LANES[ctype])
    operands = ", ".join(f"{type_} {c.like(a, fast).text}" for a in (*arguments, fast))
    call = f'call {type_} @"{symbol}"({operands}) nounwind willreturn memory(none)'
    return c.emit(f'{call} "vector-function-abi-variant"="{variants}"', type_)
