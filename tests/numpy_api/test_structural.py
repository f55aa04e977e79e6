"""Shape, order of axes, joining, splitting, repeating, padding, diagonals, creation: NumPy's values and derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.buffer import plain_of
from helpers import assert_same_as_numpy, check, since

# (name, function of arrays, their shapes)
SHAPE: list[tuple[str, Callable[..., Any], list[tuple[int, ...]]]] = [
    ("reshape", lambda x: np.reshape(x, (3, 2)), [(2, 3)]),
    ("reshape keyword", since("2.1.0")(lambda x: np.reshape(x, shape=(-1,), order="F")), [(2, 3)]),
    ("reshape F", lambda x: np.reshape(x, (2, -1), order="F"), [(3, 4)]),
    ("reshape A of C", lambda x: np.reshape(x, 6, "A"), [(2, 3)]),
    ("reshape A of F", lambda x: np.reshape(x.T, 6, "A"), [(2, 3)]),
    ("reshape empty", lambda x: np.reshape(x, (3, 0)), [(0, 2)]),
    ("reshape copy", since("2.1.0")(lambda x: np.reshape(x, (6,), copy=True)), [(2, 3)]),
    ("method reshape", lambda x: x.reshape(3, 2).reshape((6, 1), order="F"), [(2, 3)]),
    ("ravel", lambda x: np.ravel(x), [(2, 3)]),
    ("ravel F", lambda x: np.ravel(x, order="F"), [(2, 3)]),
    ("ravel A of F", lambda x: np.ravel(x.T, "A"), [(2, 3)]),
    ("ravel K", lambda x: np.ravel(np.transpose(x, (1, 2, 0)), "K"), [(2, 3, 2)]),
    ("ravel 0-d", lambda x: np.ravel(x), [()]),
    ("flatten", lambda x: x.T.flatten(), [(2, 3)]),
    ("transpose", lambda x: np.transpose(x), [(2, 3, 4)]),
    ("transpose axes", lambda x: np.transpose(x, axes=(1, -1, 0)), [(2, 3, 4)]),
    ("method transpose", lambda x: x.transpose(1, 0).T, [(2, 3)]),
    ("permute_dims", lambda x: np.permute_dims(x, (1, 0)), [(2, 3)]),
    ("matrix_transpose", lambda x: np.matrix_transpose(x) + np.linalg.matrix_transpose(x) + x.mT, [(2, 3, 4)]),
    ("swapaxes", lambda x: np.swapaxes(x, 0, -1), [(2, 3, 4)]),
    ("moveaxis", lambda x: np.moveaxis(x, 0, -1), [(2, 3, 4)]),
    ("moveaxis two", lambda x: np.moveaxis(x, (0, 1), (-1, -2)), [(2, 3, 4)]),
    ("rollaxis", lambda x: np.rollaxis(x, 2), [(2, 3, 4)]),
    ("rollaxis start", lambda x: np.rollaxis(x, 0, 3), [(2, 3, 4)]),
    ("rollaxis negative", lambda x: np.rollaxis(x, -1, -2), [(2, 3, 4)]),
    ("squeeze", lambda x: np.squeeze(x), [(1, 3, 1)]),
    ("squeeze axis", lambda x: np.squeeze(x, axis=-1), [(1, 3, 1)]),
    ("squeeze axes", lambda x: x.squeeze((0, 2)), [(1, 3, 1)]),
    ("squeeze to 0-d", lambda x: np.squeeze(x), [(1,)]),
    ("expand_dims", lambda x: np.expand_dims(x, 1), [(2, 3)]),
    ("expand_dims several", lambda x: np.expand_dims(x, axis=(0, -1)), [(2, 3)]),
    ("expand_dims 0-d", lambda x: np.expand_dims(x, 0), [()]),
    ("atleast_1d", lambda x: np.atleast_1d(x), [()]),
    ("atleast_1d several", lambda x, y: np.atleast_1d(x, y), [(), (2,)]),
    ("atleast_2d", lambda x: np.atleast_2d(x), [(3,)]),
    ("atleast_3d of 1", lambda x: np.atleast_3d(x), [(3,)]),
    ("atleast_3d of 2", lambda x: np.atleast_3d(x), [(2, 3)]),
    ("broadcast_to", lambda x: np.broadcast_to(x, (2, 4, 3)), [(4, 1)]),
    ("broadcast_to int", lambda x: np.broadcast_to(x, 3), [()]),
    ("broadcast_arrays", lambda x, y: np.broadcast_arrays(x, y), [(3, 1), (2,)]),
    ("broadcast_arrays plain", lambda x: np.broadcast_arrays(np.ones((2, 1)), x)[1], [(3,)]),
    ("meshgrid", lambda x, y: np.meshgrid(x, y), [(2,), (3,)]),
    ("meshgrid ij", lambda x, y, z: np.meshgrid(x, y, z, indexing="ij"), [(2,), (3,), (1,)]),
    ("meshgrid sparse", lambda x, y, z: np.meshgrid(x, y, z, sparse=True), [(2,), (3,), (2,)]),
    ("flip", lambda x: np.flip(x), [(2, 3)]),
    ("flip axis", lambda x: np.flip(x, axis=1), [(2, 3)]),
    ("flip axes", lambda x: np.flip(x, (0, -1)), [(2, 3, 2)]),
    ("fliplr flipud", lambda x: np.fliplr(x) + np.flipud(x), [(2, 3)]),
    ("rot90", lambda x: [np.rot90(x, k) for k in range(-1, 5)], [(2, 3)]),
    ("rot90 axes", lambda x: np.rot90(x, 1, axes=(2, 0)), [(2, 3, 4)]),
    ("roll", lambda x: np.roll(x, 2), [(2, 3)]),
    ("roll axis", lambda x: np.roll(x, -1, axis=1), [(2, 3)]),
    ("roll axes", lambda x: np.roll(x, (1, -2), axis=(0, 1)), [(2, 3)]),
    ("roll one shift, axes", lambda x: np.roll(x, 1, axis=(0, 1)), [(2, 3)]),
    ("roll twice the same axis", lambda x: np.roll(x, (1, 1), (0, 0)), [(5,)]),
]

JOINING: list[tuple[str, Callable[..., Any], list[tuple[int, ...]]]] = [
    ("concatenate", lambda x, y: np.concatenate([x, y]), [(2,), (3,)]),
    ("concatenate axis", lambda x, y: np.concatenate((x, y), axis=-1), [(2, 1), (2, 3)]),
    ("concatenate None", lambda x, y: np.concatenate((x, y), axis=None), [(2, 2), (3,)]),
    ("concatenate plain", lambda x: np.concatenate([[1, 2], x, np.ones(1)]), [(2,)]),
    ("concatenate rows", lambda x: np.concatenate(x), [(2, 3)]),
    ("concat", lambda x: np.concat([x, x]), [(2,)]),
    ("stack", lambda x, y: np.stack([x, y]), [(3,), (3,)]),
    ("stack axis", lambda x, y: np.stack((x, y), axis=-1), [(2, 3), (2, 3)]),
    ("stack scalars", lambda x: np.stack([x[0], 2.0, x[1] * x[0]]), [(2,)]),
    ("vstack", lambda x, y: np.vstack([x, y]), [(3,), (2, 3)]),
    ("hstack", lambda x, y: np.hstack((x, y)), [(2,), (3,)]),
    ("hstack 2-d", lambda x, y: np.hstack((x, y)), [(2, 1), (2, 2)]),
    ("hstack 0-d", lambda x, y: np.hstack((x, y)), [(), ()]),
    ("dstack", lambda x, y: np.dstack((x, y)), [(3,), (3,)]),
    ("column_stack", lambda x, y: np.column_stack((x, y)), [(3,), (3, 2)]),
    ("column_stack 0-d", lambda x: np.column_stack((x, 1.0)), [()]),
    ("append", lambda x, y: np.append(x, y), [(2, 2), ()]),
    ("append axis", lambda x, y: np.append(x, y, axis=1), [(2, 2), (2, 1)]),
    ("append to plain", lambda x: np.append([1.0], x), [(2,)]),
    ("block", lambda x, y: np.block([[x, y], [np.zeros((1, 2)), 1.0]]), [(2, 2), (2, 1)]),
    ("block 1-d", lambda x, y: np.block([x, y, 3.0]), [(2,), ()]),
    ("block one", lambda x: np.block(x), [(2,)]),
    ("block deeper arrays", lambda x: np.block([x, x]), [(2, 3)]),
    ("split", lambda x: np.split(x, 3), [(6,)]),
    ("split at", lambda x: np.split(x, [1, 4], axis=1), [(2, 5)]),
    ("split beyond", lambda x: np.split(x, [2, 7, 9]), [(4,)]),
    ("split negative", lambda x: np.split(x, [-2]), [(4,)]),
    ("array_split", lambda x: np.array_split(x, 3), [(5,)]),
    ("hsplit vsplit", lambda x: np.hsplit(x, 2) + np.vsplit(x, [1]), [(3, 4)]),
    ("hsplit 1-d", lambda x: np.hsplit(x, 2), [(4,)]),
    ("dsplit", lambda x: np.dsplit(x, 2), [(2, 1, 4)]),
    ("unstack", since("2.1.0")(lambda x: list(np.unstack(x, axis=1))), [(2, 3)]),
    ("iteration", lambda x: [row * k for k, row in enumerate(x)], [(3, 2)]),
    ("insert", lambda x: np.insert(x, 1, 5.0), [(3,)]),
    ("insert traced", lambda x, y: np.insert(x, [0, 2], y), [(3,), (2,)]),
    ("insert negative", lambda x: np.insert(x, -1, [1, 2]), [(3,)]),
    ("insert into plain", lambda y: np.insert(np.zeros((2, 3)), 1, y, axis=1), [(2,)]),
    ("insert column", lambda x, y: np.insert(x, [1], y, axis=1), [(2, 3), (2, 1)]),
    ("insert rows", lambda x, y: np.insert(x, 1, y, axis=0), [(2, 3), (3,)]),
    ("insert slice", lambda x: np.insert(x, slice(0, 3, 2), 7.0), [(4,)]),
    ("insert mask", since("2.2.0")(lambda x: np.insert(x, np.array([True, False, True]), 7.0)), [(3,)]),
    ("insert unsorted", lambda x, y: np.insert(x, [3, 1, 1], y), [(4,), (3,)]),
    ("delete", lambda x: np.delete(x, 1), [(4,)]),
    ("delete axis", lambda x: np.delete(x, [0, -1], axis=1), [(2, 4)]),
    ("delete slice", lambda x: np.delete(x, slice(None, None, 2), 0), [(5, 2)]),
    ("delete mask", lambda x: np.delete(x, np.array([True, False, True])), [(3,)]),
    ("delete nothing", lambda x: np.delete(x, []), [(3,)]),
    ("repeat", lambda x: np.repeat(x, 2), [(2, 2)]),
    ("repeat axis", lambda x: np.repeat(x, 3, axis=1), [(2, 2)]),
    ("repeat each", lambda x: np.repeat(x, [2, 0, 1], axis=0), [(3, 2)]),
    ("repeat list of one", lambda x: x.repeat([2]), [(3,)]),
    ("repeat 0-d", lambda x: np.repeat(x, 3), [()]),
    ("repeat zero", lambda x: np.repeat(x, 0), [(2,)]),
    ("tile", lambda x: np.tile(x, 3), [(2, 2)]),
    ("tile reps", lambda x: np.tile(x, (2, 1, 2)), [(2, 2)]),
    ("tile fewer", lambda x: np.tile(x, (2,)), [(1, 2, 2)]),
    ("tile 0-d", lambda x: np.tile(x, (2, 2)), [()]),
    ("resize longer", lambda x: np.resize(x, (2, 4)), [(3,)]),
    ("resize shorter", lambda x: np.resize(x, 3), [(2, 2)]),
]

PADDING: list[tuple[str, Callable[..., Any], list[tuple[int, ...]]]] = [
    ("pad", lambda x: np.pad(x, 2), [(3,)]),
    ("pad pairs", lambda x: np.pad(x, ((1, 0), (0, 2))), [(2, 3)]),
    ("pad dict", since("2.4.0")(lambda x: np.pad(x, {-1: (1, 2)})), [(2, 3)]),
    ("pad constant", lambda x: np.pad(x, (1, 2), "constant", constant_values=(3.0, 4.0)), [(2, 2)]),
    ("pad traced constant", lambda x, y: np.pad(x, 1, constant_values=y), [(2, 2), ()]),
    ("pad traced constants", lambda x, y: np.pad(x, 1, constant_values=(y[0], y[1])), [(2, 2), (2,)]),
    ("pad edge", lambda x: np.pad(x, (2, 1), mode="edge"), [(2, 3)]),
    ("pad reflect", lambda x: np.pad(x, (2, 1), mode="reflect"), [(3, 3)]),
    ("pad reflect wide", lambda x: np.pad(x, (7, 5), mode="reflect"), [(3,)]),
    ("pad reflect odd", lambda x: np.pad(x, (2, 1), mode="reflect", reflect_type="odd"), [(3, 3)]),
    ("pad reflect odd wide", lambda x: np.pad(x, (7, 5), mode="reflect", reflect_type="odd"), [(3,)]),
    ("pad reflect odd single", lambda x: np.pad(x, 2, mode="reflect", reflect_type="odd"), [(1, 3)]),
    ("pad symmetric", lambda x: np.pad(x, (2, 5), mode="symmetric"), [(3,)]),
    ("pad symmetric odd", lambda x: np.pad(x, (4, 5), mode="symmetric", reflect_type="odd"), [(3,)]),
    ("pad wrap", lambda x: np.pad(x, (2, 4), mode="wrap"), [(3, 2)]),
    ("pad ramp", lambda x: np.pad(x, (2, 3), mode="linear_ramp"), [(2, 3)]),
    ("pad ramp ends", lambda x: np.pad(x, (2, 3), "linear_ramp", end_values=((1.0, 2.0), (3.0, 4.0))), [(2, 3)]),
    ("pad ramp traced", lambda x, y: np.pad(x, (2, 3), "linear_ramp", end_values=y), [(3,), ()]),
    ("pad mean", lambda x: np.pad(x, (1, 2), mode="mean"), [(2, 3)]),
    ("pad mean length", lambda x: np.pad(x, (1, 2), mode="mean", stat_length=2), [(3, 3)]),
    ("pad maximum", lambda x: np.pad(x, (1, 2), mode="maximum"), [(3,)]),
    ("pad minimum", lambda x: np.pad(x, (1, 2), mode="minimum", stat_length=((2, 1),)), [(3,)]),
    ("pad median", lambda x: np.pad(x, (1, 2), mode="median"), [(3,)]),
    ("pad empty constant", lambda x: np.pad(x, 1), [(0, 2)]),
    ("pad beside empty", lambda x: np.pad(x, ((0, 0), (1, 1)), mode="edge"), [(0, 2)]),
]

DIAGONALS: list[tuple[str, Callable[..., Any], list[tuple[int, ...]]]] = [
    ("diag of vector", lambda x: [np.diag(x, k) for k in (-1, 0, 2)], [(3,)]),
    ("diag of matrix", lambda x: [np.diag(x, k) for k in (-2, -1, 0, 1, 3)], [(3, 4)]),
    ("diag beyond", lambda x: np.diag(x, 9), [(2, 2)]),
    ("diag empty", lambda x: np.diag(x), [(0,)]),
    ("diagflat", lambda x: np.diagflat(x, 1), [(2, 2)]),
    ("diagonal", lambda x: np.diagonal(x, offset=1, axis1=2, axis2=0), [(3, 2, 4)]),
    ("diagonal negative", lambda x: x.diagonal(-1), [(3, 2)]),
    ("linalg.diagonal", lambda x: np.linalg.diagonal(x, offset=-1), [(2, 3, 4)]),
    ("trace", lambda x: np.trace(x), [(3, 3)]),
    ("trace of stack", lambda x: np.trace(x, offset=1, axis1=1, axis2=2), [(2, 3, 4)]),
    ("linalg.trace", lambda x: np.linalg.trace(x), [(2, 3, 3)]),
    ("tril", lambda x: [np.tril(x, k) for k in (-1, 0, 1)], [(3, 4)]),
    ("triu", lambda x: [np.triu(x, k=k) for k in (-1, 0, 1)], [(2, 4, 3)]),
    ("tril of vector", lambda x: np.tril(x), [(3,)]),
    ("vander", lambda x: np.vander(x), [(3,)]),
    ("vander increasing", lambda x: np.vander(x, 4, increasing=True), [(3,)]),
    ("vander narrow", lambda x: np.vander(x, N=1), [(3,)]),
]

CREATION: list[tuple[str, Callable[..., Any], list[tuple[int, ...]]]] = [
    ("zeros_like", lambda x: x + np.zeros_like(x), [(2, 3)]),
    ("ones_like", lambda x: x * np.ones_like(x, shape=(4, 1, 1)), [(2, 3)]),
    ("empty_like", lambda x: x + 0 * np.full_like(np.empty_like(x), 1.0), [(2,)]),
    ("full_like", lambda x: x * np.full_like(x, 2.5), [(2, 3)]),
    ("full_like traced", lambda x: np.full_like(x, x[0] * x[1]), [(3,)]),
    ("linspace", lambda x, y: np.linspace(x, y, 5), [(), ()]),
    ("linspace arrays", lambda x, y: np.linspace(x, y, num=4, axis=-1), [(2,), (3, 1)]),
    ("linspace open", lambda x: np.linspace(0, x, 4, endpoint=False), [(2,)]),
    ("linspace step", lambda x: np.linspace(x, 3.0, 4, retstep=True), [()]),
    ("linspace one", lambda x: np.linspace(x, 3.0, 1), [()]),
    ("linspace none", lambda x: np.linspace(x, 3.0, 0), [()]),
    ("logspace", lambda x, y: np.logspace(x, y, 4), [(), ()]),
    ("logspace base", lambda x: np.logspace(0.0, 1.0, 3, base=x), [()]),
    ("logspace bases", lambda x, y: np.logspace(x, 1.0, 3, base=y, axis=-1), [(), (2,)]),
    ("geomspace", lambda x, y: np.geomspace(x, y, 4), [(), ()]),
    ("geomspace arrays", lambda x: np.geomspace(x, 10.0, num=3, axis=1, endpoint=False), [(2,)]),
    ("geomspace negative", lambda x: np.geomspace(-x, -10.0, num=3), [()]),
]

ALL = SHAPE + JOINING + PADDING + DIAGONALS + CREATION
CASES = [pytest.param(fun, shapes, id=name) for name, fun, shapes in ALL]
REAL_ONLY = ("maximum", "minimum", "median", "geomspace", "logspace", "insert into plain")
COMPLEX_CASES = [c for c in CASES if not any(word in str(c.id) for word in REAL_ONLY)]


def draw(shape: tuple[int, ...], dtype: Any, k: int) -> Any:
    rng = np.random.default_rng([*shape, k])
    x = rng.uniform(0.5, 2.0, shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.uniform(-1.0, 1.0, shape)
    return np.asarray(x).astype(dtype)[()]


def inputs(shapes: list[tuple[int, ...]], dtype: Any) -> list[Any]:
    return [draw(s, dtype, k) for k, s in enumerate(shapes)]


def assert_values(fun: Callable[..., Any], args: list[Any]) -> None:
    """In both modes the values are NumPy's, with its dtypes and shapes."""
    want = cv.tree.leaves(fun(*args))
    reverse, pullback = cv.vjp(fun, *args)
    forward, _ = cv.jvp(fun, tuple(args), tuple(np.ones_like(x) for x in args))
    for a, b in zip(cv.tree.leaves(cv.eval_shape(fun, *args)), want, strict=True):
        assert (a.shape, a.dtype) == (np.shape(b), np.asarray(b).dtype)
    for got in (reverse, forward):
        for a, b in zip(cv.tree.leaves(got), want, strict=True):
            assert_same_as_numpy(a, b)
    for ct, x in zip(pullback(reverse), args, strict=True):
        assert ct.dtype == x.dtype
        assert np.shape(ct) == np.shape(x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("fun", "shapes"), CASES)
