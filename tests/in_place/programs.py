"""Programs as source text: run with NumPy, run traced, compared, and made small when they differ."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

import numpy as np

import covector as cv
import covector.numpy

__all__ = ["Program", "check", "minimised", "same_bits"]

_STEP = 1e-30
_WIDE = np.finfo(np.longdouble).eps < 1e-18


class _Reference:
    """NumPy for a run in the type of the reference, complex or extended.

    What would look at the size of a complex number looks at its real part, and buffers that are float64 whatever the
    inputs are become wide enough. Comparisons, sorting and extrema need nothing: NumPy orders complex numbers by their
    real parts first.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def abs(self, x: Any) -> Any:
        return np.where(np.real(x) < 0, -x, x)[()] if self.dtype is complex else np.abs(x)

    def zeros(self, shape: Any, like: Any) -> Any:
        return np.zeros(shape, self.dtype)


@dataclass(frozen=True)
class Program:
    """Statements over named inputs.

    Attributes
    ----------
    blocks
        Statements; one that spans lines is one string with its own indentation.
    inputs
        Name to array, in any memory layout.
    concrete
        Whether Python looks at values, so that ``vmap`` has no answer.
    holomorphic_safe
        Whether complex step gives the derivative; otherwise it is differences in extended precision.
    """

    blocks: tuple[str, ...]
    inputs: dict[str, np.ndarray[Any, Any]]
    concrete: bool
    holomorphic_safe: bool
    seed: int

    @property
    def source(self) -> str:
        lines = [f"def program({', '.join(['np', *self.inputs])}):"]
        lines += [f"    {line}" for block in self.blocks for line in block.splitlines()]
        lines.append("    return {k: v for k, v in locals().items() if k not in ('np', 'i', 'r')}")
        return "\n".join(lines) + "\n"

    @property
    def script(self) -> str:
        """Everything that runs the program under plain NumPy, as text."""
        lines = ["import numpy as np", "import covector as cv", ""]
        for name, x in self.inputs.items():
            order = "F" if x.flags.f_contiguous and not x.flags.c_contiguous else "C"
            lines.append(f"{name} = np.array({x.tolist()!r}, order={order!r})")
            if not (x.flags.c_contiguous or x.flags.f_contiguous):
                lines[-1] += f"  # with strides {x.strides}"
        lines += ["", "", self.source, ""]
        lines.append(f"want = program(np, {', '.join(f'np.copy({n})' for n in self.inputs)})")
        lines.append(f"got, vjp_fn = cv.vjp(lambda *xs: program(np, *xs), {', '.join(self.inputs)})")
        return "\n".join(lines)

    def function(self) -> Callable[..., dict[str, Any]]:
        """``f(np, *inputs)`` that returns all live names."""
        namespace: dict[str, Any] = {}
        exec(_compiled(self.source), namespace)
        return namespace["program"]

    def fresh_inputs(self) -> tuple[np.ndarray[Any, Any], ...]:
        return tuple(_copy(x) for x in self.inputs.values())


def _compiled(source: str) -> CodeType:
    return compile(source, "<program>", "exec")


def _copy(x: np.ndarray[Any, Any], dtype: Any = None) -> np.ndarray[Any, Any]:
    """Copy the array with its memory layout, also where that has gaps or runs backwards.

    A plain copy may choose an order of axes of its own for such a layout, and what `ravel` copies depends on it.
    """
    dtype = x.dtype if dtype is None else np.dtype(dtype)
    out = np.empty_like(x, dtype=dtype)
    if not (x.flags.c_contiguous or x.flags.f_contiguous):
        out = np.empty(tuple(2 * n for n in x.shape), dtype)[tuple(slice(None, None, 2) for _ in x.shape)]
    out[...] = x
    return out


rounded: list[str] = []
"""The real values that `same_bits` found off by no more than rounding."""


def same_bits(got: Any, want: Any, what: str) -> None:
    """Assert equal values to the bit (also the signs of zeros), shapes, dtypes, and arrays where NumPy has arrays.

    Values off by a few units in the last place are let through and noted in `rounded`. NumPy itself rounds a product of
    complex numbers one way for numbers and another way for arrays, so of these no note is taken; and BLAS and loops
    over arrays with gaps or negative strides round as the strides are, which a copy does not always keep.
    """
    assert isinstance(got, np.ndarray) == isinstance(want, np.ndarray), f"{what}: {type(got)}, NumPy: {type(want)}"
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, NumPy gives {want.shape}"
    assert got.dtype == want.dtype, f"{what}: dtype {got.dtype}, NumPy gives {want.dtype}"
    difference = got ^ want if got.dtype.kind == "b" else got - want
    if got.dtype.kind in "fc" and got.tobytes() != want.tobytes():
        scale = np.max(np.abs(want), initial=0.0, where=np.isfinite(want))
        close = np.abs(difference) <= 8 * np.finfo(got.dtype).eps * scale
        if np.all(close | (got == want) | (np.isnan(got) & np.isnan(want))):
            if got.dtype.kind == "f":
                rounded.append(what)
            return
    assert got.tobytes() == want.tobytes(), f"{what}:\n{got!r}\nNumPy gives\n{want!r}\ndifference\n{difference!r}"


