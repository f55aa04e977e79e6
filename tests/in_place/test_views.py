"""Views of traced arrays: writes go through in both directions wherever NumPy has a view, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from in_place.programs import Program, check


def numbers(shape: tuple[int, ...], seed: int = 0, dtype: Any = float, order: Any = "C") -> Any:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.3, 1.7, shape) * rng.choice([-1.0, 1.0], shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.uniform(-1.0, 1.0, shape)
    return np.asarray(x.astype(dtype), order=order)


def means_the_same(source: str, **inputs: Any) -> None:
    """Check the statements against NumPy."""
    check(Program((source,), inputs, False, False, 7))


# Of a (4, 4) array. Some are copies in NumPy, in one memory order or in both.
VIEWS = [
    "x",
    "x[1]",
    "x[1:3]",
    "x[::2, ::-1]",
    "x[..., None]",
    "x[:, None, 1]",
    "x[3:0:-2, 1:]",
    "x[1, 2, ...]",
    "x[()]",
    "x[2:2]",
    "x.T",
    "x.mT",
    "np.transpose(x)",
    "x.transpose(1, 0)",
    "x.transpose()",
    "np.matrix_transpose(x)",
    "np.permute_dims(x, (1, 0))",
    "x.swapaxes(0, 1)",
    "np.swapaxes(x, 0, -1)",
    "np.moveaxis(x, 0, 1)",
    "np.rollaxis(x, 1)",
    "x.reshape(2, 8)",
    "x.reshape(-1)",
    "x.reshape((8, 2), order='F')",
    "x.T.reshape(2, 8)",
    "x[:, ::2].reshape(4, 2, 1)",
    "x[:, ::2].reshape(-1)",
    "x[::2].reshape(2, 2, 2)",
    "np.reshape(x, (2, 2, 4))",
    "x.ravel()",
    "x.T.ravel()",
    "x[::2].ravel()",
    "x[1:].ravel()",
    "x.ravel(order='F')",
    "x.T.ravel(order='F')",
    "x.T.ravel(order='K')",
    "x.ravel('A')",
    "np.ravel(x)",
    "x[0, ::2].ravel()",
    "x[0, ::2].reshape(-1)",
    "np.flip(x).ravel()",
    "np.flip(x).reshape(-1)",
    "x[0, ::2].reshape(1, 2).ravel()",
    "x[:, 1].reshape(2, 2).ravel()",
    "x.flatten()",
    "x.squeeze()",
    "x[None, :, :, None].squeeze(axis=0)",
    "np.squeeze(x[:1])",
    "np.expand_dims(x, (0, 2))",
    "np.atleast_1d(x)",
    "np.atleast_3d(x)",
    "np.flip(x)",
    "np.flip(x, axis=1)",
    "np.fliplr(x)",
    "np.flipud(x)",
    "np.rot90(x)",
    "np.rot90(x, 2)",
    "np.split(x, 2)[1]",
    "np.split(x, [1, 3], axis=1)[1]",
    "np.array_split(x, 3)[0]",
    "np.hsplit(x, 2)[0]",
    "np.vsplit(x, 2)[-1]",
    "list(x)[1]",
    "next(iter(x.T))",
    "x.real",
    "np.real(x)",
    "x.view()",
    "x[[0, 1]]",
    "x[:, [1, 2]]",
    "x[np.array([True, False, True, True])]",
    "x.copy()",
    "x + 0.0",
    "np.roll(x, 1)",
    "np.repeat(x, 1, axis=0)",
    "np.where(True, x, x)",
    "np.einsum('ij->ji', x)",
    "np.einsum('ii->i', x)",
    "x.astype(float)",
    "x.astype(x.dtype, copy=False)",
    "np.tile(x, 1)",
    "np.concatenate([x])",
    "np.take(x, [0, 1], axis=0)",
    "np.atleast_2d(x)",
]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("view", VIEWS)
def test_writing_through(view: str, order: Any) -> None:
    """First through the view, then through its base, with a use of each in between."""
    source = f"w = {view}\nw[...] = w * v\ns = np.sin(x)\nx *= v + 1.0\nu = w * 2.0\n"
    source += "x[1] = 0.5\nw += 0.1\nt = x * w.sum()"
    means_the_same(source, x=numbers((4, 4), order=order), v=numbers((), 1))


FIRST = [
    "x[1:3]",
    "x.T",
    "x.reshape(2, 8)",
    "x[::-1, ::2]",
    "x.ravel()[4:12].reshape(4, 2)",
    "np.split(x, 2)[0]",
    "x[:, 1:3].T",
]
SECOND = ["w[0]", "w.T", "w[::-1]", "w.ravel()", "w.reshape(-1, 2)", "w[..., ::2]", "w.squeeze()"]


@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize("first", FIRST)
def test_views_of_views(first: str, second: str) -> None:
    source = f"w = {first}\nz = {second}\nz[...] = z * v\nw -= 0.5\nx[0] = w[0].sum() * v\nz *= z"
    means_the_same(source, x=numbers((4, 4)), v=numbers((), 1))


@pytest.mark.parametrize(
    "view",
    [
        "np.broadcast_to(x, (2, 4, 4))",
        "np.broadcast_to(x[0], (4, 4))",
        "np.broadcast_to(x, (4, 4))",
        "np.diagonal(x)",
        "x.diagonal(1)",
        "np.diag(x)",
        "np.linalg.diagonal(x)",
        "np.lib.stride_tricks.sliding_window_view(x, 2, axis=0)",
        "np.broadcast_to(x, (2, 4, 4))[0, 1:]",
        "np.diagonal(x)[::2]",
        "np.diagonal(x).reshape(2, 2)",
    ],
)
@pytest.mark.parametrize(
    "write",
    ["w[...] = 1.0", "w += 1.0", "w[0] = 1.0", "w.fill(1.0)", "np.add(w, 1.0, out=w)", "np.copyto(w, 1.0)", "w.sort()"],
)
def test_read_only_views(view: str, write: str) -> None:
    """They follow their base, and refuse to be written to with NumPy's error."""
    means_the_same(f"w = {view}\nx[0] = v\ns = w * 2.0\nx[1] *= w.sum()", x=numbers((4, 4)), v=numbers((), 1))

    def f(np: Any, x: Any) -> Any:
        names = {"x": x}
        exec(f"w = {view}", {"np": np}, names)
        exec(write, {"np": np}, names)
        return names["w"].sum()

    with pytest.raises(ValueError, match="read-only"):
        f(np, numbers((4, 4)))
    for transform in TRANSFORMS.values():
        with pytest.raises(ValueError, match="read-only"):
            transform(lambda x: f(np, x), numbers((4, 4)))