def test_values(fun: Callable[..., Any], shapes: list[tuple[int, ...]], dtype: Any) -> None:
    assert_values(fun, inputs(shapes, dtype))


@pytest.mark.parametrize(("fun", "shapes"), COMPLEX_CASES)
def test_complex(fun: Callable[..., Any], shapes: list[tuple[int, ...]]) -> None:
    args = inputs(shapes, complex)
    assert_values(fun, args)
    check(fun, *args, order=1)


@pytest.mark.parametrize(("fun", "shapes"), CASES)
def test_derivatives(fun: Callable[..., Any], shapes: list[tuple[int, ...]]) -> None:
    # Squares, so that the second derivative does not vanish.
    check(lambda *xs: fun(*[x * x for x in xs]), *inputs(shapes, float))


# --- what is particular -----------------------------------------------------------------------------------------------


def test_concatenation_of_dtypes_follows_numpy() -> None:
    x = np.ones(2, np.float32)
    out, pullback = cv.vjp(lambda x: np.concatenate([x, np.arange(2), [1.5]]), x)
    assert out.dtype == np.concatenate([x, np.arange(2), [1.5]]).dtype == np.float64
    assert pullback(out)[0].dtype == np.float32
    out, pullback = cv.vjp(lambda x, y: np.concatenate([x, y]), x, np.ones(2, complex))
    assert out.dtype == complex
    real, imaginary = pullback(np.array([1 + 2j, 3j, 4.0, 5j]))
    np.testing.assert_array_equal(real, np.array([1.0, 0.0], np.float32))
    np.testing.assert_array_equal(imaginary, [4.0, 5j])


