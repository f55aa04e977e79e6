"""Kinds and dtypes of numbers in compiled functions: Python's, NumPy's, and arrays of no dimensions."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from compiler.as_python import agrees, assert_alike

A = np.arange(1.0, 5.0)
F = np.arange(1, 5, dtype=np.float32)

INTEGERS: dict[str, Callable[[Any], Any]] = {
    "shifts": lambda s: (s << 1, s >> 1, 1 << s),
    "bits": lambda s: (s & 3, s | 1, s ^ 1, ~s, 3 & s),
    "bits with a bool": lambda s: (s & True, s | True, True ^ s),
    "sum": lambda s: (s + s, s + True, 2 - s, s * 3, s / 2, -s, +s, abs(s)),
    "divisions": lambda s: (s // 2, s % 3, divmod(s, 2), divmod(7, s + 1)),
    "powers": lambda s: (s**2, 2**s, s**0.5, pow(s, 3, 5), s**-1 if s else 1),
    "comparisons": lambda s: (s < 3, s == 1, s != 1, s >= 0.5, 2 > s),
    "parts": lambda s: (s.real, s.imag, s.conjugate(), s.numerator, s.bit_length()),
    "rounding": lambda s: (round(s), round(s, 1)),
}
FLOATS: dict[str, Callable[[Any], Any]] = {
    "parts": lambda s: (s.real, s.imag, s.conjugate()),
    "divisions": lambda s: (divmod(s, 2), divmod(7, s), s // 2, s % 2),
    "rounding": lambda s: (round(s), round(s, 1), s.is_integer(), s.as_integer_ratio()),
    "comparisons": lambda s: (s < 3, s == 2.5),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_and_bools_stay_pythons(name: str) -> None:
    agrees(INTEGERS[name], 7, 1, True, False)


@pytest.mark.parametrize("name", FLOATS)
def test_floats_stay_pythons(name: str) -> None:
    agrees(FLOATS[name], 2.5, 2.675)


def test_complex_numbers_stay_pythons() -> None:
    agrees(lambda s: (s.real, s.imag, s.conjugate(), abs(s), s == 1j, s * 2, s**2), 1 + 2j)


def test_what_python_computes_of_numbers_gives_way_to_arrays() -> None:
    agrees(lambda x, s: (x * (s << 1), x * (s & 3), x * ~s, x * divmod(s, 2)[0], x * s.imag), (F, 7))
    agrees(lambda x, s: (x * round(s, 1), x * s.real, x * s.conjugate(), x * (s > 1)), (F, 2.25))


def test_items_are_python_numbers() -> None:
    agrees(lambda x, y: (y * x[0].item(), y * x.item(1), x.item(2)), (A, F), (F, A))
    agrees(lambda x: (x.sum().item(), (x > 1).item(0)), F)


def test_integers_that_exceed_64_bits_are_exact() -> None:
    for f, n in (
        (lambda n: n * 2, 2**62),
        (lambda n: n + 1, 2**63 - 1),
        (lambda n: n - 5, -(2**63)),
        (lambda n: 5 - n, -(2**63)),
        (lambda n: n**40, 7),
        (lambda n: n << 10, 2**60),
        (lambda n: (-n, abs(n)), -(2**63)),
    ):
        agrees(f, 3, n, 4)


def test_a_program_for_small_integers_is_not_used_for_large_ones() -> None:
    double = cv.jit(lambda n: 2 * n)
    assert [double(n) for n in (1, 2, 2**62, 3, 2**62 + 1)] == [2, 4, 2**63, 6, 2**63 + 2]


def test_integers_divided_by_zero_raise_as_in_python() -> None:
    for f in (lambda n, m: n // m, lambda n, m: n % m, lambda n, m: divmod(n, m)):
        agrees(f, (7, 2), (7, 0), (7, 3))

    def guarded(n: Any, m: Any) -> Any:
        try:
            return n // m
        except ZeroDivisionError:
            return -1

    agrees(guarded, (7, 2), (7, 0))


def test_integers_that_do_not_fit_a_dtype_raise_numpys_error() -> None:
    agrees(lambda s: s + 300, np.int8(1), np.ones(2, np.int8), np.ones(2, np.int16))
    agrees(lambda s: s + (-1), np.ones(2, np.uint8), np.ones(2, np.int8))
    agrees(lambda s: (s < 300, s == -1), np.ones(2, np.int8), np.ones(2, np.uint8))


class Choice(enum.IntEnum):
    TWO = 2


class Size(int):
    pass


def test_members_of_enums_and_other_integers() -> None:
    agrees(lambda x, s: (x * s, s + x, np.add(x, s)), (A, Choice.TWO), (F, Choice.TWO), (F, Size(3)), (F, 3))


def test_assignment_in_place_changes_arrays_without_axes_and_replaces_numbers() -> None:
    def f(x: Any) -> Any:
        y = x
        x += 1
        return x, y

    for value in (np.array(1.0), np.float64(1), 1.0, 3, True, A):
        agrees(f, value)


QUESTIONS: dict[str, Callable[[Any], bool]] = {
    "an array": lambda x: isinstance(x, np.ndarray),
    "a Python number": lambda x: isinstance(x, (int, float)),
    "a float": lambda x: isinstance(x, float),
    "an integer": lambda x: isinstance(x, int),
    "a bool": lambda x: isinstance(x, bool),
    "a floating": lambda x: isinstance(x, np.floating),
    "a generic": lambda x: isinstance(x, np.generic | complex),
    "a sequence": lambda x: isinstance(x, (list, tuple)),
    "type of array": lambda x: type(x) is np.ndarray,
    "type of float": lambda x: type(x) is float,
    "type of integer": lambda x: type(x) == int,  # noqa: E721
    "result": lambda x: isinstance(x + 1, np.ndarray),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_types_are_those_of_what_is_traced(name: str) -> None:
    question = QUESTIONS[name]
    for value in (A, np.array(1.0), np.float64(2), np.int32(2), 2.0, 3, True, 1j):
        assert_alike(cv.jit(lambda x: 1 if question(x) else 2)(value), 1 if question(value) else 2)


def test_numbers_are_scalars() -> None:
    for value in (A, np.float64(2), np.int32(2), 2.0, 3, True):
        agrees(lambda x: 1 if np.isscalar(x) else 2, value)


class Shape:
    def area(self, x: Any) -> Any:
        return x * 2 if isinstance(x, np.ndarray) and isinstance(self, Shape) else -1


def test_methods_and_inner_functions_ask_for_types() -> None:
    shape = Shape()
    agrees(lambda x: shape.area(x), A, 2.0)
    agrees(lambda x: [type(y) is np.ndarray for y in (x, x * 2)], A)

    def outer(x: Any) -> Any:
        def inner(y: Any) -> Any:
            return y + 1 if isinstance(y, np.ndarray) else y

        return inner(x)

    agrees(outer, A, 1.0)


def test_type_remains_what_it_is() -> None:
    def f(x: Any) -> Any:
        made = type("Made", (), {"k": 3})
        ok = isinstance(made, type) and issubclass(type(made()), made) and type.__name__ == "type"
        return x * made.k if ok else x

    agrees(f, A)


def test_orders_of_memory_are_numpys() -> None:
    fortran = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    for f in (lambda x: x.ravel("K"), lambda x: (x * 1).ravel("A"), lambda x: x.reshape(3, 2, order="A")):
        with pytest.warns(RuntimeWarning, match="lies in memory"):
            assert_alike(cv.jit(f)(fortran), f(fortran))
    assert_alike(cv.jit(lambda x: x.ravel("F"))(fortran), fortran.ravel("F"))


def test_arrays_made_of_numbers_are_arrays() -> None:
    for f in (np.copy, np.squeeze, np.transpose, lambda s: np.broadcast_to(s, ())):
        agrees(lambda x, s: (x * f(s), f(s)), (F, 2.5))  # noqa: B023
        agrees(lambda s: f(s), np.float64(2.5))  # noqa: B023
        agrees(lambda s: f(s), np.array(2.5))  # noqa: B023
    agrees(lambda x, s: (x * np.asarray(s), np.asarray(s)), (F, 2.5))
    agrees(lambda x, s: (x * np.array(s), np.array(s)), (F, 2.5))
    agrees(lambda s: np.asarray(s), np.float64(2.5))
    agrees(lambda s: np.asarray(s), np.array(2.5))