def _near(got: Any, want: Any, tolerance: float, what: str) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    scale = _scale(want)
    worst = float(np.max(np.abs(got - want), initial=0.0))
    assert worst <= tolerance * scale, f"{what}: off by {worst:.2e} of {scale:.2e}\n{got!r}\nexpected\n{want!r}"


def _inexact(x: Any) -> bool:
    return np.asarray(x).dtype.kind in "fc"


def _directions(arrays: Sequence[Any], seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)

    def direction(x: Any) -> Any:
        t = rng.uniform(-1.0, 1.0, np.shape(x))
        t = t + 1j * rng.uniform(-1.0, 1.0, np.shape(x)) if np.iscomplexobj(x) else t
        return t if isinstance(x, np.ndarray) else np.asarray(x).dtype.type(t)

    return tuple(direction(x) for x in arrays)


# --- derivatives that do not come from covector -----------------------------------------------------------------------


def _complex_step(program: Program, ts: Sequence[Any]) -> dict[str, Any]:
    """Im f(x + iht)/h: no subtraction, exact to rounding for a tiny h."""
    xs = []
    for x, t in zip(program.inputs.values(), ts, strict=True):
        z = _copy(x, complex)
        z.imag[...] = _STEP * t
        xs.append(z)
    outs = program.function()(_Reference(complex), *xs)
    return {name: np.imag(z) / _STEP for name, z in outs.items()}


def _differences(program: Program, ts: Sequence[Any], step: Any) -> dict[str, Any]:
    """Central differences of order six in extended precision: the errors of step and rounding are both near 1e-15."""
    f, total = program.function(), {}
    for k, weight in ((1, 45), (2, -9), (3, 1)):
        for sign in (1, -1):
            xs = []
            for x, t in zip(program.inputs.values(), ts, strict=True):
                z = _copy(x, np.result_type(x, np.longdouble))
                z += sign * k * step * t
                xs.append(z)
            for name, value in f(_Reference(np.longdouble), *xs).items():
                if _inexact(value):
                    total[name] = total.get(name, 0) + sign * weight * value / (60 * step)
    return total


def _reference(program: Program, ts: Sequence[Any]) -> tuple[dict[str, Any], float]:
    """The derivative along `ts`, and how far it can be relied upon."""
    if program.holomorphic_safe:
        return _complex_step(program, ts), 1e-10
    first, second = (_differences(program, ts, np.longdouble(step)) for step in (1e-3, 5e-4))
    doubts = [float(np.max(np.abs(x - second[n]), initial=0.0)) / _scale(second[n]) for n, x in first.items()]
    # Halving the step divides the error by 64; where that is not small, the program bends on the scale of the step.
    doubt = max(doubts, default=0.0)
    assert doubt < 1e-4, f"the differences do not settle: {doubt}"
    return second, max(1e-10 if _WIDE else 1e-6, doubt)


def _scale(x: Any) -> float:
    return max(1.0, float(np.max(np.abs(x), initial=0.0)))


# --- the comparison ---------------------------------------------------------------------------------------------------