TRANSFORMS: dict[str, Any] = {
    "grad": lambda f, x: cv.grad(f)(x),
    "jvp": lambda f, x: cv.jvp(f, (x,), (np.ones_like(x),)),
    "vmap": lambda f, x: cv.vmap(f)(np.stack([x, x])),
}

COMPLEX = [
    "w = z.real\nw[...] = v",
    "w = z.imag\nw *= v",
    "z.real = v",
    "z.imag[0] = v",
    "z.real += v\nz.imag -= z.real",
    "w = z.T.imag[::-1]\nw[0] = v\nz *= 2j",
    "w = np.real(z)\nz[0] = 1j * v\nu = w * 2.0",
    "w = np.imag(z)\nw[1] = v",
    "w = z[0].conj()\nw[...] = v",
    "w = z.real[1]\nz += v * 1j\nz[1] = z[0]\nw[::2] = v",
    "np.conjugate(z, out=z)\nz *= v",
    "z[...] = v\nz[0] += 1j",
    "np.add(v, 2j, out=z)",
    "w = z.ravel()\nw.real[1:3] = v",
    "b = np.zeros_like(z)\nb.real = v\nb.imag[...] = b.real * 2.0",
    "b = np.zeros_like(z.real)\nb[...] = z.imag * v",
]


@pytest.mark.parametrize("source", COMPLEX)
def test_real_and_imaginary_parts(source: str) -> None:
    means_the_same(source, z=numbers((3, 4), 0, complex), v=numbers((), 1))


def test_imaginary_part_of_a_real_array_is_read_only() -> None:
    for transform in TRANSFORMS.values():
        with pytest.raises((ValueError, TypeError)):
            transform(lambda x: x.imag.__setitem__(0, 1.0) or x.sum(), np.ones(3))


# --- time -------------------------------------------------------------------------------------------------------------

STALE = {
    "read before, after and in between": "w = x[1:]\na = w * 1.0\nx *= v\nb = w * 1.0\nx[1] = 0.0\nc = w * 1.0",
    "two overlapping views": "w = x[:3]\nz = x[1:]\nw[1] = v\nz[0] *= 3.0\na = w * z",
    "view outlives its base's name": "w = x[1:]\nx = np.sin(x)\nw *= v\nx[0] = w[0]",
    "view of a view whose parent was rebound": "w = x[1:]\nz = w[::2]\nw = w * 2.0\nz[0] = v\nx[1] += 1.0",
    "written many times": "w = x[::-1]\nfor i in range(3):\n    w[i] = w[i - 1] * v\n    x[i] += w[0]",
    "value used, then overwritten": "y = x * v\nx[0] = 3.0\nz = y * x",
    "sine of what is overwritten": "y = np.sin(x)\nx[...] = 0.0",
    "factor overwritten by its product": "np.multiply(x, v, out=x)\nnp.multiply(x, x, out=x)\nx *= x",
    "overwritten between two uses": "a = np.exp(x)\nx[1:] = a[:-1]\nb = np.exp(x)\na[...] = 1.0",
    "copy of a view": "w = x[1:].copy()\nx[...] = v\nw *= v",
    "copy of a copy": "w = x.copy().copy()\nw[0] = v",
    "list of views": "rows = 0\nw = [x[i:] for i in range(3)]\nw[2][0] = v\nw[0][1] *= 2.0\na = w[1] * 1.0\nw = 0",
}


@pytest.mark.parametrize("name", sorted(STALE))
def test_views_over_time(name: str) -> None:
    means_the_same(STALE[name], x=numbers((4,)), v=numbers((), 1))


def test_views_share_across_functions_and_containers() -> None:
    def scale(part: Any, by: Any) -> None:
        part *= by

    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        parts = {"low": y[:2], "high": y[2:]}
        parts["low"][:] = x[:2]
        parts["high"][:] = x[2:] ** 2
        scale(parts["high"], x[0])
        return y.sum()

    np.testing.assert_allclose(cv.grad(f)(np.array([2.0, 3.0, 4.0])), [17.0, 1.0, 16.0])
