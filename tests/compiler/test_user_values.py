"""Numbers and arrays of every kind: the types, dtypes and values that NumPy would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import covector as cv
from compiler.as_python import agrees, assert_alike

A = np.array([3.0, -1.0, 2.0, 0.0])
F = A.astype(np.float32)
M = np.arange(12.0).reshape(3, 4)


# --- numbers ----------------------------------------------------------------------------------------------------------

WEAK = {
    "plus": lambda s: s + 1,
    "times": lambda s: s * 2,
    "minus": lambda s: -s,
    "power": lambda s: s**2,
    "absolute": lambda s: abs(s),
    "maximum": lambda s: max(s, 1),
    "floor division": lambda s: s // 2,
    "remainder": lambda s: s % 2,
    "divmod": lambda s: divmod(s, 2)[0],
    "real": lambda s: s.real,
    "imaginary": lambda s: s.imag,
    "conjugate": lambda s: s.conjugate(),
    "rounded": lambda s: round(s, 1),
}
WHOLE = {
    "shift": lambda s: s << 1,
    "and": lambda s: s & 3,
    "or": lambda s: s | 8,
    "xor": lambda s: s ^ 1,
    "right shift": lambda s: s >> 1,
    "invert": lambda s: ~s,
}


@pytest.mark.parametrize("name", WEAK)
@pytest.mark.parametrize("number", [7, 2.25], ids=repr)
def test_what_is_computed_from_python_numbers_is_one(name: str, number: Any) -> None:
    agrees(WEAK[name], number)


@pytest.mark.parametrize("name", WEAK)
@pytest.mark.parametrize("number", [7, 2.25], ids=repr)
def test_python_numbers_give_way_to_float32(name: str, number: Any) -> None:
    agrees(lambda x, s: x * WEAK[name](s), (F, number))


@pytest.mark.parametrize("name", WHOLE)
def test_operations_on_bits(name: str) -> None:
    agrees(WHOLE[name], 7)
    agrees(lambda x, s: x * WHOLE[name](s), (F, 7))


def test_numpy_numbers_do_not_give_way() -> None:
    agrees(lambda x, s: x * s, (F, np.float64(2.0)), (F, np.float32(2.0)), (F, np.int64(2)), (F, np.int8(2)))


def test_an_item_of_an_array_is_a_python_number() -> None:
    agrees(lambda x, y: y * x[0].item(), (A, F))
    agrees(lambda x: (x.item(1), x[0].item()), A, np.arange(4))
    agrees(lambda x, y: y * x.tolist()[0], (A, F))


def test_python_booleans_are_integers_in_arithmetic() -> None:
    for f in (lambda b: b + b, lambda b: b * 2, lambda b: +b, lambda b: -b, lambda b: b & True, lambda b: not b):
        agrees(f, True, False)
    agrees(lambda b: b and 3, True, False)


def test_complex_numbers() -> None:
    agrees(lambda z: (z.real, z.imag, abs(z), z * 1j, z.conjugate(), np.angle(z)), 1 + 2j, np.array([1j, 2]))
    agrees(lambda z: z * 2, np.complex64(1j))


def test_integers_of_every_width_wrap_as_in_numpy() -> None:
    for dtype in "bBhHiIlLqQ":
        agrees(lambda x: (x + 1, x * x, x - 1, x // 3, x % 7), np.array([0, 1, 5, 120], dtype))


def test_a_number_that_does_not_fit_is_numpys_error() -> None:
    agrees(lambda x: x + 300, np.array([1], np.int8), np.int8(1))


def test_powers_with_negative_integers() -> None:
    agrees(lambda n: n**-1, np.arange(1, 4))
    agrees(lambda s, k: s**k, (2.0, -1), (2, 3))


# --- kinds of results -------------------------------------------------------------------------------------------------

KINDS = {
    "identity": lambda x: x,
    "sum": lambda x: np.sum(x),
    "plus": lambda x: x + 1,
    "item": lambda x: x[()],
    "ellipsis": lambda x: x[...],
    "copy": lambda x: np.copy(x),
    "reshape": lambda x: np.reshape(x, ()),
    "with axes": lambda x: np.sum(x, keepdims=True),
    "comparison": lambda x: x > 0,
}


@pytest.mark.parametrize("name", KINDS)
def test_results_without_axes_are_of_numpys_kind(name: str) -> None:
    agrees(KINDS[name], np.array(2.5), np.float64(2.5), np.float32(2.5))


def test_python_numbers_come_back_as_such() -> None:
    agrees(lambda s: s, 1, 1.5, True, 1j, np.float64(2), np.array(3.0))


def test_augmented_assignment_keeps_the_kind() -> None:
    def f(x: Any) -> Any:
        x += 1
        return x

    agrees(f, np.array(1.0), np.float64(1), 1.0, 3, A)


def test_constants_nothing_and_empty_results() -> None:
    agrees(lambda x: (3.5, np.ones(2), None, True, 1j, x.shape, len(x)), A)
    for f in (lambda x: None, lambda x: (), lambda x: {}, lambda x: []):
        agrees(f, A)
    agrees(lambda: np.ones(3), ())


def test_the_same_array_twice_gives_two_arrays() -> None:
    x = A.copy()
    one, two, view = cv.jit(lambda x: (x, x, x[::2]))(x)
    for result in (one, two, view):
        result[:] = 9.0
        assert_array_equal(x, A)
    one[:] = 1.0
    assert two[0] == 9.0 and view[0] == 9.0


# --- arrays -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", "?bBhHiIlLefdgFDG")
def test_every_dtype_of_numbers(dtype: str) -> None:
    x = np.array([1, 0, 3, 2], dtype)
    for f in (lambda x: x, lambda x: x + x, np.sum, np.sort, np.sin, lambda x: x == x[0]):
        agrees(f, x)
    agrees(lambda y: (y * 2, x[1:]), A)


@pytest.mark.parametrize("dtype", ["O", "U5", "S3", "M8[s]", "m8[s]", [("a", "f8"), ("b", "i4")]], ids=str)
def test_other_dtypes_are_refused_with_their_name(dtype: Any) -> None:
    x = np.zeros(3, dtype)
    with pytest.raises(TypeError, match=r"argument \[0\] of .*<lambda> has dtype .*; expected real or complex numbers"):
        cv.jit(lambda x: x)(x)


def test_the_shape_and_contents_of_other_arrays_may_be_used() -> None:
    names = np.array(["a", "bc"])
    f = cv.jit(lambda x: x * len(names[0]) + (names == "bc").sum())
    assert_array_equal(f(A), A + 1)
    names[0] = "xy"
    assert_array_equal(f(A), A * 2 + 1)


def misaligned() -> np.ndarray:
    x = np.zeros(97, np.uint8)[1:].view(np.float64).reshape(3, 4)
    x[:] = M
    return x


def read_only() -> np.ndarray:
    x = M.copy()
    x.flags.writeable = False
    return x


class Sub(np.ndarray):
    pass


LAYOUTS = {
    "Fortran": np.asfortranarray(M),
    "reversed": M[::-1, ::-1],
    "strided": np.arange(48.0).reshape(6, 8)[::2, ::2],
    "transposed": np.arange(12.0).reshape(4, 3).T,
    "byteswapped": M.astype(M.dtype.newbyteorder()),
    "misaligned": misaligned(),
    "read-only": read_only(),
    "broadcast": np.broadcast_to(np.arange(4.0), (3, 4)),
    "field": np.zeros((3, 4), [("a", "i1"), ("b", "f8")])["b"],
    "empty": np.zeros((3, 0)),
    "no rows": np.zeros((0, 4)),
    "subclass": M.view(Sub),
}


def scaled_in_place(x: Any) -> Any:
    x *= 2
    x[:1] = x[1:2]
    return x


FUNCTIONS = {
    "arithmetic": lambda x: x * 2 + 1,
    "sums": lambda x: x.sum(0),
    "product": lambda x: x @ x.T,
    "slices": lambda x: x[1:, ::2],
    "ravel": lambda x: x.ravel(),
    "in place": scaled_in_place,
    "question": lambda x: 1 if np.any(x > 3) else 0,
    "sort": lambda x: np.sort(x, axis=0),
    "cumsum": lambda x: x.cumsum(),
    "svd": lambda x: np.linalg.svd(x, compute_uv=False),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_in_any_layout(layout: str, function: str) -> None:
    f, x = FUNCTIONS[function], LAYOUTS[layout]
    before = np.array(x)
    g = cv.jit(f)
    want = f(np.array(before, np.float64, subok=False))
    for _ in range(2):
        assert_alike(g(x), want)
    assert_array_equal(x, before)


def test_memory_maps_are_read_and_never_written(tmp_path: Path) -> None:
    x = np.memmap(tmp_path / "data", float, "w+", shape=(3, 4))
    x[:] = M
    assert_alike(cv.jit(scaled_in_place)(x), scaled_in_place(M.copy()))
    assert_array_equal(x, M)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("kind", [np.matrix, np.ma.array])
def test_arrays_with_other_rules_are_refused(kind: Any) -> None:
    x = kind(M)
    with pytest.raises(TypeError, match=r"whose semantics differ from an array's; use np.asarray\(x\)"):
        cv.jit(lambda x: x * x)(x)


@pytest.mark.parametrize("order", ["C", "F", "K", "A"])
@pytest.mark.filterwarnings("ignore:.* asks how an array traced by jit lies in memory:RuntimeWarning")
def test_ravel_in_the_order_of_memory(order: Any) -> None:
    agrees(lambda x: x.ravel(order), M, np.asfortranarray(M))
    agrees(lambda x: (x * 1).ravel(order), M, np.asfortranarray(M))
