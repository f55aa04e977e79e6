"""Accuracy of the first derivatives of all ufuncs against mpmath, in units in the last place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp

import covector as cv
from covector.core.dispatch import FUNCTIONS, UFUNCS
from covector.core.primitive import Primitive, load_late_rules

from .references import REFERENCES, Reference, points
from .references.exceptions import EXCEPTIONS, NO_REFERENCE
from .references.scipy_values import from_scipy

POINTS = 30
LIMIT = 8.0
_TINY = np.finfo(float).tiny
_HUGE = np.finfo(float).max
_PUBLIC = {"_riemann_zeta": "zeta(s)", "_zeta": "zeta", "_lambertw": "lambertw"}
_CANDIDATES = 400


HEADER = """# Accuracy

How far the first derivatives of the elementwise functions are from the true ones, in units in the last place (ulp) of
the true value: the worst of {points} points, half of them ordinary and half extreme (tiny, huge, next to singular
points and whole numbers), each a double at which the derivative is compared with mpmath at a precision that settles 20
digits. Derivatives that are not normal doubles are left out. Forward and reverse mode are both measured and the worse
counts; complex values are compared by modulus. More than {limit:g} ulp is an exception with a reason: either SciPy's
own values of the functions in the derivative's formula (or of the inverse function) are that inaccurate, which is
measured at each point by evaluating the formula of these values without rounding, or the reason that is given.

Written by `python -m benchmarks accuracy --markdown docs/accuracy.md`, with NumPy {numpy} and SciPy {scipy}.
"""


@dataclass(frozen=True)
class Function:
    """One output of a ufunc, or of an elementwise function that NumPy writes in Python."""

    name: str
    call: Callable[..., Any]
    nin: int


@dataclass(frozen=True)
class Row:
    """The worst point of one function and argument, and what SciPy's own values explain of its error.

    ``scipy`` is the error in ulp of the derivative formula at the worst point when it is evaluated without rounding
    from SciPy's values, and ``unexplained`` the largest
    error of all points beyond that; both 0 where this is not known.
    """

    function: str
    argument: int
    worst: float
    at: tuple[float, ...]
    points: int
    scipy: float = 0.0
    unexplained: float = 0.0


@dataclass(frozen=True)
class Missing:
    """A function and argument that there is nothing to compare with; -1 stands for all arguments."""

    function: str
    argument: int = -1


def functions() -> Iterator[Function]:
    """The elementwise functions with a derivative rule, from the dispatch tables, one per output."""
    load_late_rules()
    for ufunc, handler in UFUNCS.items():
        if not isinstance(ufunc, np.ufunc) or ufunc.signature is not None:
            continue
        if isinstance(handler, Primitive) and (handler.constant or handler.family == "refused"):
            continue
        own = getattr(np, ufunc.__name__, None) is ufunc
        name = f"np.{ufunc.__name__}" if own else f"scipy.special.{_PUBLIC.get(ufunc.__name__, ufunc.__name__)}"
        if ufunc.nout == 1:
            yield Function(name, ufunc, ufunc.nin)
        else:
            for i in range(ufunc.nout):
                yield Function(f"{name}[{i}]", lambda *args, f=ufunc, i=i: f(*args)[i], ufunc.nin)
    for function in (np.sinc, np.i0):
        assert function in FUNCTIONS
        yield Function(f"np.{function.__name__}", function, 1)


def moving_arguments(function: Function, sample: tuple[Any, ...]) -> list[int]:
    """The positions of the arguments with a derivative; the others are refused or have none by nature."""
    found = []
    for i in range(function.nin):
        try:
            with np.errstate(all="ignore"):
                along, x = _along(function, sample, i), np.asarray(sample[i])
                _, tangent = cv.jvp(along, (x,), (np.ones(()),), strict=True)
        except (cv.NotDifferentiableError, RuntimeError, TypeError):
            continue
        if tangent is not None:  # else a whole number, such as an exponent
            found.append(i)
    return found


def _along(function: Function, args: tuple[Any, ...], i: int) -> Callable[[Any], Any]:
    return lambda x: function.call(*args[:i], x, *args[i + 1 :])


def derivatives(function: Function, args: tuple[Any, ...], i: int) -> tuple[Any, Any]:
    """The elementwise derivative with respect to argument `i`, in forward and in reverse mode."""
    along = _along(function, args, i)
    with np.errstate(all="ignore"):
        out, forward = cv.jvp(along, (args[i],), (np.ones_like(args[i]),))
        _, pullback = cv.vjp(along, args[i])
        if np.iscomplexobj(out):  # the cotangent 1 gives the real part, and -i the imaginary part
            reverse = pullback(np.ones_like(out))[0] + 1j * pullback(np.full_like(out, -1j))[0]
        else:
            reverse = pullback(np.ones_like(out))[0]
    return forward, reverse


def ulps(got: Any, true: Any) -> float:
    """Distance of a double from the true value in units of the true value's last place; complex ones by modulus."""
    if not np.isfinite(got):
        return math.inf
    with mp.workdps(60):
        return float(abs(mp.mpmathify(complex(got) if np.iscomplexobj(got) else float(got)) - true) / _unit(true))


def _unit(true: Any) -> Any:
    return mp.mpf(float(np.spacing(float(abs(true))))) if true else mp.mpf(float(np.spacing(0.0)))


