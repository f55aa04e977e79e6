"""The compiled elementary functions: against mpmath on the whole range, against NumPy at special points, as vectors."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from benchmarks.references.ulp import points_of, unit
from benchmarks.references.values_elementary import ELEMENTARY
from mpmath import mpf

from compiler import harness
from covector.compiler.math import FUNCTIONS, module

_BOTH = ("f64", "f32")
_FIRST = ("exp", "log", "tanh", "sin", "cos")
# Exact functions: NumPy's result bit for bit.
_EXACT = ("fmod", "remainder", "floor_divide")
_NAMES = sorted(ELEMENTARY)
_UNITS = {"f64": np.uint64, "f32": np.uint32}


def _any_bits(rng: np.random.Generator, ctype: str, count: int) -> np.ndarray:
    """Finite floats of every exponent, both signs, subnormal ones included."""
    bits = rng.integers(0, np.iinfo(_UNITS[ctype]).max, 2 * count, dtype=_UNITS[ctype])
    values = bits.view(harness.DTYPES[ctype])
    return values[np.isfinite(values)][:count]


def _subnormal(rng: np.random.Generator, ctype: str, count: int) -> np.ndarray:
    info = np.finfo(harness.DTYPES[ctype])
    return (rng.integers(1, 2**info.nmant, count) * float(info.smallest_subnormal)).astype(info.dtype)


def _underflowing(name: str, rng: np.random.Generator, ctype: str, count: int) -> list[np.ndarray]:
    """Arguments whose results are at both ends of the range."""
    double = ctype == "f64"
    ends = {"exp": (-746, 710), "exp2": (-1076, 1025)} if double else {"exp": (-104, 89), "exp2": (-150, 129)}
    ends |= {"sinh": (-711, 711), "cosh": (-711, 711)} if double else {"sinh": (-90, 90), "cosh": (-90, 90)}
    if name == "power":
        base = rng.uniform(0.05, 20, count)
        low, high = (-1076, 1025) if double else (-150, 129)
        return [base, rng.uniform(low, high, count) / np.log2(base)]
    if name not in ends:
        return []
    return [rng.uniform(*ends[name], count)]


def _arguments(name: str, ctype: str) -> list[np.ndarray]:
    rng = np.random.default_rng(sum(name.encode()))
    dtype, arity = harness.DTYPES[ctype], FUNCTIONS[name].arity
    count = 400 if name in _FIRST else 150
    parts = [points_of(ELEMENTARY[name], dtype, count)]
    parts.append([_any_bits(rng, ctype, 2 * count) for _ in range(arity)])
    parts.append([_subnormal(rng, ctype, 40) for _ in range(arity)])
    parts += [[a.astype(dtype) for a in more] for more in (_underflowing(name, rng, ctype, count),) if more]
    joined = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    with np.errstate(all="ignore"):
        defined = ~np.isnan(getattr(np, name)(*joined))
    return [a[defined] for a in joined]


def _error(value: float, exact: Any, dtype: np.dtype[Any]) -> float:
    """Units in the last place; infinity is right from half a unit above the largest number."""
    info = np.finfo(dtype)
    limit = mpf(float(info.max)) * (1 + mpf(2) ** -(info.nmant + 2))
    if abs(exact) >= limit:
        return 0.0 if np.isinf(value) and (value > 0) == (exact > 0) else np.inf
    if not np.isfinite(value):
        return np.inf
    return float(abs(mpf(value) - exact) / unit(exact, dtype))


@pytest.mark.parametrize("ctype", _BOTH)
@pytest.mark.parametrize("name", _NAMES)
def test_accuracy_on_the_whole_range(name: str, ctype: str) -> None:
    arguments = _arguments(name, ctype)
    values = harness.compiled(name, ctype)(*arguments)
    assert values.size > 200
    with mpmath.workdps(50):
        for point, value in zip(zip(*arguments, strict=True), values.tolist(), strict=True):
            numbers = [mpf(float(p)) for p in point]
            if name == "power" and numbers[0] < 0:  # defined for integer exponents only, where mpmath rounds too
                numbers[0] = -numbers[0]
                value = abs(value)
            error = _error(value, ELEMENTARY[name].value(*numbers), values.dtype)
            assert error <= FUNCTIONS[name].accuracy[ctype], f"{error:.2f} ulp at {point}"


@pytest.mark.parametrize("name", _FIRST)
def test_the_common_functions_are_within_one_unit(name: str) -> None:
    assert max(FUNCTIONS[name].accuracy.values()) <= 1.0


def test_the_other_functions_are_within_two_units() -> None:
    assert max(max(FUNCTIONS[name].accuracy.values()) for name in _NAMES) <= 2.0


def _special_numbers(ctype: str) -> np.ndarray:
    info = np.finfo(harness.DTYPES[ctype])
    eps, tiny, largest, least = (float(v) for v in (info.eps, info.tiny, info.max, info.smallest_subnormal))
    positive = [
        *(0, 0.1, 0.5, 1, 1.5, 2, 3, 10, 20, 40, 88, 89, 100, 104, 709, 710, 711, 745, 746, 1000),
        *(1e-5, 1e5, 1e9, 1e15, 1e22, 1e25, 1e30, 2.0**23, 2.0**24 + 2, 2.0**52, 2.0**53, 2.0**53 + 2),
        *(eps, 1 + eps, 1 - eps / 2, tiny, tiny / 4, 3 * tiny, least, largest, largest / 2, np.inf, np.nan),
        *(np.pi / 2, np.pi, np.sqrt(2)),
    ]
    with np.errstate(over="ignore"):
        numbers = np.array(positive).astype(info.dtype)
    return np.concatenate([numbers, -numbers])


@pytest.mark.parametrize("ctype", _BOTH)
@pytest.mark.parametrize("name", [*_NAMES, *_EXACT])
def test_special_points(name: str, ctype: str) -> None:
    """NaN, infinities, zeros and their signs as NumPy has them, and everything else next to NumPy's value."""
    numbers = _special_numbers(ctype)
    arguments = [a.ravel() for a in np.meshgrid(*[numbers] * FUNCTIONS[name].arity)]
    got = harness.compiled(name, ctype)(*arguments)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(*arguments)
        for kind in (np.isnan, np.isposinf, np.isneginf, lambda v: v == 0):
            wrong = np.flatnonzero(kind(got) != kind(expected))
            assert not wrong.size, [(tuple(a[i] for a in arguments), got[i], expected[i]) for i in wrong[:5]]
        signed = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(got)[signed], np.signbit(expected)[signed])
        finite = np.isfinite(expected)
        distance = np.abs(got[finite] - expected[finite]) / np.spacing(np.abs(expected[finite]))
    # NumPy's own functions may be off by up to four units
    assert distance.max() <= FUNCTIONS[name].accuracy[ctype] + 4