@pytest.mark.parametrize("join", [np.concatenate, np.stack, np.vstack, np.hstack])
def test_dtype_and_casting_of_joining(join: Any) -> None:
    x = np.ones(2)
    out, pullback = cv.vjp(lambda x: join([x, [1, 2]], dtype=np.float32), x)
    assert out.dtype == np.float32
    assert pullback(out)[0].dtype == np.float64
    with pytest.raises(TypeError, match="cannot cast"):
        cv.vjp(lambda x: join([x, x], dtype=np.float32, casting="safe"), x)


def test_layout_of_the_argument_decides_orders_a_and_k() -> None:
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    for order in "CFAK":
        np.testing.assert_array_equal(cv.vjp(lambda x, o=order: np.ravel(x, o), x)[0], np.ravel(x, order))
        np.testing.assert_array_equal(cv.jvp(lambda x, o=order: x.ravel(o), (x,), (x,))[0], np.ravel(x, order))
    np.testing.assert_array_equal(cv.vjp(lambda x: x.reshape(3, 2, order="A"), x)[0], x.reshape(3, 2, order="A"))


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) >= "2.1.0", reason="np.reshape now has shape=")
def test_reshape_by_its_former_keyword() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert cv.vjp(lambda x: np.reshape(x, newshape=(3, -1)), x)[0].shape == (3, 2)