def compared(name: str, reference: Reference, i: int, count: int) -> Iterator[tuple[tuple[float, ...], Any]]:
    """The first `count` points at which the true derivative is zero or a normal double, with that derivative."""
    candidates = itertools.islice(points(f"{name}/{i}", reference.domains), _CANDIDATES)
    found = ((args, reference.slope(i, args)) for args in dict.fromkeys(candidates))
    usable = ((args, true) for args, true in found if true is not None and (not true or _TINY <= abs(true) <= _HUGE))
    yield from itertools.islice(usable, count)


def measure(function: Function, i: int, count: int = POINTS) -> Row:
    """Compare one function's derivative in one argument, in both modes."""
    pairs = list(compared(function.name, REFERENCES[function.name], i, count))
    columns = tuple(np.array(column) for column in zip(*[args for args, _ in pairs], strict=True))
    columns = tuple(c.astype(int) if d.whole else c for c, d in zip(columns, REFERENCES[function.name].domains))
    forward, reverse = derivatives(function, columns, i)
    errors = [max(ulps(forward[k], true), ulps(reverse[k], true)) for k, (_, true) in enumerate(pairs)]
    k = int(np.argmax(errors))
    if errors[k] <= LIMIT:
        return Row(function.name, i, errors[k], pairs[k][0], len(pairs))
    known = [scipy_error(function.name, i, *pair) if e > LIMIT else 0.0 for e, pair in zip(errors, pairs, strict=True)]
    rest = max(e - s for e, s in zip(errors, known, strict=True))
    return Row(function.name, i, errors[k], pairs[k][0], len(pairs), known[k], rest if any(known) else 0.0)


def scipy_error(name: str, i: int, args: tuple[float, ...], true: Any) -> float:
    """Error in ulp of the derivative that SciPy's own values give, or 0 if the references do not tell."""
    inverse = REFERENCES[name].at_scipy
    try:
        value = inverse(i, args) if inverse else from_scipy(name, i, args)
    except (ArithmeticError, ValueError):
        return 0.0
    if value is None or not mp.isfinite(value):
        return 0.0
    with mp.workdps(60):
        return float(abs(value - true) / _unit(true))


def rows_of(function: Function, count: int = POINTS) -> Iterator[Row | Missing]:
    """Measure the derivatives of one function in all of its arguments that have one."""
    domains = REFERENCES[function.name].domains
    sample = next(points("sample", domains))
    sample = tuple(int(x) if d.whole else x for x, d in zip(sample, domains, strict=True))
    for i in moving_arguments(function, sample):
        if REFERENCES[function.name].has(i):
            yield measure(function, i, count)
        else:
            yield Missing(function.name, i)


def rows(only: str = "", count: int = POINTS) -> Iterator[Row | Missing]:
    """Measure every function with `only` in its name."""
    for function in functions():
        if only not in function.name:
            continue
        if function.name in REFERENCES:
            yield from rows_of(function, count)
        elif has_derivative(function):
            yield Missing(function.name)


def has_derivative(function: Function) -> bool:
    """Whether any argument of a function without reference moves the result: whole parts and signs have none."""
    return bool(moving_arguments(function, (0.5, 0.25, 0.75, 0.3, 0.6)[: function.nin]))


def judge(row: Row | Missing) -> tuple[bool, str]:
    """Whether the result is as it should be, and the reason where it is an exception."""
    if isinstance(row, Missing):
        reason = NO_REFERENCE.get(f"{row.function}:{row.argument}") or NO_REFERENCE.get(row.function, "")
        return bool(reason), reason or "neither a reference nor a reason"
    if row.worst > LIMIT and row.scipy and row.unexplained <= LIMIT:
        return True, f"SciPy's own values, of which the formula gives {row.scipy:.3g} ulp without any rounding"
    bound, reason = EXCEPTIONS.get(f"{row.function}:{row.argument}", EXCEPTIONS.get(row.function, (LIMIT, "")))
    rest = row.unexplained or row.worst
    if rest > bound:
        return False, f"more than {bound:g} ulp" + (f" ({reason})" if reason else "")
    if row.worst <= LIMIT:
        return True, ""
    return True, f"{rest:.3g} ulp beyond SciPy's own: {reason}" if row.unexplained else reason


def _cells(row: Row | Missing) -> tuple[str, str, str, str]:
    if isinstance(row, Missing):
        return row.function, "all" if row.argument < 0 else str(row.argument), "-", ""
    return row.function, str(row.argument), f"{row.worst:.3g}", ", ".join(f"{x!r}" for x in row.at)


def main(only: str, count: int, markdown: Path | None) -> int:
    """Print the table.

    Returns
    -------
    int
        Exit status: 1 if a function is less accurate than it should be, or cannot be compared for no listed reason.
    """
    print(f"{'function':32} arg {'ulp':>9}  note; worst point")
    lines, failures = [], 0
    for row in rows(only, count):
        good, note = judge(row)
        failures += not good
        name, argument, worst, at = _cells(row)
        print(
            f"{name:32} {argument:>3} {worst:>9}  {'' if good else 'FAILED: '}{note}{'; ' if note and at else ''}{at}"
        )
        lines.append(f"| `{name}` | {argument} | {worst} | {at} | {note} |")
    print(f"\n{len(lines)} derivatives, {failures} failures")
    if markdown:
        markdown.write_text(page(lines, count), encoding="utf-8")
    return 1 if failures else 0


def page(lines: list[str], count: int) -> str:
    """The page of the documentation."""
    head = HEADER.format(points=count, limit=LIMIT, numpy=np.__version__, scipy=version("scipy"))
    return (
        "\n".join([head, "| function | argument | ulp | worst point | note |", "|---|---|---|---|---|", *lines]) + "\n"
    )