def check(program: Program, *, second_order: bool = True, batched: bool = True) -> None:
    """Assert that the program means under the transforms what it means in NumPy."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _check_values_and_derivatives(program, second_order)
        if batched and not program.concrete:
            _check_batched(program)


def _check_values_and_derivatives(program: Program, second_order: bool) -> None:
    f = program.function()
    traced = lambda *xs: f(np, *xs)
    want = f(np, *program.fresh_inputs())
    xs = program.fresh_inputs()
    ts = _directions(xs, program.seed)

    out, tangents = cv.jvp(traced, xs, ts)
    _check_values(program, out, want, xs, "jvp")
    reference, tolerance = _reference(program, ts)
    for name, value in want.items():
        if _inexact(value):
            _near(tangents[name], reference[name], tolerance, f"tangent of {name}")

    out, pull = cv.vjp(traced, *xs)
    _check_values(program, out, want, xs, "vjp")
    names = [name for name, value in want.items() if _inexact(value)]
    cts = dict(zip(names, _directions([want[name] for name in names], program.seed + 1), strict=True))
    bars = pull({name: cts.get(name) for name in out})
    left = [np.sum(np.real(cts[name] * reference[name])) for name in names]
    right = [np.sum(np.real(bar * t)) for bar, t in zip(bars, ts, strict=True)]
    scale = max(1.0, *map(abs, left), *map(abs, right))
    assert abs(sum(left) - sum(right)) <= 10 * tolerance * scale, f"⟨ct, Jt⟩ {sum(left)}, ⟨Jᵀct, t⟩ {sum(right)}"
    again = pull({name: cts.get(name) for name in out})
    for first, second in zip(bars, again, strict=True):
        same_bits(second, first, "pulled back again")
    _check_drop_in(program, {name: cts.get(name) for name in out}, bars)
    if second_order:
        _check_second_order(program, traced, xs, cts)


def _check_values(program: Program, out: Any, want: Any, xs: Sequence[Any], mode: str) -> None:
    assert list(out) == list(want), f"{mode}: live names {list(out)}, NumPy has {list(want)}"
    for (name, before), after in zip(program.inputs.items(), xs, strict=True):
        same_bits(after, before, f"{mode}: the caller's array {name}")
    for name, value in want.items():
        same_bits(out[name], value, f"{mode}: {name}")


def _check_drop_in(program: Program, cts: dict[str, Any], bars: Sequence[Any]) -> None:
    """The same with ``import covector.numpy as np``, whose arrays all can take traced values."""
    f, xs = program.function(), program.fresh_inputs()
    out, pull = cv.vjp(lambda *xs: f(covector.numpy, *xs), *xs)
    _check_values(program, out, f(np, *program.fresh_inputs()), xs, "covector.numpy")
    for got, want in zip(pull(cts), bars, strict=True):
        _near(got, want, 1e-13, "covector.numpy: cotangent")


def _check_second_order(program: Program, traced: Any, xs: Any, cts: dict[str, Any]) -> None:
    """Σ sᵢ Hᵢⱼ tⱼ of one weighting of all outputs, in three ways that share no order of passes."""
    t, s = _directions(xs, program.seed + 2), _directions(xs, program.seed + 3)

    def weighted(*xs: Any) -> Any:
        outs = traced(*xs)
        return sum(np.sum(np.real(ct * outs[name])) for name, ct in cts.items())

    along = lambda *xs: cv.jvp(weighted, xs, t)[1]
    pulled = lambda *xs: cv.vjp(weighted, *xs)[1](1.0)
    forward_forward = cv.jvp(along, xs, s)[1]
    forward_reverse = _dot(cv.jvp(pulled, xs, s)[1], t)
    reverse_forward = _dot(cv.vjp(along, *xs)[1](1.0), s)
    _near(forward_reverse, forward_forward, 1e-9, "forward over reverse against forward over forward")
    _near(reverse_forward, forward_forward, 1e-9, "reverse over forward against forward over forward")


def _dot(bars: Any, ts: Any) -> Any:
    return sum(np.sum(np.real(bar * t)) for bar, t in zip(bars, ts, strict=True))


def _check_batched(program: Program) -> None:
    """Map over all inputs, then with one of them shared by all examples."""
    scales = np.random.default_rng(program.seed + 4).uniform(0.8, 1.0, 3)
    mapped = [np.stack([scale * x for scale in scales]) for x in program.inputs.values()]
    _check_lanes(program, mapped, [0] * len(mapped))
    if len(mapped) > 1:
        for shared, x in enumerate(program.inputs.values()):
            xs = [_copy(x) if k == shared else y for k, y in enumerate(mapped)]
            _check_lanes(program, xs, [None if k == shared else 0 for k in range(len(mapped))])


def _check_lanes(program: Program, xs: Sequence[Any], axes: Sequence[int | None]) -> None:
    f, before = program.function(), [_copy(x) for x in xs]
    try:
        loop = [f(np, *(_copy(x if a is None else x[k]) for x, a in zip(xs, axes, strict=True))) for k in range(3)]
    except (ValueError, IndexError, RuntimeWarning):
        return  # other numbers than those it was made with leave the domain of a function
    out = cv.vmap(lambda *xs: f(np, *xs), in_axes=tuple(axes))(*xs)
    what = f"vmap with in_axes={tuple(axes)}"
    for x, kept in zip(xs, before, strict=True):
        same_bits(x, kept, f"{what}: the caller's array")
    for name in loop[0]:
        want = np.stack([np.asarray(lane[name]) for lane in loop])
        assert np.asarray(out[name]).dtype == want.dtype, f"{what}: {name} is {out[name].dtype}, not {want.dtype}"
        if _inexact(want):
            _near(out[name], want, 1e-11, f"{what}: {name}")
        else:
            np.testing.assert_array_equal(out[name], want, f"{what}: {name}")


# --- smaller programs -------------------------------------------------------------------------------------------------


def minimised(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Leave out statements, as long as NumPy still runs the rest and `fails` still holds."""
    blocks, size = list(program.blocks), max(1, len(program.blocks) // 2)
    while size:
        start = 0
        while start < len(blocks):
            smaller = replace(program, blocks=tuple(blocks[:start] + blocks[start + size :]))
            if _runs(smaller) and fails(smaller):
                blocks = list(smaller.blocks)
            else:
                start += size
        size //= 2
    return replace(program, blocks=tuple(blocks))


def _runs(program: Program) -> bool:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error")
            program.function()(np, *program.fresh_inputs())
    except Exception:
        return False
    return True