@pytest.mark.parametrize("ctype", _BOTH)
@pytest.mark.parametrize("name", _EXACT)
def test_remainders_are_those_of_numpy(name: str, ctype: str) -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(size=3000) * 100, _any_bits(rng, ctype, 2000)]).astype(harness.DTYPES[ctype])
    y = np.concatenate([rng.normal(size=3000) * 3, _any_bits(rng, ctype, 2000)]).astype(x.dtype)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x, y)
    np.testing.assert_array_equal(harness.compiled(name, ctype)(x, y), expected)


def test_exact_results_are_exact() -> None:
    k = np.arange(-1074.0, 1024.0)
    np.testing.assert_array_equal(harness.compiled("exp2", "f64")(k), np.ldexp(1.0, k.astype(int)))
    np.testing.assert_array_equal(harness.compiled("log2", "f64")(np.ldexp(1.0, k.astype(int))), k)
    n = np.arange(-200.0, 201.0)
    np.testing.assert_array_equal(harness.compiled("cbrt", "f64")(n**3), n)
    np.testing.assert_array_equal(harness.compiled("power", "f64")(n, np.array(5.0)), n**5)
    np.testing.assert_array_equal(harness.compiled("power", "f64")(np.array(2.0), k), np.ldexp(1.0, k.astype(int)))
    decades = np.arange(0.0, 23.0)
    np.testing.assert_array_equal(harness.compiled("log10", "f64")(10**decades), decades)


@pytest.mark.parametrize("ctype", _BOTH)
@pytest.mark.parametrize("name", [*_NAMES, *_EXACT])
def test_loops_become_vector_code(name: str, ctype: str) -> None:
    """For AVX2 the loop itself holds full vectors, and calls nothing but the test for rare arguments."""
    loop = harness.build(name, ctype, harness.machine("haswell", ""))
    body = loop.optimised[loop.optimised.index("define void @loop") :]
    body = body[: body.index("\n}")]
    vector = {"f64": "<4 x double>", "f32": "<8 x float>"}[ctype]
    assert f"store {vector}" in body
    called = {line.partition(" @")[2].split("(")[0].strip('"') for line in body.splitlines() if " call " in line}
    assert all(f.startswith(("llvm.", "cv.")) and not f.startswith("llvm.frem") for f in called), called
    settled = {f for f in called if f.startswith("cv.")}
    rare = name in ("sin", "cos", "tan", *_EXACT)
    assert any(f.endswith({"f64": ".v4", "f32": ".v8"}[ctype]) for f in settled) == rare


def test_a_module_defines_each_symbol_once() -> None:
    declared: set[str] = {"llvm.fabs.f64"}
    text = module([("sin", "f64"), ("cos", "f64"), ("sin", "f64"), ("power", "f32")], declared)
    again = module([("sin", "f64"), ("tan", "f64")], declared)
    assert text.count('define internal double @"cv.sin.f64"') == 1
    assert 'define internal double @"cv.sin.f64"' not in again
    assert 'define internal double @"cv.tan.f64"' in again
    heads = [line for line in (text + again).splitlines() if line.startswith("declare")]
    assert len(heads) == len(set(heads))
    assert not any("@llvm.fabs.f64(" in line for line in heads)


def test_unknown_functions_and_types_are_named() -> None:
    with pytest.raises(KeyError, match="no scalar function 'sine'"):
        module([("sine", "f64")])
    with pytest.raises(ValueError, match="f64 and f32, not for 'f16'"):
        module([("sin", "f16")])