@since("2.1.0")
def test_copy_false_raises_where_numpy_does() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert cv.vjp(lambda x: np.reshape(x, 6, copy=False), x)[0].shape == (6,)
    with pytest.raises(ValueError, match="copy"):
        cv.vjp(lambda x: np.reshape(x.T, 6, copy=False), x)


def test_questions_about_shape_have_plain_answers() -> None:
    def fun(x: Any) -> Any:
        assert np.shape(x) == (2, 3)
        assert np.ndim(x) == 2
        assert (np.size(x), np.size(x, 1), np.size(x, (0, 1))) == (6, 3, 6)
        assert len(x) == 2
        assert [i.tolist() for i in np.tril_indices_from(x)] == [i.tolist() for i in np.tril_indices(2, m=3)]
        assert [i.tolist() for i in np.triu_indices_from(x, 1)] == [i.tolist() for i in np.triu_indices(2, 1, 3)]
        assert [i.tolist() for i in np.diag_indices_from(x[:, :2])] == [[0, 1], [0, 1]]
        return x

    cv.vjp(fun, np.ones((2, 3)))
    cv.vmap(fun)(np.ones((4, 2, 3)))


def test_like_makes_buffers_without_derivative_and_full_takes_a_traced_value() -> None:
    def fun(x: Any) -> Any:
        made = [np.zeros(2, like=x), np.ones(2, like=x), np.eye(2, like=x), np.arange(2.0, like=x)]
        made += [np.identity(2, like=x), np.tri(2, like=x), np.zeros_like(x), np.ones_like(x, int)]
        want = [np.zeros(2), np.ones(2), np.eye(2), np.arange(2.0), np.identity(2), np.tri(2), np.zeros(2), [1, 1]]
        for got, plain in zip(made, want, strict=True):
            assert type(plain_of(got)) is np.ndarray
            assert_same_as_numpy(plain_of(got), plain)
        assert plain_of(np.empty(2, like=x)).shape == plain_of(np.empty_like(x)).shape == (2,)
        return np.full((2, 2), x[0], like=x) + sum(np.sum(m) for m in made[1:]) - 12.0

    out, pullback = cv.vjp(fun, np.array([3.0, 4.0]))
    np.testing.assert_array_equal(out, np.full((2, 2), 3.0))
    np.testing.assert_array_equal(pullback(np.ones((2, 2)))[0], [4.0, 0.0])


