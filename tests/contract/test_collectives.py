"""Named-axis collectives: their values, and one derivative in both modes, inside and outside the map."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

B = 4
X, T, U = np.random.default_rng(6).normal(size=(3, B, 3))
SHIFT = [(j, (j + 1) % B) for j in range(B)]
PARTIAL = [(0, 2), (2, 1)]


def mapped(f, **kwargs):
    return cv.vmap(f, axis_name="i", **kwargs)


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("collective", "reduce"), [(cv.psum, np.sum), (cv.pmean, np.mean), (cv.pmax, np.max), (cv.pmin, np.min)]
)
def test_reductions_give_every_lane_the_same_value(collective, reduce):
    expected = np.broadcast_to(reduce(X, axis=0), (B, 3))
    assert_allclose(mapped(lambda x: collective(x, "i"))(X), expected, rtol=1e-15)


@pytest.mark.parametrize("collective", [cv.psum, cv.pmean, cv.pmax, cv.pmin])
def test_reduced_value_is_shared(collective):
    assert mapped(lambda x: collective(x, "i"), out_axes=None)(X).shape == (3,)


def test_all_gather():
    assert_array_equal(mapped(lambda x: cv.all_gather(x, "i"), out_axes=None)(X), X)
    assert_array_equal(mapped(lambda x: cv.all_gather(x, "i"))(X), np.broadcast_to(X, (B, B, 3)))
    assert_array_equal(mapped(lambda x: cv.all_gather(x, "i", axis=1), out_axes=None)(X), X.T)
    assert_array_equal(mapped(lambda x: cv.all_gather(x, "i", tiled=True), out_axes=None)(X), X.ravel())


def test_ppermute():
    assert_array_equal(mapped(lambda x: cv.ppermute(x, "i", SHIFT))(X), np.roll(X, 1, axis=0))
    expected = np.zeros_like(X)
    expected[2], expected[1] = X[0], X[2]
    assert_array_equal(mapped(lambda x: cv.ppermute(x, "i", PARTIAL))(X), expected)


def test_axis_index_and_axis_size():
    index, size = mapped(lambda x: (cv.axis_index("i"), cv.axis_size("i")), out_axes=(0, None))(X)
    assert_array_equal(index, np.arange(B))
    assert np.issubdtype(index.dtype, np.integer)
    assert size == B


def test_axis_size_is_known_to_python():
    assert mapped(lambda x: x * np.ones(cv.axis_size("i") + 1).sum())(np.ones(B))[0] == B + 1


def test_sum_of_an_unmapped_value_counts_the_lanes():
    assert mapped(lambda x: cv.psum(1.0, "i"), out_axes=None)(X) == B
    assert_allclose(mapped(lambda x, w: cv.psum(w, "i"), in_axes=(0, None), out_axes=None)(X, 2.0), 2.0 * B, rtol=0)
    assert_allclose(mapped(lambda x, w: cv.pmean(w, "i"), in_axes=(0, None), out_axes=None)(X, 2.0), 2.0, rtol=0)


def test_trees():
    out = mapped(lambda x: cv.psum({"a": x, "b": (x[0],)}, "i"), out_axes=None)(X)
    assert_allclose(out["a"], X.sum(0), rtol=1e-14)
    assert_allclose(out["b"][0], X[:, 0].sum(), rtol=1e-14)


def test_integers_and_dtypes():
    assert_array_equal(mapped(lambda n: cv.psum(n, "i"), out_axes=None)(np.arange(B)), 6)
    assert mapped(lambda x: cv.psum(x, "i"))(X.astype(np.float32)).dtype == np.float32
    assert mapped(lambda x: cv.pmean(x, "i"))(X.astype(np.float32)).dtype == np.float32


def test_nested_axes():
    x = np.arange(24.0).reshape(2, 3, 4)

    def nest(f):
        return cv.vmap(cv.vmap(f, axis_name="j"), axis_name="i")(x)

    assert_array_equal(nest(lambda v: cv.psum(v, "i")), np.broadcast_to(x.sum(0, keepdims=True), x.shape))
    assert_array_equal(nest(lambda v: cv.psum(v, "j")), np.broadcast_to(x.sum(1, keepdims=True), x.shape))
    assert_array_equal(nest(lambda v: cv.psum(v, ("i", "j"))), np.broadcast_to(x.sum((0, 1)), x.shape))
    assert_array_equal(nest(lambda v: cv.axis_index("i") * 10 + cv.axis_index("j")), [[0, 1, 2], [10, 11, 12]])


@pytest.mark.parametrize(
    "use",
    [
        lambda x: cv.psum(x, "rows"),
        lambda x: cv.pmean(x, "rows"),
        lambda x: cv.pmax(x, "rows"),
        lambda x: cv.pmin(x, "rows"),
        lambda x: cv.all_gather(x, "rows"),
        lambda x: cv.ppermute(x, "rows", [(0, 1)]),
        lambda x: cv.axis_index("rows"),
        lambda x: cv.axis_size("rows"),
    ],
    ids=["psum", "pmean", "pmax", "pmin", "all_gather", "ppermute", "axis_index", "axis_size"],
)
def test_unbound_name_is_a_name_error(use):
    with pytest.raises(NameError, match="rows"):
        use(X)
    with pytest.raises(NameError, match="rows"):
        mapped(use)(X)
    mapped(lambda x: x)(X)
    with pytest.raises(NameError, match="rows"):
        use(X)


def test_name_is_unbound_again_after_the_map():
    mapped(lambda x: cv.psum(x, "i"))(X)
    with pytest.raises(NameError):
        cv.psum(X, "i")
    with pytest.raises(ZeroDivisionError):
        mapped(lambda x: 1 // 0)(X)
    with pytest.raises(NameError):
        cv.axis_size("i")


# --- derivatives ------------------------------------------------------------------------------------------------------

PER_LANE = {
    "psum": lambda x: cv.psum(x, "i"),
    "pmean": lambda x: cv.pmean(x, "i"),
    "pmax": lambda x: cv.pmax(x, "i"),
    "pmin": lambda x: cv.pmin(x, "i"),
    "ppermute": lambda x: cv.ppermute(x, "i", SHIFT),
    "partial ppermute": lambda x: cv.ppermute(x, "i", PARTIAL),
    "all_gather": lambda x: np.sin(cv.all_gather(x, "i")).sum(0),
    "own times sum": lambda x: np.sin(x) * cv.psum(x**2, "i"),
    "own plus sum": lambda x: x + cv.psum(x**2, "i"),
    "softmax": lambda x: np.exp(x) / cv.psum(np.exp(x), "i"),
    "normalised": lambda x: (x - cv.pmean(x, "i")) / np.sqrt(cv.pmean(x**2, "i")),
    "nested sums": lambda x: cv.psum(x + cv.psum(x**2, "i"), "i") * x,
    "sum of sums": lambda x: cv.psum(x + cv.psum(x**2, "i"), "i"),
    "shared times shared": lambda x: cv.psum(x, "i") * cv.psum(x**2, "i"),
    "twice": lambda x: cv.psum(x * cv.psum(x, "i"), "i") * x,
    "indexed": lambda x: x * cv.axis_index("i") + cv.psum(x * cv.axis_index("i"), "i") * x[0],
    "max of sums": lambda x: x * cv.pmax(x + cv.psum(x, "i"), "i"),
}


@cv.custom_jvp
def coupled(x):
    return x * cv.psum(np.sin(x), "i")


@coupled.defjvp
def coupled_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    return coupled(x), t * cv.psum(np.sin(x), "i") + x * cv.psum(np.cos(x) * t, "i")


@cv.custom_vjp
def summed(x):
    return cv.psum(np.sin(x), "i") + 0 * x


summed.defvjp(lambda x: (summed(x), x), lambda x, ct: (np.cos(x) * cv.psum(ct, "i"),))

PER_LANE |= {
    "custom_jvp": coupled,
    "custom_vjp": summed,
    "custom rules nested": lambda x: summed(coupled(x)) * x,
    "checkpoint": cv.checkpoint(lambda x: np.sin(x) * cv.psum(x**2, "i") + cv.all_gather(x, "i")[0]),
    "checkpoint closing over a lane": lambda x: cv.checkpoint(lambda v: v * x + cv.pmean(v * x, "i"))(np.cos(x)),
    "inner map": lambda x: cv.vmap(lambda v: v * cv.psum(x, "i").sum())(x),
    "linearize": lambda x: cv.linearize(lambda v: v * cv.psum(v, "i"), x)[1](np.cos(x)),
    "linear_transpose": lambda x: cv.linear_transpose(lambda v: cv.psum(v, "i") * 2, x)(np.cos(x))[0],
    "inner gradient": lambda x: cv.grad(lambda v: np.sum(np.sin(v) * cv.psum(x * v, "i")))(x),
}


@pytest.fixture(params=sorted(PER_LANE))
def lane(request):
    return PER_LANE[request.param]


def differences(lane, t, h=1e-6):
    f = mapped(lane)
    return (f(X + h * t) - f(X - h * t)) / (2 * h)


def outside_forward(lane, t):
    return cv.jvp(mapped(lane), (X,), (t,))[1]


def outside_reverse(lane, u):
    return cv.vjp(mapped(lane), X)[1](u)[0]


def inside_forward(lane, t):
    return mapped(lambda x, t: cv.jvp(lane, (x,), (t,))[1])(X, t)


def inside_reverse(lane, u):
    return mapped(lambda x, u: cv.vjp(lane, x)[1](u)[0])(X, u)


@pytest.mark.parametrize("forward", [outside_forward, inside_forward])
def test_forward_matches_differences(lane, forward):
    assert_allclose(forward(lane, T), differences(lane, T), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("forward", [outside_forward, inside_forward])
@pytest.mark.parametrize("reverse", [outside_reverse, inside_reverse])
def test_both_modes_agree_inside_and_outside(lane, forward, reverse):
    """⟨u, J t⟩ = ⟨Jᵀ u, t⟩, whichever side of the map each derivative is taken on."""
    assert_allclose(np.sum(U * forward(lane, T)), np.sum(reverse(lane, U) * T), rtol=1e-12)
    assert_allclose(reverse(lane, U), outside_reverse(lane, U), rtol=1e-12, atol=1e-13)


def test_equal_cotangents_are_no_special_case(lane):
    """A cotangent of ones in every lane is a cotangent like any other."""
    ones = np.ones((B, 3))
    assert_allclose(inside_reverse(lane, ones), outside_reverse(lane, ones), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: np.sum(np.sin(x) * cv.psum(x**2, "i")),
        lambda x: np.sum(x + cv.psum(x**2, "i")),
        lambda x: np.log(np.sum(np.exp(x) / cv.psum(np.exp(x), "i"))),
    ],
)
def test_grad_inside_of_a_per_lane_loss_is_grad_outside_of_their_sum(loss):
    inside = mapped(cv.grad(loss))(X)
    outside = cv.grad(lambda x: mapped(loss)(x).sum())(X)
    assert_allclose(inside, outside, rtol=1e-12)


def test_grad_inside_of_a_shared_loss_is_the_gradient_of_that_one_value():
    def loss(x):
        return cv.psum(np.sum(np.sin(x)), "i")

    assert_allclose(mapped(cv.grad(loss))(X), np.cos(X), rtol=1e-14)
    assert_allclose(cv.grad(lambda x: mapped(loss, out_axes=None)(x))(X), np.cos(X), rtol=1e-14)


def test_gradient_with_respect_to_a_shared_argument():
    w = np.array([0.5, -1.0, 2.0])

    def loss(w, x):
        return cv.pmean(np.sum((x @ w) ** 2), "i")

    expected = np.mean(2 * (X @ w)[:, None] * X, axis=0)
    outside = cv.grad(lambda w: mapped(loss, in_axes=(None, 0), out_axes=None)(w, X))(w)
    assert_allclose(outside, expected, rtol=1e-13)


@pytest.mark.parametrize("collective", [cv.pmax, cv.pmin])
def test_tie_of_a_maximum_is_shared_evenly(collective):
    tie = np.array([1.0, 1.0, 1.0, 1.0])
    j = cv.jacrev(mapped(lambda x: collective(x, "i"), out_axes=None))(tie)
    assert_allclose(j, np.full(4, 0.25), rtol=1e-15)
    j = cv.jacfwd(mapped(lambda x: collective(x, "i"), out_axes=None))(tie)
    assert_allclose(j, np.full(4, 0.25), rtol=1e-15)


@pytest.mark.parametrize("outer", [cv.jacrev, cv.jacfwd])
@pytest.mark.parametrize("inner", [cv.jacrev, cv.jacfwd])
def test_second_order_through_collectives(outer, inner):
    def loss(x):
        return mapped(lambda x: cv.psum(x**2, "i") * x)(x).sum()

    x = X[:, 0]
    s, n = x.sum(), np.eye(B)
    # loss = Σx² Σx, so the Hessian is 2 s δ + 2 xᵢ + 2 xⱼ
    assert_allclose(outer(inner(loss))(x), 2 * s * n + 2 * x[:, None] + 2 * x[None, :], rtol=1e-12)


def test_collectives_under_another_map():
    xs = np.stack([X, T])
    both = cv.vmap(mapped(lambda x: np.sin(x) * cv.psum(x**2, "i")))(xs)
    assert_allclose(both[1], mapped(lambda x: np.sin(x) * cv.psum(x**2, "i"))(T), rtol=1e-14)


# --- inside checkpoint ------------------------------------------------------------------------------------------------

PROGRAMS = {
    "psum": lambda y: y * cv.psum(np.sin(y), "i"),
    "psum of a psum": lambda y: cv.psum(y * cv.psum(y**2, "i"), "i"),
    "all_gather": lambda y: cv.all_gather(y, "i").sum(0) * y,
    "ppermute": lambda y: y * cv.ppermute(y**2, "i", PARTIAL),
    "one value for all lanes": lambda y: cv.psum(y**2, "i"),
}
CHECKPOINTS = {"once": cv.checkpoint, "twice": lambda f: cv.checkpoint(cv.checkpoint(f))}


@pytest.mark.parametrize("checkpoints", sorted(CHECKPOINTS))
@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_checkpoint_changes_no_derivative_of_a_collective(program, checkpoints):
    f = PROGRAMS[program]
    g = CHECKPOINTS[checkpoints](f)
    w, one = X[0], np.ones(3)
    for run in (
        lambda h: mapped(h)(X),
        lambda h: cv.jvp(mapped(h), (X,), (T,))[1],
        lambda h: cv.vjp(mapped(h), X)[1](U)[0],
        lambda h: mapped(lambda x: cv.vjp(h, x)[1](one)[0])(X),
        lambda h: mapped(lambda t: cv.jvp(h, (w,), (t,))[1])(T),
        lambda h: mapped(lambda x, t: cv.jvp(lambda y: cv.vjp(h, y)[1](one)[0], (x,), (t,))[1])(X, T),
        lambda h: cv.jacrev(lambda w: mapped(lambda x: h(w) * x)(X))(w),
    ):
        assert_allclose(run(g), run(f), rtol=1e-12, atol=1e-12)
