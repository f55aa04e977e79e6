"""Reading by every kind of NumPy index, and the functions that pick elements by position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import covector as cv
from covector.core import cotangents
from covector.core.cotangents import Scatter
from covector.core.errors import ConcretizationError, NotDifferentiableError, TracerConversionError
from covector.ops.indexing import scatter_p, unslice_p
from helpers import assert_same_as_numpy, check

windows = np.lib.stride_tricks.sliding_window_view

# --- x[index] against NumPy -------------------------------------------------------------------------------------------

SHAPES = [(4,), (1,), (0,), (3, 4), (2, 0), (2, 3, 4), (3, 1, 2), (2, 1, 3, 2)]
BOUNDS = st.one_of(st.none(), st.integers(-5, 5))
STEPS = st.one_of(st.none(), st.integers(-3, 3).filter(bool))
ARRAY_SHAPES = [(), (1,), (2,), (3,), (2, 1), (1, 3), (0,)]


@st.composite
def integer_arrays(draw: Any, n: int) -> Any:
    shape = draw(st.sampled_from(ARRAY_SHAPES))
    seed = draw(st.integers(0, 2**16))
    low, high = (-n, n) if n else (0, 1)
    array = np.random.default_rng(seed).integers(low, high, shape, dtype=draw(st.sampled_from([int, np.int8])))
    return array.tolist() if array.ndim and array.size and draw(st.booleans()) else array


@st.composite
def items_of(draw: Any, shape: tuple[int, ...]) -> list[Any]:
    """Index items for the leading axes of `shape`."""
    items: list[Any] = []
    axis = 0
    while axis < len(shape) and draw(st.integers(0, 5)):
        n = shape[axis]
        kind = draw(st.sampled_from(["int", "slice", "array", "mask", "newaxis", "numpy int", "bool", "wide mask"]))
        if kind == "newaxis":
            items.append(None)
            continue
        if kind == "bool":
            items.append(draw(st.booleans()))
            continue
        if kind == "wide mask" and axis + 1 < len(shape):
            items.append(np.random.default_rng(draw(st.integers(0, 99))).random(shape[axis : axis + 2]) < 0.5)
            axis += 2
            continue
        axis += 1
        if kind == "int":
            items.append(draw(st.integers(-n, max(n - 1, 0))))
        elif kind == "numpy int":
            items.append(np.int16(draw(st.integers(-n, max(n - 1, 0)))))
        elif kind == "slice":
            items.append(slice(draw(BOUNDS), draw(BOUNDS), draw(STEPS)))
        elif kind == "array":
            items.append(draw(integer_arrays(n)))
        else:
            mask = np.random.default_rng(draw(st.integers(0, 99))).random(n) < 0.5
            items.append(mask.tolist() if n and draw(st.booleans()) else mask)
    if draw(st.booleans()):
        # An ellipsis anywhere: what follows it then counts from the last axis, or does not fit, as in NumPy.
        items.insert(draw(st.integers(0, len(items))), Ellipsis)
    return items


@st.composite
def cases(draw: Any) -> tuple[tuple[int, ...], Any]:
    shape = draw(st.sampled_from(SHAPES))
    items = draw(items_of(shape))
    return shape, items[0] if len(items) == 1 and draw(st.booleans()) else tuple(items)


def numbered(shape: tuple[int, ...], start: float = 1.0) -> Any:
    return np.arange(start, start + np.prod(shape, dtype=int)).reshape(shape)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(cases())
def test_reading_and_its_transpose_agree_with_numpy(case: tuple[tuple[int, ...], Any]) -> None:
    shape, index = case
    x = numbered(shape)
    try:
        want = x[index]
    except IndexError:
        with pytest.raises(IndexError):
            cv.vjp(lambda x: x[index], x)
        return
    out, pullback = cv.vjp(lambda x: x[index], x)
    assert_same_as_numpy(out, want)
    ct = numbered(np.shape(want), 0.5)
    transposed = np.zeros(shape)
    np.add.at(transposed, index, ct)
    np.testing.assert_array_equal(pullback(out * 0 + ct)[0], transposed)
    out, tangent = cv.jvp(lambda x: x[index], (x,), (2 * x,))
    assert_same_as_numpy(tangent, 2 * want)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(cases())
def test_batched_reading_and_its_transpose_equal_a_loop(case: tuple[tuple[int, ...], Any]) -> None:
    shape, index = case
    x = numbered((2, *shape))
    try:
        want = np.stack([x[0][index], x[1][index]])
    except IndexError:
        with pytest.raises(IndexError):
            cv.vmap(lambda x: x[index])(x)
        return
    assert_same_as_numpy(cv.vmap(lambda x: x[index])(x), want)

    def pulled(x: Any) -> Any:
        out, pullback = cv.vjp(lambda x: x[index] * x[index], x)
        return pullback(out)[0]

    assert_same_as_numpy(cv.vmap(pulled)(x), np.stack([pulled(x[0]), pulled(x[1])]))


INDICES: dict[str, Callable[[Any], Any]] = {
    "int": lambda x: x[1],
    "chain": lambda x: x[1][2][0],
    "all ints": lambda x: x[1, 2, -1],
    "slices": lambda x: x[::-1, 1:, ::2],
    "newaxis": lambda x: x[:, None, 1, ..., np.newaxis],
    "list": lambda x: x[[0, 1, 1]],
    "array in the middle": lambda x: x[:, [2, 0, 2], 1:],
    "adjacent": lambda x: x[:, [0, 1], [3, 3]],
    "separated": lambda x: x[[0, 1], :, [3, 3]],
    "int beside array": lambda x: x[1, :, [0, 2]],
    "empty ellipsis": lambda x: x[None, 1, ..., [0, 2], 1:],
    "ellipsis between": lambda x: x[:, 1, ..., [0, 2]],
    "outer": lambda x: x[np.ix_([0, 1], [2, 0], [1, 3])],
    "mask": lambda x: x[x > 0.9],
    "mask of rows": lambda x: x[np.array([True, False])],
    "mask in the middle": lambda x: x[:, np.array([True, False, True]), None],
    "0-d array": lambda x: x[np.array(1)],
    "0-d mask": lambda x: x[True],
    "item": lambda x: x.item(5) + x.item(1, 2, 3),
}


@pytest.mark.parametrize("name", INDICES)
def test_derivatives_of_reading(name: str) -> None:
    x = np.random.default_rng(0).uniform(0.5, 1.5, (2, 3, 4))
    read = INDICES[name]
    check(lambda x: read(x) * read(x), x, batched=name != "mask")
    if name != "item":  # which makes a plain array's elements Python numbers
        check(read, x.astype(np.float32), order=1, batched=name != "mask")
    if name != "mask":
        check(read, x * (1 + 0.5j), order=1)


def test_complex_mask() -> None:
    z = np.array([1 + 2j, -1.0, 3j])
    check(lambda z: z[np.array([True, False, True])] * z[:2], z)


@pytest.mark.parametrize(
    ("index", "error", "match"),
    [
        (5, IndexError, "out of bounds"),
        ((0, 0, 0), IndexError, "too many indices"),
        ((..., ...), IndexError, "single ellipsis"),
        (1.5, IndexError, "integer"),
        ("a", IndexError, "dtype <U1"),
        ([0.5], IndexError, "dtype float64"),
        (np.array([True]), IndexError, "boolean index"),
        (([0, 1], [0, 1, 2]), (IndexError, ValueError), "broadcast"),
        ([7], IndexError, "out of bounds"),
        (slice(0, 1.5), TypeError, "integer"),
    ],
    ids=str,
)
def test_wrong_indices(index: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        cv.vjp(lambda x: x[index], np.ones((2, 3)))


# --- traced indices ---------------------------------------------------------------------------------------------------


def test_traced_integers_as_indices_under_vmap() -> None:
    x = np.random.default_rng(1).normal(size=(4, 3, 5))
    i, j = np.array([0, 2, 1, -1]), np.array([[0, 1], [4, 4], [2, 0], [3, 3]])
    for read in (
        lambda x, i, j: x[i],
        lambda x, i, j: x[i, 1:],
        lambda x, i, j: x[:, j],
        lambda x, i, j: x[i, j],
        lambda x, i, j: x[[0, 1], j],
        lambda x, i, j: x[None, i, ..., j],
        lambda x, i, j: np.take(x, j, axis=1),
        lambda x, i, j: np.take(x, j + 4, axis=1, mode="clip"),
        lambda x, i, j: np.take_along_axis(x, j[None].repeat(3, 0), axis=1),
    ):
        got = cv.vmap(read)(x, i, j)
        assert_same_as_numpy(got, np.stack([read(*lane) for lane in zip(x, i, j, strict=True)]))
        gradient = cv.grad(lambda x, read=read: np.sum(cv.vmap(read)(x, i, j) ** 2))(x)
        lanes = [cv.grad(lambda x, k=k, read=read: np.sum(read(x, i[k], j[k]) ** 2))(x[k]) for k in range(4)]
        np.testing.assert_allclose(gradient, np.stack(lanes), rtol=1e-14)


def test_traced_integers_into_an_array_that_all_lanes_share() -> None:
    x, i = np.arange(6.0).reshape(3, 2), np.array([[0, 2], [1, 1]])
    got = cv.vmap(lambda i: np.take_along_axis(x, i[:, None], 0))(i)
    assert_same_as_numpy(got, x[i])
    # A plain array does not ask us: it would need plain integers.
    with pytest.raises(TracerConversionError, match="vmap"):
        cv.vmap(lambda i: x[i])(i)
    # A traced array does, whether or not its own lanes differ.
    gradient = cv.grad(lambda x: np.sum(cv.vmap(lambda i: x[i])(i)))(x)
    np.testing.assert_array_equal(gradient, [[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]])


def test_what_depends_on_values_of_a_lane_is_refused() -> None:
    x, n = np.ones((2, 3)), np.array([1, 2])
    with pytest.raises(ConcretizationError, match=r"np\.where"):
        cv.vmap(lambda x: x[x > 0])(x)
    with pytest.raises(ConcretizationError, match=r"np\.take"):
        cv.vmap(lambda x, n: x[:n])(x, n)
    with pytest.raises(ConcretizationError, match=r"np\.where"):
        cv.vmap(lambda x: np.compress(x > 0, x))(x)
    with pytest.raises(ConcretizationError, match=r"np\.where"):
        cv.vmap(lambda x: np.extract(x > 0, x))(x)
    with pytest.raises(TracerConversionError, match=r"np\.stack"):
        cv.vmap(lambda x, n: x[[n, 0]])(x, n)
    with pytest.raises(IndexError, match="dtype float64"):
        cv.vjp(lambda x: x[x], np.ones(3))


def test_traced_integers_as_slice_bounds_when_their_value_is_there() -> None:
    x = np.arange(4.0)
    np.testing.assert_array_equal(cv.grad(lambda x: x[: np.argmax(x)].sum())(x), [1.0, 1.0, 1.0, 0.0])
    np.testing.assert_array_equal(cv.grad(lambda x: x[np.argmax(x)])(x), [0.0, 0.0, 0.0, 1.0])


# --- functions --------------------------------------------------------------------------------------------------------

FUNCTIONS: list[tuple[str, Callable[..., Any], list[tuple[int, ...]]]] = [
    ("take", lambda x: np.take(x, [2, 0, 2]), [(2, 2)]),
    ("take axis", lambda x: np.take(x, np.array([[1, 0], [-1, 1]]), axis=1), [(2, 3, 2)]),
    ("take scalar", lambda x: x.take(1, axis=-1), [(2, 3)]),
    ("take wrap", lambda x: np.take(x, [-1, 5, 3], mode="wrap"), [(3,)]),
    ("take clip", lambda x: np.take(x, [-1, 5, 1], axis=0, mode="clip"), [(3, 2)]),
    ("take nothing", lambda x: np.take(x, [], axis=0), [(3, 2)]),
    ("take of empty", lambda x: np.take(x, [1, 1], axis=1), [(0, 2)]),
    ("take_along_axis", lambda x: np.take_along_axis(x, np.array([[2, 0], [1, 1]]), 1), [(2, 3)]),
    ("take_along_axis 0", lambda x: np.take_along_axis(x, indices=np.array([[1, 0, 0]]), axis=0), [(2, 3)]),
    ("take_along_axis None", lambda x: np.take_along_axis(x, np.array([3, 0, 3]), None), [(2, 2)]),
    ("take_along_axis broadcast", lambda x: np.take_along_axis(x, np.array([[0], [1]]), -1), [(1, 3)]),
    ("compress", lambda x: np.compress([True, False, True], x, axis=1), [(2, 3)]),
    ("compress short", lambda x: x.compress([0, 1]), [(2, 2)]),
    ("extract", lambda x: np.extract(np.array([[1, 0], [0, 1]]), x), [(2, 2)]),
    ("extract by value", lambda x: np.extract(x > 0.1, x), [(3,)]),
    ("windows", lambda x: windows(x, 3), [(5,)]),
    ("windows axis", lambda x: windows(x, 2, axis=1), [(2, 3)]),
    ("windows axes", lambda x: windows(x, (2, 2)), [(3, 4)]),
    ("windows twice", lambda x: windows(x, (2, 3), axis=(0, 0)), [(5, 2)]),
    ("apply_along_axis", lambda x: np.apply_along_axis(lambda v: v * v.sum(), 0, x), [(2, 3)]),
    ("apply_along_axis to scalars", lambda x: np.apply_along_axis(lambda v: v @ v, -1, x), [(2, 3)]),
    ("apply_along_axis to matrices", lambda x: np.apply_along_axis(np.diag, 1, x), [(2, 2, 2)]),
    ("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, [0, -1]), [(2, 3, 2)]),
    ("choice of rows by loop", lambda x: np.stack([x[i] for i in (2, 0)]), [(3, 2)]),
]
FUNCTION_CASES = [pytest.param(fun, shapes, id=name) for name, fun, shapes in FUNCTIONS]


def drawn(shape: tuple[int, ...], dtype: Any) -> Any:
    x = np.random.default_rng(7).uniform(0.5, 1.5, shape)
    return x * (1 + 0.5j) if dtype is complex else x.astype(dtype)


@pytest.mark.parametrize(("fun", "shapes"), FUNCTION_CASES)
def test_functions(fun: Callable[..., Any], shapes: list[tuple[int, ...]], request: Any) -> None:
    for dtype in (float, np.float32, complex):
        args = [drawn(shape, dtype) for shape in shapes]
        if "value" in request.node.name and dtype is complex:
            continue
        want = fun(*args)
        assert_same_as_numpy(cv.vjp(fun, *args)[0], want)
        assert_same_as_numpy(cv.jvp(fun, tuple(args), tuple(args))[0], want)
        batched = "value" not in request.node.name
        if dtype is float:
            check(lambda *xs: fun(*[x * x for x in xs]), *args, batched=batched)
        else:
            check(fun, *args, order=1, batched=batched)


@pytest.mark.parametrize(
    ("fun", "error", "match"),
    [
        (lambda x: np.take(x, 9), IndexError, "out of bounds"),
        (lambda x: np.take(x, 0.5), TypeError, "integers"),
        (lambda x: np.take(x, [0], out=np.empty(1)), TracerConversionError, r"np\.take.*zeros_like"),
        (lambda x: np.take(x, [0], mode="other"), ValueError, "clipmode"),
        (lambda x: np.take_along_axis(x, np.array([0]), 0), ValueError, "same number of dimensions"),
        (lambda x: np.take_along_axis(x, np.array([[0.0]]), 0), IndexError, "integer"),
        (lambda x: np.compress([[True]], x), ValueError, "1-d"),
        (lambda x: windows(x, 4, 0), ValueError, "larger"),
        (lambda x: windows(x, 2), ValueError, "matching length"),
        (
            lambda x: windows(x, 2, 0, writeable=True),
            NotDifferentiableError,
            "writeable",
        ),
    ],
)
def test_wrong_calls(fun: Callable[[Any], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        cv.vjp(fun, np.ones((2, 3)))


# --- cost -------------------------------------------------------------------------------------------------------------


class Allocations:
    """Counts the elements that cotangent arithmetic allocates, and the indexed additions it makes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.elements = 0
        self.additions = 0
        zeros, add_into = np.zeros, Scatter.add_into

        def counted_zeros(shape: Any, *args: Any, **kwargs: Any) -> Any:
            out = zeros(shape, *args, **kwargs)
            self.elements += out.size
            return out

        def counted_add(scatter: Scatter, total: Any) -> None:
            self.additions += np.size(scatter.values)
            add_into(scatter, total)

        monkeypatch.setattr(cotangents.np, "zeros", counted_zeros)
        monkeypatch.setattr(Scatter, "add_into", counted_add)
        for primitive in (unslice_p, scatter_p):
            monkeypatch.setattr(primitive, "impl", pytest.fail)


@pytest.mark.parametrize(
    "read",
    [
        lambda x: [x[i] for i in range(len(x))],
        lambda x: list(x),
        lambda x: [x[i : i + 1].sum() for i in range(len(x))],
        lambda x: [x[[i, i]].sum() for i in range(len(x))],
        lambda x: [np.take(x, i) for i in range(len(x))],
        lambda x: [p.sum() for p in np.split(x, len(x))],
    ],
    ids=["index", "iteration", "slice", "gather", "take", "split"],
)
def test_reading_n_elements_one_by_one_costs_one_buffer_backwards(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 200

    def fun(x: Any) -> Any:
        total = 0.0
        for k, y in enumerate(read(x)):
            total = total + k * y
        return total

    x = np.ones(n)
    out, pullback = cv.vjp(fun, x)
    with monkeypatch.context() as patch:
        count = Allocations(patch)
        gradient = pullback(out / out)[0]
    assert n <= count.elements <= 2 * n
    assert n <= count.additions <= 2 * n
    np.testing.assert_array_equal(gradient / gradient[1], np.arange(n))