def test_linspace_to_integers_is_constant() -> None:
    out, pullback = cv.vjp(lambda x: x * np.linspace(x, 7.9, 4, dtype=int), 0.5)
    np.testing.assert_array_equal(out, 0.5 * np.linspace(0.5, 7.9, 4, dtype=int))
    assert pullback(np.ones(4))[0] == np.linspace(0.5, 7.9, 4, dtype=int).sum()


def test_linspace_ends_exactly_at_its_end() -> None:
    for k in range(1, 40):
        start, stop = 0.1 * k, 0.3 / k
        assert cv.vjp(lambda a, b: np.linspace(a, b, 11), start, stop)[0][-1] == stop
    assert_same_as_numpy(cv.jacrev(lambda a: np.linspace(a, 0.3, 7)[-1])(0.1), np.float64(0.0))


def test_vander_is_exact_at_zero() -> None:
    jacobian = cv.jacrev(lambda x: np.vander(x, 3, increasing=True))(np.zeros(1))
    np.testing.assert_array_equal(jacobian.ravel(), [0.0, 1.0, 0.0])
    second = cv.hessian(lambda x: np.vander(x, 3).sum())(np.zeros(1))
    np.testing.assert_array_equal(second, [[2.0]])


def test_splitting_costs_no_more_than_the_array() -> None:
    """The cotangents of the pieces are written into one buffer, however many pieces there are."""
    x = np.arange(50.0)
    out, pullback = cv.vjp(lambda x: np.stack([p.sum() for p in np.split(x, 50)]), x)
    np.testing.assert_array_equal(pullback(out)[0], x)
