"""`vmap`: axes in and out, keywords, sizes, chunks, and what needs a value."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

RNG = np.random.default_rng(5)
M = RNG.normal(size=(4, 3))


def test_maps_over_the_leading_axis():
    seen = []

    def f(row):
        seen.append((row.shape, row.ndim, row.size, len(row)))
        return np.sin(row).sum()

    assert_allclose(cv.vmap(f)(M), np.sin(M).sum(1), rtol=1e-14)
    assert seen == [((3,), 1, 3, 3)]


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_in_axes_and_out_axes_int(axis):
    x = RNG.normal(size=(2, 3, 4))
    expected = np.moveaxis(np.cumsum(np.moveaxis(x, axis, 0), axis=1), 0, axis)
    assert_allclose(cv.vmap(lambda v: np.cumsum(v, axis=0), in_axes=axis, out_axes=axis)(x), expected, rtol=1e-14)


def test_none_is_not_mapped():
    w = RNG.normal(size=3)
    assert_allclose(cv.vmap(lambda row, w: row @ w, in_axes=(0, None))(M, w), M @ w, rtol=1e-14)
    assert_allclose(cv.vmap(lambda w, col: w @ col, in_axes=(None, 1))(np.ones(4), M), M.sum(0), rtol=1e-14)


def test_in_axes_prefix_of_a_tree():
    tree = {"a": M, "b": (M.T, 2.0)}
    got = cv.vmap(lambda t: t["a"] * t["b"][0] * t["b"][1], in_axes=({"a": 0, "b": (1, None)},))(tree)
    assert_allclose(got, 2 * M * M, rtol=1e-15)
    got = cv.vmap(lambda t, s: (t[0] + t[1]["k"]) * s, in_axes=(0, None))((M, {"k": M}), 2.0)
    assert_allclose(got, 4 * M, rtol=1e-15)


def test_axes_in_a_dict_go_by_key_and_not_by_order():
    x, w = RNG.normal(size=(2, 3, 3))
    got = cv.vmap(lambda t: t["x"] @ t["w"], in_axes=({"w": None, "x": 0},))({"x": x, "w": w})
    assert_allclose(got, x @ w, rtol=1e-14)
    got = cv.vmap(lambda r: {"a": r, "b": r.sum()}, out_axes={"b": 0, "a": 1})(M)
    assert got["a"].shape == (3, 4) and got["b"].shape == (4,)


def test_printing_one_lane_takes_the_format_of_a_number():
    seen = []
    cv.vmap(lambda x: (seen.append(f"{x:.3f}"), x)[1])(np.ones(2))
    assert "vmap" in seen[0]


def test_out_axes_prefix_of_a_tree():
    out = cv.vmap(lambda r: {"a": (r, 2 * r), "b": r.sum()}, out_axes={"a": 1, "b": 0})(M)
    assert_array_equal(out["a"][0], M.T)
    assert_array_equal(out["a"][1], 2 * M.T)
    assert_allclose(out["b"], M.sum(1), rtol=1e-14)


def test_keyword_arguments_are_mapped_over_axis_0():
    got = cv.vmap(lambda r, *, scale, shift: r * scale + shift["s"])(M, scale=np.arange(4.0), shift={"s": np.ones(4)})
    assert_allclose(got, M * np.arange(4.0)[:, None] + 1, rtol=1e-15)
    got = cv.vmap(lambda r, *, scale: r * scale, in_axes=1)(M, scale=np.arange(3.0))
    assert_allclose(got, (M * np.arange(3.0)).T, rtol=1e-15)


def test_output_that_does_not_depend_on_the_batch_is_repeated():
    out = cv.vmap(lambda r: (1.0, np.arange(2), r))(M)
    assert_array_equal(out[0], np.ones(4))
    assert_array_equal(out[1], np.tile(np.arange(2), (4, 1)))
    assert out[1].dtype == np.arange(2).dtype


def test_out_axes_none_for_a_shared_output():
    out, shared = cv.vmap(lambda r: (r, np.arange(2)), out_axes=(0, None))(M)
    assert_array_equal(out, M)
    assert_array_equal(shared, np.arange(2))


def test_out_axes_none_for_a_batched_output_is_refused():
    with pytest.raises(ValueError, match="out_axes"):
        cv.vmap(lambda r: r, out_axes=None)(M)
    with pytest.raises(ValueError, match="out_axes"):
        cv.vmap(lambda r: (r, r), out_axes=(0, None))(M)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, np.float16, np.float32, np.complex64])
def test_dtypes_are_kept(dtype):
    x = np.ones((4, 3), dtype)
    assert cv.vmap(lambda r: r[::-1])(x).dtype == dtype
    assert cv.vmap(lambda r: r[0])(x).dtype == dtype
    assert cv.vmap(lambda r: r + r)(x).dtype == (x + x).dtype


def test_scalar_lanes_behave_like_numpy_scalars():
    assert_array_equal(cv.vmap(lambda s: (s > 0, s + 1))(np.array([-1, 2]))[0], [False, True])
    assert cv.vmap(lambda s: s * 2.5)(np.array([1, 2], np.float32)).dtype == np.float32


@pytest.mark.parametrize("in_axes", [0, 1])
def test_batch_size_zero(in_axes):
    x = np.zeros((0, 3)) if in_axes == 0 else np.zeros((3, 0))
    assert cv.vmap(np.sin, in_axes=in_axes)(x).shape == (0, 3)
    assert cv.vmap(lambda r: r.sum(), in_axes=in_axes)(x).shape == (0,)
    assert cv.vmap(cv.grad(lambda r: r @ r), in_axes=in_axes)(x).shape == (0, 3)
    assert cv.vmap(lambda r: np.ones((2, 2)), in_axes=in_axes)(x).shape == (0, 2, 2)


def test_axis_size_for_functions_without_mapped_arguments():
    assert_array_equal(cv.vmap(lambda: np.ones(2), axis_size=3)(), np.ones((3, 2)))
    assert_array_equal(cv.vmap(lambda x: 2 * x, in_axes=None, axis_size=3)(1.0), [2.0, 2.0, 2.0])
    with pytest.raises(ValueError, match="axis_size"):
        cv.vmap(lambda x: 2 * x, in_axes=None)(1.0)
    with pytest.raises(ValueError, match=r"axis_size|size"):
        cv.vmap(lambda x: x, axis_size=3)(M)


# --- disagreement -----------------------------------------------------------------------------------------------------


def test_sizes_that_disagree_are_listed_with_argument_axis_and_size():
    with pytest.raises(ValueError) as info:
        cv.vmap(lambda rows, weights: rows @ weights, in_axes=(0, 1))(M, np.ones((3, 7)))
    message = str(info.value)
    assert "rows" in message or "argument 0" in message
    assert "weights" in message or "argument 1" in message
    assert "4" in message and "7" in message
    assert "axis 0" in message and "axis 1" in message


def test_sizes_that_disagree_inside_a_tree_and_in_keywords():
    with pytest.raises(ValueError) as info:
        cv.vmap(lambda p: p["first"])({"first": M, "second": np.ones(5)})
    assert "first" in str(info.value) and "second" in str(info.value)
    with pytest.raises(ValueError, match="scale"):
        cv.vmap(lambda r, *, scale: r)(M, scale=np.ones(5))


@pytest.mark.parametrize("axis", [2, -3])
def test_axis_beyond_the_dimensions_is_refused(axis):
    with pytest.raises(ValueError, match=r"in_axes|axis"):
        cv.vmap(lambda r: r, in_axes=axis)(M)


@pytest.mark.parametrize("scalar", [1.0, np.float64(1), np.array(1.0)])
def test_scalar_has_no_axis_to_map(scalar):
    with pytest.raises(ValueError, match=r"in_axes|axis"):
        cv.vmap(lambda x: x)(scalar)


@pytest.mark.parametrize("in_axes", [(0,), (0, 0, 0), ({"a": 0}, 0)])
def test_in_axes_that_fit_no_argument_are_refused(in_axes):
    with pytest.raises((ValueError, TypeError), match="in_axes"):
        cv.vmap(lambda x, y: x, in_axes=in_axes)(M, M)


@pytest.mark.parametrize("bad", ["0", 1.5])
def test_axes_are_ints_or_none(bad):
    with pytest.raises((ValueError, TypeError), match="in_axes"):
        cv.vmap(lambda x: x, in_axes=bad)(M)


# --- what needs a value -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x if x > 0 else -x,
        lambda x: bool(x),
        lambda x: np.arange(int(x)),
        lambda x: 1 if x == 0 else 2,
        lambda x: x and 1,
        lambda x: [0, 1, 2][x.astype(int)],
    ],
    ids=["if", "bool", "int", "==", "and", "index"],
)
def test_branching_on_a_batched_value_is_a_concretization_error(f):
    with pytest.raises(cv.ConcretizationError):
        cv.vmap(f)(np.array([1.0, -1.0]))
    with pytest.raises(cv.ConcretizationError):
        cv.vmap(cv.grad(lambda x: 1.0 * f(x)))(np.array([1.0, -1.0]))


def test_branching_on_an_unmapped_value_is_fine():
    got = cv.vmap(lambda x, flag: x if flag > 0 else -x, in_axes=(0, None))(M, 1.0)
    assert_array_equal(got, M)


def test_boolean_mask_of_a_batched_value_is_refused():
    with pytest.raises((cv.ConcretizationError, cv.NotDifferentiableError)):
        cv.vmap(lambda x: x[x > 0])(M)


# --- nesting and derivatives ------------------------------------------------------------------------------------------


def test_nested_maps():
    pairwise = cv.vmap(cv.vmap(lambda a, b: a @ b, in_axes=(None, 0)), in_axes=(0, None))
    assert_allclose(pairwise(M, M), M @ M.T, rtol=1e-14)


def test_closure_over_an_outer_batch():
    got = cv.vmap(lambda a: cv.vmap(lambda b: a * b)(np.arange(3.0)))(np.arange(4.0))
    assert_array_equal(got, np.outer(np.arange(4.0), np.arange(3.0)))


def test_derivatives_of_a_map_and_maps_of_a_derivative():
    def f(r):
        return np.sum(np.sin(r) * r)

    df = np.cos(M) * M + np.sin(M)
    assert_allclose(cv.vmap(cv.grad(f))(M), df, rtol=1e-14)
    assert_allclose(cv.grad(lambda m: cv.vmap(f)(m).sum())(M), df, rtol=1e-14)
    assert_allclose(cv.jvp(cv.vmap(f), (M,), (np.ones_like(M),))[1], df.sum(1), rtol=1e-13)
    value, g = cv.vmap(cv.value_and_grad(f))(M)
    assert_allclose(value, np.sum(np.sin(M) * M, axis=1), rtol=1e-14)
    assert_allclose(g, df, rtol=1e-14)
    assert cv.vmap(cv.hessian(f))(M).shape == (4, 3, 3)


def test_shared_argument_gets_the_summed_gradient():
    w = RNG.normal(size=3)
    g = cv.grad(lambda w: cv.vmap(lambda r: np.sin(r @ w))(M).sum())(w)
    assert_allclose(g, np.cos(M @ w) @ M, rtol=1e-13)


# --- chunk_size -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [None, 1, 2, 3, 4, 5, 100])
def test_chunks_do_not_change_the_result(chunk_size):
    run = cv.vmap(
        lambda r, w: {"a": np.sin(r) * w, "b": r.sum()},
        in_axes=(0, None),
        out_axes={"a": 1, "b": 0},
        chunk_size=chunk_size,
    )
    out = run(M, 2.0)
    assert_allclose(out["a"], 2 * np.sin(M).T, rtol=1e-15)
    assert_allclose(out["b"], M.sum(1), rtol=1e-14)
    assert_allclose(cv.grad(lambda w: run(M, w)["a"].sum())(2.0), np.sin(M).sum(), rtol=1e-13)


@pytest.mark.parametrize("bad", [0, -1, 1.5, "many"])
def test_chunk_size_is_checked(bad):
    with pytest.raises(ValueError, match="chunk_size"):
        cv.vmap(np.sin, chunk_size=bad)(M)
