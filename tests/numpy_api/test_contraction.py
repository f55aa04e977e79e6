"""Products of vectors, matrices and tensors: NumPy's values in every call form, both modes, batched, second order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from helpers import assert_same_as_numpy, since
from numpy_api.function_cases import check_derivatives, check_values, params

RNG = np.random.default_rng(0)


def real(*shape: int) -> Any:
    return RNG.normal(size=shape)


def unreal(*shape: int) -> Any:
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


M = real(3, 4)
INTEGERS = np.arange(6).reshape(2, 3)

CASES: list[tuple[str, Callable[..., Any], list[Any]]] = [
    ("dot vectors", np.dot, [(3,), (3,)]),
    ("dot matrices", np.dot, [(2, 3), (3, 4)]),
    ("dot matrix vector", np.dot, [(2, 3), (3,)]),
    ("dot vector matrix", np.dot, [(3,), (3, 2)]),
    ("dot vector square matrix", np.dot, [(3,), (3, 3)]),
    ("dot square matrix vector", np.dot, [(3, 3), (3,)]),
    ("dot scalar", lambda x, y: np.dot(x, y) + np.dot(2.0, y), [(), (3, 2)]),
    ("dot tensors", np.dot, [(2, 3), (4, 3, 2)]),
    ("dot tensor matrix", np.dot, [(2, 2, 3), (3, 2)]),
    ("dot vector tensor", np.dot, [(3,), (2, 3, 2)]),
    ("dot keyword", lambda x: np.dot(a=x, b=M), [(2, 3)]),
    ("dot method", lambda x: x.dot(M), [(2, 3)]),
    ("dot plain left", lambda x: np.dot(M, x), [(4,)]),
    ("dot list", lambda x: np.dot([1.0, 2.0, 3.0], x), [(3,)]),
    ("dot integers", lambda x: np.dot(INTEGERS, x), [(3,)]),
    ("matmul operator", lambda x, y: x @ y, [(2, 3), (3, 2)]),
    ("matmul reflected", lambda x: M.T @ x @ M, [(3, 3)]),
    ("matmul stacked", np.matmul, [(2, 2, 3), (2, 3, 2)]),
    ("matmul broadcast", np.matmul, [(2, 1, 2, 3), (3, 3, 2)]),
    ("matmul stack times matrix", np.matmul, [(4, 2, 3), (3, 2)]),
    ("matmul matrix times stack", np.matmul, [(2, 3), (4, 3, 2)]),
    ("matmul stack times vector", np.matmul, [(2, 2, 3), (3,)]),
    ("matmul vector times stack", np.matmul, [(3,), (2, 3, 2)]),
    ("matmul stack times transposed", lambda x, y: np.matmul(x, y.T), [(4, 2, 3), (2, 3)]),
    ("matmul empty", np.matmul, [(2, 0), (0, 3)]),
    ("matmul axes", lambda x, y: np.matmul(x, y, axes=[(0, 1), (1, 0), (-1, -2)]), [(2, 3, 4), (4, 3, 4)]),
    ("linalg.matmul", np.linalg.matmul, [(2, 3), (3, 2)]),
    ("vecdot", np.vecdot, [(2, 3), (2, 3)]),
    ("vecdot broadcast", np.vecdot, [(2, 1, 3), (4, 3)]),
    ("vecdot with vector", lambda x, y: np.vecdot(x, y) + np.vecdot(y, x), [(2, 3), (3,)]),
    ("vecdot axis", lambda x, y: np.vecdot(x, y, axis=0), [(3, 2), (3, 2)]),
    ("vecdot keepdims", lambda x, y: np.vecdot(x, y, axis=0, keepdims=True), [(3, 2), (3, 2)]),
    ("vecdot keepdims last", lambda x, y: np.vecdot(x, y, keepdims=True), [(3, 2), (3, 2)]),
    ("linalg.vecdot", lambda x, y: np.linalg.vecdot(x, y, axis=-2), [(3, 2), (3, 2)]),
    ("matvec", since("2.2.0")(lambda x, y: np.matvec(x, y)), [(2, 2, 3), (2, 3)]),
    ("matvec shared matrix", since("2.2.0")(lambda x, y: np.matvec(x, y)), [(2, 3), (4, 3)]),
    ("matvec shared vector", since("2.2.0")(lambda x, y: np.matvec(x, y)), [(4, 2, 3), (3,)]),
    ("vecmat", since("2.2.0")(lambda x, y: np.vecmat(x, y)), [(2, 3), (2, 3, 2)]),
    ("vecmat shared matrix", since("2.2.0")(lambda x, y: np.vecmat(x, y)), [(4, 3), (3, 2)]),
    ("vecmat axes", since("2.2.0")(lambda x, y: np.vecmat(x, y, axes=[(0,), (1, 0), (0,)])), [(3, 4), (2, 3, 4)[:2]]),
    ("inner vectors", np.inner, [(3,), (3,)]),
    ("inner matrices", np.inner, [(2, 3), (4, 3)]),
    ("inner tensors", np.inner, [(2, 3), (2, 4, 3)]),
    ("inner scalar", lambda x, y: np.inner(x, y), [(), (3,)]),
    ("outer", lambda x, y: np.outer(a=x, b=y), [(2, 2), (3,)]),
    ("outer scalar", lambda x: np.outer(x, [1.0, 2.0]), [()]),
    ("linalg.outer", np.linalg.outer, [(2,), (3,)]),
    ("vdot", np.vdot, [(2, 3), (6,)]),
    ("tensordot default", np.tensordot, [(4, 2, 3), (2, 3, 2)]),
    ("tensordot count", lambda x, y: np.tensordot(x, y, axes=1), [(2, 3), (3, 2)]),
    ("tensordot zero", lambda x, y: np.tensordot(x, y, 0), [(2,), (3, 2)]),
    ("tensordot pair", lambda x, y: np.tensordot(x, y, axes=(0, -1)), [(3, 2), (2, 3)]),
    ("tensordot lists", lambda x, y: np.tensordot(x, y, axes=([0, 2], [1, 0])), [(3, 2, 4), (4, 3, 2)]),
    ("linalg.tensordot", lambda x, y: np.linalg.tensordot(x, y, axes=1), [(2, 3), (3,)]),
    ("kron", np.kron, [(2, 3), (2, 2)]),
    ("kron ranks", lambda x, y: np.kron(x, y)[0] + np.kron(y, x)[0], [(2,), (2, 2)]),
    ("cross", np.cross, [(3,), (3,)]),
    ("cross stacked", np.cross, [(2, 3), (3,)]),
    ("cross axis", lambda x, y: np.cross(x, y, axis=0), [(3, 2), (3, 2)]),
    ("cross axes", lambda x, y: np.cross(x, y, axisa=0, axisb=1, axisc=0), [(3, 2), (2, 3)]),
    ("linalg.cross", lambda x, y: np.linalg.cross(x, y, axis=0), [(3, 2), (3, 2)]),
    ("multi_dot", lambda x, y, z: np.linalg.multi_dot([x, y, z]), [(2, 5), (5, 3), (3, 2)]),
    ("multi_dot vectors", lambda x, y, z: np.linalg.multi_dot((x, y, z)), [(3,), (3, 2), (2,)]),
    ("multi_dot two", lambda x: np.linalg.multi_dot([M, x]), [(4, 2)]),
]


@pytest.mark.parametrize(("fun", "args"), params(CASES))
def test_product(fun: Callable[..., Any], args: list[Any]) -> None:
    check_values(fun, args)
    check_derivatives(fun, args)


EINSUM: list[tuple[str, list[tuple[int, ...]]]] = [
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ij,jk->ki", [(2, 3), (3, 4)]),
    ("ba", [(2, 3)]),
    ("ij->", [(2, 3)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iij->j", [(3, 3, 2)]),
    ("iii->i", [(2, 2, 2)]),
    ("iji,jk->ki", [(2, 3, 2), (3, 2)]),
    ("...ij,...jk", [(4, 2, 3), (3, 2)]),
    ("...ij,...jk->...ki", [(2, 1, 2, 3), (3, 3, 2)]),
    ("i...->...", [(3, 2)]),
    ("...,...->...", [(2, 3), (3,)]),
    ("ij,i...->j...", [(2, 3), (2, 2, 2)]),
    ("i,j,k->ikj", [(2,), (3,), (2,)]),
    ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
    ("bij,bjk,k->bi", [(2, 3, 3), (2, 3, 2), (2,)]),
    ("ij,ij->i", [(2, 3), (2, 3)]),
    ("ij,ij->ij", [(1, 3), (2, 1)]),
    ("ij,jk->ik", [(2, 1), (3, 4)]),
    ("ij,kj->", [(2, 3), (4, 3)]),
    (",i->i", [(), (3,)]),
    (" i j , j -> i ", [(2, 3), (3,)]),
    ("ij,jk", [(0, 3), (3, 2)]),
]


@pytest.mark.parametrize(("subscripts", "shapes"), EINSUM)
def test_einsum(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    (case,) = params([(subscripts, lambda *xs: np.einsum(subscripts, *xs), shapes)])
    check_values(*case.values)
    check_derivatives(*case.values)


@pytest.mark.parametrize("optimize", [False, True, "greedy", "optimal", ["einsum_path", (1, 2), (0, 1)]])
def test_einsum_optimize(optimize: Any) -> None:
    xs = real(2, 3), real(3, 4), real(4, 2)
    fun = lambda *xs: np.einsum("ij,jk,kl->il", *xs, optimize=optimize)
    assert_allclose(cv.vjp(fun, *xs)[0], fun(*xs), rtol=1e-12)
    check_derivatives(fun, xs, order=1)


def test_einsum_path_needs_shapes_only() -> None:
    x, y, z = real(2, 3), real(3, 4), real(4, 2)
    seen = []

    def fun(x: Any) -> Any:
        seen.append(np.einsum_path("ij,jk,kl", x, y, z)[0])
        return np.einsum("ij,jk,kl", x, y, z, optimize=seen[-1]).sum()

    assert_allclose(cv.grad(fun)(x), cv.grad(lambda x: (x @ y @ z).sum())(x), rtol=1e-12)
    assert seen[0] == np.einsum_path("ij,jk,kl", x, y, z)[0]


def test_einsum_with_lists_of_labels() -> None:
    x, y = real(2, 3), real(3, 4)
    for fun in (
        lambda x: np.einsum(x, [0, 1], y, [1, 2], [2, 0]),
        lambda x: np.einsum(x, [7, 30], y, [30, 2]),
        lambda x: np.einsum(x, [0, Ellipsis], y, [1, 2], [2, Ellipsis]),
    ):
        assert_same_as_numpy(cv.vjp(fun, x)[0], fun(x))


@pytest.mark.parametrize("scalar", [2, 2.5, np.int64(3), np.float32(2.5), np.array(3)], ids=repr)
def test_einsum_with_a_plain_scalar(scalar: Any) -> None:
    fun = lambda x: np.einsum("ij,", x, scalar)
    check_values(fun, [real(2, 3)])
    check_derivatives(fun, [real(2, 3)])


def test_einsum_dtype_and_casting() -> None:
    x, y = real(2, 3).astype(np.float32), real(3, 2).astype(np.float32)
    fun = lambda x: np.einsum("ij,jk", x, y, dtype=np.float64)
    assert_same_as_numpy(cv.vjp(fun, x)[0], fun(x))
    with pytest.raises(TypeError, match="cast"):
        cv.vjp(lambda x: np.einsum("ij,jk", x, y, dtype=np.float32), real(2, 3))


@pytest.mark.parametrize("subscripts", ["ij,jk->ii", "ij,kj", "ijk,jk", "ij,jk->m", "...i,jk->i"])
def test_einsum_refuses_what_numpy_refuses(subscripts: str) -> None:
    x, y = real(2, 3), real(3, 4)
    with pytest.raises(ValueError):
        np.einsum(subscripts, x, y)
    with pytest.raises(ValueError):
        cv.vjp(lambda x: np.einsum(subscripts, x, y), x)


CONJUGATING: list[tuple[str, Callable[..., Any], list[tuple[int, ...]]]] = [
    ("dot", np.dot, [(2, 3), (3,)]),
    ("matmul", np.matmul, [(2, 2, 3), (3, 2)]),
    ("vdot", np.vdot, [(3,), (3,)]),
    ("vecdot", np.vecdot, [(2, 3), (2, 3)]),
    ("matvec", since("2.2.0")(lambda x, y: np.matvec(x, y)), [(2, 3), (3,)]),
    ("vecmat", since("2.2.0")(lambda x, y: np.vecmat(x, y)), [(2, 3), (2, 3, 2)]),
    ("inner", np.inner, [(2, 3), (2, 3)]),
    ("outer", np.outer, [(2,), (3,)]),
    ("einsum", lambda x, y: np.einsum("ij,kj->ik", x, y), [(2, 3), (2, 3)]),
    ("kron", np.kron, [(2,), (3,)]),
    ("cross", np.cross, [(3,), (3,)]),
]


@pytest.mark.parametrize("kinds", [(unreal, unreal), (unreal, real), (real, unreal)], ids=["cc", "cr", "rc"])
@pytest.mark.parametrize(("name", "fun", "shapes"), CONJUGATING)
def test_complex(name: str, fun: Callable[..., Any], shapes: list[tuple[int, ...]], kinds: Any) -> None:
    args = [kind(*shape) for kind, shape in zip(kinds, shapes, strict=True)]
    assert_same_as_numpy(cv.vjp(fun, *args)[0], fun(*args))
    check_derivatives(fun, args)


@pytest.mark.parametrize(("name", "fun", "shapes"), CONJUGATING)
def test_single_precision_stays_single(name: str, fun: Callable[..., Any], shapes: list[tuple[int, ...]]) -> None:
    args = [real(*shape).astype(np.float32) for shape in shapes]
    out, pull = cv.vjp(fun, *args)
    assert out.dtype == np.float32
    assert [x.dtype for x in pull(np.ones_like(out))] == [np.float32] * 2
    tangent = cv.jvp(fun, tuple(args), tuple(args))[1]
    assert tangent.dtype == np.float32


def test_cross_of_plane_vectors_warns_as_numpy_does() -> None:
    x, y = real(2), real(2)
    with pytest.warns(DeprecationWarning):
        got = cv.grad(lambda x: np.cross(x, y))(x)
    assert_array_equal(got, [y[1], -y[0]])
    z = real(3)
    with pytest.warns(DeprecationWarning):
        mixed = cv.jacrev(lambda x: np.cross(z, x))(x)
    assert_allclose(mixed, cv.jacfwd(lambda x: np.cross(z, np.append(x, 0.0)))(x), rtol=1e-14)


REFUSED: list[tuple[str, Callable[..., Any], type[Exception]]] = [
    ("dot lengths", lambda x: np.dot(x, np.ones(4)), ValueError),
    ("matmul lengths", lambda x: x @ np.ones(4), ValueError),
    ("matmul scalar", lambda x: np.matmul(x, 2.0), ValueError),
    ("inner lengths", lambda x: np.inner(x, np.ones(4)), ValueError),
    ("tensordot lengths", lambda x: np.tensordot(x, np.ones(4), 1), ValueError),
    ("tensordot repeated", lambda x: np.tensordot(x, np.ones((3, 3)), ([0, 0], [0, 1])), ValueError),
    ("cross length", lambda x: np.cross(x[:1], np.ones(3)), ValueError),
    ("linalg.cross length", lambda x: np.linalg.cross(x[:2], np.ones(2)), ValueError),
    ("multi_dot one", lambda x: np.linalg.multi_dot([x]), ValueError),
    ("multi_dot ranks", lambda x: np.linalg.multi_dot([x, x, x]), np.linalg.LinAlgError),
    ("vecdot scalar", lambda x: np.vecdot(x, 1.0), ValueError),
    ("dot out", lambda x: np.dot(x, np.ones(3), out=np.zeros(())), cv.TracerConversionError),
    ("einsum out", lambda x: np.einsum("i->", x, out=np.zeros(())), cv.TracerConversionError),
    ("list of traced", lambda x: np.dot([x[0], x[1], x[2]], x), cv.TracerConversionError),
]


@pytest.mark.parametrize(("name", "fun", "error"), REFUSED)
@pytest.mark.parametrize("transform", [cv.vjp, lambda f, x: cv.vmap(f)(np.stack([x, x]))], ids=["vjp", "vmap"])
def test_refused(name: str, fun: Callable[..., Any], error: type[Exception], transform: Any) -> None:
    with pytest.raises(error):
        transform(fun, np.ones(3))


def test_matmul_mismatch_under_eval_shape_names_the_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\)"):
        cv.eval_shape(lambda x: x @ np.ones(4), np.ones(3))


def test_a_batch_of_vectors_times_a_shared_matrix_is_one_product() -> None:
    """The unbatched operand stays unbatched, forwards and backwards, so that BLAS sees plain matrices."""
    seen: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    matmul = cv.core.primitive.PRIMITIVES["matmul"]
    original = matmul.impl

    def spy(a: Any, b: Any) -> Any:
        seen.append((a.shape, b.shape))
        return original(a, b)

    matmul.impl = spy
    try:
        w, xs = real(3, 2), real(5, 3)
        cv.vmap(lambda x: x @ w)(xs)
        cv.vmap(lambda x: w.T @ x)(xs)
        cv.vmap(cv.grad(lambda x: (x @ w).sum()))(xs)
    finally:
        matmul.impl = original
    assert seen[:2] == [((5, 3), (3, 2))] * 2
    assert all(len(a) <= 2 and len(b) <= 2 for a, b in seen)


def test_the_gradient_of_a_matrix_product_costs_two_products() -> None:
    matmul = cv.core.primitive.PRIMITIVES["matmul"]
    x, w = real(4, 3), real(3, 2)
    pull = cv.vjp(np.matmul, x, w)[1]
    ct = real(4, 2)
    dx, dw = pull(ct)
    assert_array_equal(dx, ct @ w.T)
    assert_array_equal(dw, x.T @ ct)
    graph = cv.make_graph(lambda ct: matmul.vjp(ct, [True, True], None, (x, w)))(ct)
    assert str(graph).count("matmul") == 2 and "contract" not in str(graph)
