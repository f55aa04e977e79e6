"""Every form of write, on traced values: the result, its derivatives and its batches are those of what NumPy does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from in_place.programs import Program, check

SHAPES = {"s": (), "row": (4,), "col": (3, 1), "all": (3, 4), "two": (2,), "three": (3,), "rows": (2, 4), "six": (6,)}
MASK = "np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, 0, 0, 1]], bool)"


def numbers(shape: tuple[int, ...], seed: int, dtype: Any = float) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.3, 1.7, shape) * rng.choice([-1.0, 1.0], shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.uniform(-1.0, 1.0, shape)
    return np.asarray(x).astype(dtype)


def means_the_same(source: str, concrete: bool = False, **inputs: Any) -> None:
    """Check the statements, which stand one to a line, or on indented ones below, against NumPy."""
    check(Program((source,), inputs, concrete, False, 11))


def form(source: str, value: str = "s") -> Any:
    return pytest.param(source, value, id=f"{source} ({value})")


# --- assignment -------------------------------------------------------------------------------------------------------

ASSIGNED = [
    form("x[1, 2] = v"),
    form("x[-1, -4] = v"),
    form("x[1] = v"),
    form("x[1] = v", "row"),
    form("x[np.int64(2)] = v", "row"),
    form("x[(0, 1)] = v"),
    form("x[...] = v"),
    form("x[...] = v", "all"),
    form("x[()] = v", "row"),
    form("x[:] = v", "col"),
    form("x[:, 0] = v", "three"),
    form("x[..., -1] = v", "three"),
    form("x[1:3] = v", "rows"),
    form("x[::-1] = v", "all"),
    form("x[::2, ::-1] = v", "rows"),
    form("x[5:1:-2, 1] = v"),
    form("x[2:1] = v"),
    form("x[None, 1] = v", "row"),
    form("x[:, None, 1:3] = v"),
    form("x[1, ..., 1:3] = v", "two"),
    form("x[0][1] = v"),
    form("x[1:][1][::-1][0] = v"),
    form("x.T[1] = v", "three"),
    form("x.reshape(2, 6)[1] = v", "six"),
    form("x.ravel()[5] = v"),
    form("x.flatten()[5] = v"),
    form("x[[0, 2]] = v", "rows"),
    form("x[[0, 0]] = v", "rows"),
    form("x[[-1, 0], [1, 3]] = v", "two"),
    form("x[[1, 1], [2, 2]] = v", "two"),
    form("x[np.ix_([0, 2], [3, 1])] = v"),
    form("x[:, [1, 1]] = v", "two"),
    form("x[[2, 0], 1:] = v"),
    form("x[1, [0, 3]] = v", "two"),
    form("x[[0, 2], ..., [1, 1]] = v", "two"),
    form("x[np.array([[0, 1], [2, 0]])] = v", "row"),
    form("x[np.array(1)] = v", "row"),
    form("x[[]] = v"),
    form("x[np.array([True, False, True])] = v", "rows"),
    form("x[:, np.array([True, False, False, True])] = v", "two"),
    form(f"x[{MASK}] = v"),
    form(f"x[{MASK}] = np.stack([v, v, v, v, v])"),
    form(f"x[{MASK} & (x < 0)] = v"),
    form("x[x > 0] = v"),
    form("x[x[:, 0] > 0] = v"),
    form("x[x > 100] = v"),
    form("x[True] = v"),
    form("x[1:] = x[:-1]"),
    form("x[:-1] = x[1:]"),
    form("x[::-1] = x"),
    form("x[:, 1:] = x[:, :-1] * v"),
    form("x[0] = x[1] = v", "row"),
    form("x[0], x[1] = x[1], x[0]"),
    form("x[[0, 1]] = x[[1, 0]]"),
    form("x[0, 0], x[0, 1] = x[0, 1] * v, x[0, 0]"),
    form("(x[0, 0], x[0, 1]), k = v, 3", "two"),
    form("x[1] = 0.0\nx[1] = v", "row"),
    form("x[1] = v\nx[1] = 0.0", "row"),
    form("x[...] = 2\nx[0] += v", "row"),
    form("x[1] = [0.5, 1.0, 1.5, 2.0]"),
    form("del v\nx[1] = np.float32(0.1)"),
    form("x.real = v"),
    form("x.real[0] = v"),
]


@pytest.mark.parametrize(("source", "value"), ASSIGNED)
def test_assignment(source: str, value: str) -> None:
    means_the_same(source, x=numbers((3, 4), 0), v=numbers(SHAPES[value], 1))


@pytest.mark.parametrize(("source", "value"), ASSIGNED)
def test_assignment_to_a_buffer(source: str, value: str) -> None:
    """The buffer starts as zeros, which have no derivative, and is not mapped."""
    means_the_same(
        f"v = v * 2.0\nu = x\nx = np.zeros_like(x)\n{source}\ny = x * u",
        x=numbers((3, 4), 0),
        v=numbers(SHAPES[value], 1),
    )


# --- augmented assignment ---------------------------------------------------------------------------------------------

PLACES = [
    ("x", "all"),
    ("x", "row"),
    ("x", "s"),
    ("x[1]", "row"),
    ("x[1, 2]", "s"),
    ("x[:, ::2]", "two"),
    ("x[...]", "col"),
    ("x.T[0]", "three"),
    ("x[[0, 2]]", "rows"),
    ("x[[0, 0, 2]]", "row"),
    ("x[[1, 1], [2, 2]]", "two"),
    (f"x[{MASK}]", "s"),
    ("x.reshape(-1)[3:9]", "six"),
]


@pytest.mark.parametrize("operator", ["+=", "-=", "*=", "/=", "**="])
@pytest.mark.parametrize(("place", "value"), PLACES)
def test_augmented(place: str, value: str, operator: str) -> None:
    means_the_same(
        f"y = x\n{place} {operator} v\nz = x * v.sum()", x=abs(numbers((3, 4), 0)), v=numbers(SHAPES[value], 1)
    )


@pytest.mark.parametrize("operator", ["%=", "//="])
def test_augmented_remainders(operator: str) -> None:
    means_the_same(f"y = x\nx {operator} v", x=numbers((3, 4), 0), v=numbers((4,), 1))


@pytest.mark.parametrize("operator", ["+=", "*="])
def test_augmented_by_a_mask_of_values(operator: str) -> None:
    means_the_same(f"x[x > 0] {operator} v", True, x=numbers((3, 4), 0), v=numbers((), 1))
    means_the_same(f"x[x > 0] {operator} x[x > 0] * v", True, x=numbers((3, 4), 0), v=numbers((), 1))


OTHER_AUGMENTED = [
    form("x @= np.outer(v, v)", "row"),
    form("y = x\nx += x.T[0].sum() * v"),
    form("s = x[0, 0]\nr = s\ns += v\nr *= s"),
    form("s = x.sum()\nr = s\ns += v"),
    form("s = x[0, 0, ...]\nr = s\ns += v\ns[...] *= r"),
    form("s = x[0, 0, ...]\ns[()] = v"),
    form("for row in x:\n    row += v\nrow = 1", "row"),
    form("for row in x:\n    row = row + v\nrow = 1", "row"),
    form("for row in x.T:\n    row[0] *= v\nrow = 1"),
    form("for k, row in enumerate(x):\n    x[k] = row * v\nrow = 1", "row"),
    form("for a, b in zip(x, x[::-1]):\n    a += b\na = b = 1"),
    form("a, b, c = x\nb -= a * v", "row"),
    form("first, *rest = x\nrest[0][:] = first * v\nrest = 1", "row"),
    form("y = x\ny = y + v\ny += 1.0"),
    form("y = x.copy()\ny += v"),
    form("y = +x\ny += v"),
    form("y = np.copy(x)\nx += v\nz = y * x"),
    form("y = x[1]\nx = x * 2.0\ny += v", "row"),
]


@pytest.mark.parametrize(("source", "value"), OTHER_AUGMENTED)
def test_names_and_rows(source: str, value: str) -> None:
    n = (4, 4) if "@=" in source else (3, 4)
    means_the_same(source, x=numbers(n, 0), v=numbers(SHAPES[value], 1))


# --- ufunc.at and the functions that write ----------------------------------------------------------------------------

FUNCTIONS = [
    form("np.add.at(x, [0, 0, 2], v)", "row"),
    form("np.add.at(x, [0, 0, 2], v)"),
    form("np.add.at(x, ([0, 0, 2], [1, 1, -1]), v)", "three"),
    form("np.add.at(x, (slice(None), [1, 1]), v)", "two"),
    form("np.add.at(x, np.s_[1:], v)", "row"),
    form(f"np.add.at(x, {MASK}, v)"),
    form("np.add.at(x, ..., v)", "row"),
    form("np.subtract.at(x, [1, 1], v)", "rows"),
    form("np.multiply.at(x, [1, 1, 0], v)", "row"),
    form("np.divide.at(x, [1, 1, 0], v)", "row"),
    form("np.maximum.at(x, [1, 1, 0], v)", "row"),
    form("np.negative.at(x, [1, 1, 0])"),
    form("np.sin.at(x, [1, 1, 0])"),
    form("np.add.at(x.T, [0, 0], v)", "three"),
    form("np.add.at(x[1], [0, 0], v)", "two"),
    form("np.copyto(x, v)"),
    form("np.copyto(x, v)", "row"),
    form("np.copyto(x[0], x[1])"),
    form(f"np.copyto(x, v, where={MASK})", "all"),
    form("np.copyto(x, v, where=np.array([True, False, True, False]))", "row"),
    form("np.copyto(x, v, where=x > 0)", "row"),
    form("np.copyto(x, 0.25, where=x > 0)"),
    form("np.copyto(dst=x.T, src=v)", "three"),
    form("np.put(x, [0, 5, -1], v)", "three"),
    form("np.put(x, [0, 5, 5, 3], v)", "two"),
    form("np.put(x, 7, v)"),
    form("np.put(x, [13, -15, 1], v, mode='wrap')", "three"),
    form("np.put(x, [13, -15, 1], v, mode='clip')", "three"),
    form("x.put([0, 5], v)", "two"),
    form("np.put(x.T, [0, 5], v)", "two"),
    form(f"np.place(x, {MASK}, v)", "two"),
    form(f"np.place(x, {MASK}, np.atleast_1d(v))"),
    form(f"np.place(x, {MASK}, v)", "six"),
    form(f"np.putmask(x, {MASK}, v)", "all"),
    form(f"np.putmask(x, {MASK}, v)", "two"),
    form(f"np.putmask(x, {MASK}, v)"),
    form("np.putmask(x, x > 0, v)", "all"),
    form("np.fill_diagonal(x, v)"),
    form("np.fill_diagonal(x.T, v, wrap=True)"),
    form("np.fill_diagonal(x[:, :3], v)", "three"),
    form("np.put_along_axis(x, np.array([[0, 1, 1, 2]]), v, 0)", "row"),
    form("np.put_along_axis(x, np.array([[0], [3], [3]]), v, axis=1)", "col"),
    form("np.put_along_axis(x, np.array([0, 3, 7]), v, None)", "three"),
    form("np.put_along_axis(x, np.argmax(x, axis=1, keepdims=True), v, axis=1)"),
    form("x.fill(v)"),
    form("x[0].fill(v)"),
    form("x.sort()"),
    form("x.sort(axis=0)\nx *= v"),
    form("x.sort(kind='stable')"),
    form("x[0].sort()"),
    form("x.T.sort()"),
    form("x.partition([0, 1, 2, 3])"),
    form("y = np.nan_to_num(x, copy=False)\ny *= v"),
]


@pytest.mark.parametrize(("source", "value"), FUNCTIONS)
def test_functions_that_write(source: str, value: str) -> None:
    means_the_same(source, x=numbers((3, 4), 0), v=numbers(SHAPES[value], 1))


# --- out= -------------------------------------------------------------------------------------------------------------

OUT = [
    form("y = np.sin(v, out=x)", "row"),
    form("y = np.add(x, v, out=x)", "row"),
    form("y = np.add(x, v, x)", "row"),
    form("y = np.add(v, 1.0, out=(x,))", "row"),
    form("y = np.multiply(x, v, out=x[::-1])", "row"),
    form("y = np.add(x[:2], v, out=x[1:])", "row"),
    form("y = np.negative(x, out=x.T.T)"),
    form("y = np.exp(v, out=x[0])", "row"),
    form(f"y = np.add(x, v, out=x, where={MASK})", "row"),
    form("y = np.sqrt(x, out=x * v, where=x > 0)"),
    form("y, z = np.modf(v, out=(x[0], x[1]))", "row"),
    form("y, z = np.divmod(v, 0.7, out=(None, x[1]))", "row"),
    form("y = np.sum(x, axis=1, out=v)", "three"),
    form("y = np.sum(x, axis=0, out=x[0])"),
    form("y = np.mean(x, 1, None, v)", "three"),
    form("y = np.mean(x, axis=0, out=v)", "row"),
    form("y = np.prod(x, axis=0, out=v)", "row"),
    form("y = np.max(x, axis=0, out=v)", "row"),
    form("y = np.min(x, axis=0, out=v)", "row"),
    form("y = np.std(x, axis=0, out=v)", "row"),
    form("y = np.var(x, axis=0, out=v)", "row"),
    form("y = np.cumsum(x, axis=0, out=x)"),
    form("y = np.cumprod(x, axis=1, out=x)"),
    form("y = np.add.reduce(x, axis=0, out=v)", "row"),
    form("y = np.multiply.reduce(x, 0, None, v)", "row"),
    form("y = np.add.accumulate(x, axis=1, out=x)"),
    form("y = np.multiply.outer(v[:3], v, out=x)", "row"),
    form("y = np.dot(x[:, :3], x.copy(), out=v)", "all"),
    form("y = np.matmul(x, v, out=np.zeros_like(x[:, 0]))", "row"),
    form("y = np.einsum('ij,j->i', x, v, out=np.zeros_like(x[:, 0]))", "row"),
    form("y = np.take(x, [2, 0, 1], axis=0, out=v)", "all"),
    form("y = np.clip(x, -1.0, 1.0, out=x)"),
    form("y = np.round(x, out=x)"),
    form("y = np.concatenate([v, v, v], axis=0, out=x.reshape(-1))", "row"),
    form("y = np.stack([v, v * 2, v], out=x)", "row"),
    form("y = np.median(x, axis=0, out=v)", "row"),
    form("y = np.trace(x, out=x[0, 0, ...])"),
    form("y = x.sum(axis=0, out=v)", "row"),
    form("y = x.cumsum(axis=0, out=x)"),
    form("y = x.clip(-1.0, 1.0, out=x)"),
    form("y = x.mean(axis=0, out=v)", "row"),
    form("y = x.dot(v, out=np.zeros_like(x[:, 0]))", "row"),
    form("y = x.take([1, 0, 2], axis=0, out=v)", "all"),
    form("y = x.max(axis=0, out=v)", "row"),
]


@pytest.mark.parametrize(("source", "value"), OUT)
def test_out(source: str, value: str) -> None:
    """The result of the call and the array given are the same from then on."""
    source += "\ny *= 2.0"
    means_the_same(source, x=numbers((3, 4), 0), v=numbers(SHAPES[value], 1))


def test_the_result_is_the_very_array_given() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        assert np.add(x, 1.0, out=y) is y
        assert np.cumsum(x, out=y) is y
        s = np.zeros_like(x[:1])
        assert np.sum(x, axis=0, keepdims=True, out=s) is s
        return y.sum() + s[0]

    np.testing.assert_allclose(cv.grad(f)(np.ones(3)), [4.0, 3.0, 2.0])


# --- buffers ----------------------------------------------------------------------------------------------------------

BUFFERS = [
    "np.zeros_like(x)",
    "np.zeros_like(x, shape=(4, 2))",
    "np.zeros_like(x, dtype=np.complex128)",
    "np.empty_like(x)",
    "np.ones_like(x)",
    "np.full_like(x, 0.3)",
    "np.full_like(x, x[0, 1])",
    "np.zeros((4, 2), like=x)",
    "np.empty((4, 2), like=x)",
    "np.ones((4, 2), like=x)",
    "np.full((4, 2), 0.5, like=x)",
    "np.eye(4, 2, like=x)",
    "x.copy()",
    "x.copy(order='F')",
    "np.copy(x)",
    "x.astype(float)",
    "x.astype(complex)",
    "x.flatten().reshape(4, 2)",
    "x * 0.0",
    "x[[0, 1, 1, 0]]",
    "np.broadcast_to(x[0], (4, 2)).copy()",
]


@pytest.mark.parametrize("buffer", BUFFERS)
def test_buffers(buffer: str) -> None:
    """Filled from values, read while filled, and written once more."""
    fill = "b[:] = x[0, 0]\nfor i in range(1, 4):\n    b[i, 0] = b[i - 1, 0] * x[i, 1]\ny = b[1:]\nb[2, 0] = 0.0"
    means_the_same(f"b = {buffer}\n{fill}", x=numbers((4, 2), 0))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (2, 2, 2)])
def test_shapes_and_orders(shape: tuple[int, ...], order: Any) -> None:
    x = np.asarray(numbers(shape, 0), order=order)
    # An example of a one-dimensional batch is a scalar, which cannot be written to; a 0-d array can.
    scalar = shape == ()
    whole = "y = x\nx[...] = np.sin(x)\nx += x\nz = np.zeros_like(x)\nz[()] = y\nz *= y"
    means_the_same(whole, scalar, x=x, w=numbers((), 1))
    means_the_same(
        "y = x.ravel()\ny[:] = y * y\nr = x.reshape(-1)\nr -= 0.5\nx.T[...] *= w", scalar, x=x, w=numbers((), 1)
    )
