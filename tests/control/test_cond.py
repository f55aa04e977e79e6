"""`cond` and `switch` called eagerly, recorded, under every transform, and what they refuse."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.testing import check_grads

HOW = ("auto", "select", "loop")


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def kinked(x: Any, how: str = "auto") -> Any:
    """A branch that is not defined where the other one is taken, and whose derivative is not either."""
    return cv.cond(x > 0, lambda x: np.log(x) * np.sqrt(x), lambda x: np.exp(-x) * x, x, branch=how)


def kinked_alone(x: float) -> float:
    return np.log(x) * np.sqrt(x) if x > 0 else np.exp(-x) * x


def slope_alone(x: float) -> float:
    return (0.5 * np.log(x) + 1.0) / np.sqrt(x) if x > 0 else np.exp(-x) * (1.0 - x)


XS = np.array([0.5, -1.5, 0.0, 2.0, -0.25])
SLOPES = np.array([slope_alone(x) for x in XS])


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pred", [True, np.True_, np.array(True), 1, np.int32(-3)])
def test_true(pred: Any) -> None:
    assert cv.cond(pred, lambda: 1.0, lambda: 2.0) == 1.0


@pytest.mark.parametrize("pred", [False, np.False_, np.array(False), 0, np.uint8(0)])
def test_false(pred: Any) -> None:
    assert cv.cond(pred, lambda: 1.0, lambda: 2.0) == 2.0


@pytest.mark.parametrize(("index", "want"), [(-3, 0), (0, 0), (1, 1), (2, 2), (7, 2), (np.int64(1), 1)])
def test_switch_clamps(index: Any, want: int) -> None:
    branches = [lambda k=k: np.int64(k) for k in range(3)]
    assert cv.switch(index, branches) == want
    assert cv.jit(lambda i: cv.switch(i, branches))(index) == want
    assert cv.vmap(lambda i: cv.switch(i, branches))(np.array([index, 0]))[0] == want


def test_only_the_branch_taken_is_called() -> None:
    def forbidden() -> Any:
        raise AssertionError("called")

    assert cv.cond(True, lambda: 1.0, forbidden) == 1.0
    assert cv.switch(1, [forbidden, lambda: 1.0, forbidden]) == 1.0
    assert cv.grad(lambda x: cv.cond(x > 0, lambda: x * x, forbidden))(3.0) == 6.0


def test_python_numbers_become_numpy_scalars() -> None:
    out = cv.cond(True, lambda: (1.0, 2, 1j, True), lambda: (0.0, 0, 0j, False))
    assert [type(x) for x in out] == [np.float64, np.int64, np.complex128, np.bool_]
    kinds: list[Any] = []
    cv.cond(True, lambda x: kinds.append(type(x)), lambda x: None, 1.0)
    assert kinds == [np.float64]


def test_operands_and_results_are_trees() -> None:
    def f(p: Any, d: dict[str, Any]) -> Any:
        return cv.cond(
            p,
            lambda d, n: {"sum": d["a"] + d["b"][0], "rest": (n, None)},
            lambda d, n: {"sum": d["a"] * d["b"][0], "rest": (n + 1, None)},
            d,
            3,
        )

    d = {"a": np.arange(3.0), "b": (np.full(3, 2.0),)}
    for g in (f, cv.jit(f)):
        np.testing.assert_array_equal(g(True, d)["sum"], [2.0, 3.0, 4.0])
        np.testing.assert_array_equal(g(False, d)["sum"], [0.0, 2.0, 4.0])
        assert g(True, d)["rest"] == (3, None)
        assert g(False, d)["rest"] == (4, None)
    out = cv.vmap(f, in_axes=(0, None))(np.array([True, False]), d)
    np.testing.assert_array_equal(out["sum"], [[2.0, 3.0, 4.0], [0.0, 2.0, 4.0]])
    np.testing.assert_array_equal(out["rest"][0], [3, 4])
    assert out["rest"][1] is None


def test_no_operands_and_no_results() -> None:
    assert cv.cond(True, lambda: None, lambda: None) is None
    assert cv.jit(lambda p: cv.cond(p, lambda: (), lambda: ()))(True) == ()
    assert cv.vmap(lambda p: cv.cond(p, lambda: (), lambda: ()))(np.array([True, False])) == ()


# --- derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", XS[[0, 1, 3, 4]])
def test_derivatives_of_one_value(x: float) -> None:
    x = float(x)
    assert kinked(x) == pytest.approx(kinked_alone(x), rel=1e-15)
    check_grads(kinked, (x,), order=2)
    check_grads(cv.jit(kinked), (x,), order=2)


@pytest.mark.parametrize("how", HOW)
def test_lanes_that_decide_apart(how: str) -> None:
    f = lambda x: kinked(x, how)
    want = [kinked_alone(x) for x in XS]
    for g in (cv.vmap(f), cv.jit(cv.vmap(f)), cv.vmap(cv.jit(f))):
        np.testing.assert_allclose(g(XS), want, rtol=1e-14)
    for g in (cv.vmap(cv.grad(f)), cv.grad(lambda x: np.sum(cv.vmap(f)(x))), cv.jit(cv.vmap(cv.grad(f)))):
        np.testing.assert_allclose(g(XS), SLOPES, rtol=1e-14)
    pushed = cv.vmap(lambda x: cv.jvp(f, (x,), (1.0,))[1])(XS)
    np.testing.assert_allclose(pushed, SLOPES, rtol=1e-14)
    np.testing.assert_allclose(cv.jvp(cv.vmap(f), (XS,), (np.ones(5),))[1], SLOPES, rtol=1e-14)


@pytest.mark.parametrize("how", HOW)
def test_lanes_to_second_order(how: str) -> None:
    f = lambda x: kinked(x, how)
    xs = XS[[0, 1, 3]]
    check_grads(lambda x: cv.vmap(f)(x), (xs,), order=2)
    second = [-0.25 * np.log(x) / x**1.5 if x > 0 else np.exp(-x) * (x - 2.0) for x in xs]
    for g in (cv.grad(cv.grad(f)), cv.jacfwd(cv.grad(f)), cv.jacfwd(cv.jacfwd(f)), cv.jit(cv.grad(cv.grad(f)))):
        np.testing.assert_allclose(cv.vmap(g)(xs), second, rtol=1e-12)


@pytest.mark.parametrize("how", HOW)
def test_lanes_of_lanes(how: str) -> None:
    grid = np.stack([XS, XS[::-1], np.full(5, 1.0), np.full(5, -1.0)])
    f = lambda x: kinked(x, how)
    want = np.vectorize(slope_alone)(grid)
    np.testing.assert_allclose(cv.vmap(cv.vmap(cv.grad(f)))(grid), want, rtol=1e-14)
    np.testing.assert_allclose(cv.vmap(cv.grad(lambda x: np.sum(cv.vmap(f)(x))))(grid), want, rtol=1e-14)
    np.testing.assert_allclose(cv.jit(cv.vmap(cv.vmap(cv.grad(f))))(grid), want, rtol=1e-14)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("i", [0, 1, 2])
def test_both_modes_agree(how: str, i: int) -> None:
    """⟨ct, J t⟩ = ⟨Jᵀ ct, t⟩, with matrices shared by all lanes, and integers that pass through."""
    draw = np.random.default_rng(i).normal
    w, xs, ks = draw(size=(3, 3)), draw(size=(4, 3)), np.array([0, 2, i, 1])
    branches = [
        lambda w, x, n: (np.tanh(w @ x), n),
        lambda w, x, n: (x * np.sum(np.cos(w)), n + 1),
        lambda w, x, n: (np.full(3, 2.0), 2 * n),
    ]

    def f(w: Any, xs: Any) -> Any:
        return cv.vmap(lambda k, x: cv.switch(k, branches, w, x, np.int64(5), branch=how))(ks, xs)[0]

    t = draw(size=(3, 3)), draw(size=(4, 3))
    out, pushed = cv.jvp(f, (w, xs), t)
    ct = draw(size=out.shape)
    pulled = cv.vjp(f, w, xs)[1](ct)
    assert np.sum(ct * pushed) == pytest.approx(sum(np.sum(a * b) for a, b in zip(pulled, t, strict=True)), rel=1e-12)
    check_grads(f, (w, xs), order=2)


@pytest.mark.parametrize("how", HOW)
def test_branch_not_taken_contributes_exact_zeros(how: str) -> None:
    def f(x: Any, w: Any) -> Any:
        bad = lambda x, w: w * np.exp(1000.0 * x) / x + np.log(-x)
        return cv.cond(x < -1e9, bad, lambda x, w: x, x, w, branch=how)

    xs = np.array([0.0, 1.0, 5.0])
    for g in (cv.grad(f, (0, 1)), cv.jit(cv.grad(f, (0, 1)))):
        for x in xs:
            assert [float(v) for v in g(x, 2.0)] == [1.0, 0.0]
        d = cv.vmap(g, in_axes=(0, None))(xs, 2.0)
        np.testing.assert_array_equal(d[0], np.ones(3))
        np.testing.assert_array_equal(d[1], np.zeros(3))
    total = lambda x, w: np.sum(cv.vmap(f, in_axes=(0, None))(x, w))
    np.testing.assert_array_equal(cv.grad(total, 1)(xs, 2.0), 0.0)
    assert cv.jit(cv.grad(total, 1))(xs, 2.0) == 0.0
    assert cv.hessian(f, (0, 1))(1.0, 2.0)[1][1] == 0.0


@pytest.mark.parametrize("how", HOW)
def test_lane_without_the_branch_does_not_spoil_shared_operands(how: str) -> None:
    """The branch that overflows for some lanes is taken by another one."""

    def f(x: Any, w: Any) -> Any:
        return cv.cond(x < 1.0, lambda x, w: w * np.exp(x), lambda x, w: w / x, x, w, branch=how)

    xs = np.array([0.5, 1e4, 2.0])
    want = np.exp(0.5) + 1e-4 + 0.5
    total = lambda w: np.sum(cv.vmap(f, in_axes=(0, None))(xs, w))
    assert cv.grad(total)(3.0) == pytest.approx(want, rel=1e-15)
    assert cv.jit(cv.grad(total))(3.0) == pytest.approx(want, rel=1e-15)
    assert cv.jvp(total, (3.0,), (1.0,))[1] == pytest.approx(want, rel=1e-15)


@pytest.mark.parametrize("how", HOW)
def test_branch_that_would_fail_for_the_lanes_that_do_not_take_it(how: str) -> None:
    table = np.array([1.0, 2.0, 4.0])

    def look_up(i: Any, t: Any) -> Any:
        return cv.cond(i < 3, lambda i: t[i] ** 2, lambda i: 0.0 * t[0], i, branch=how)

    def root(a: Any) -> Any:
        return cv.cond(a[0, 0] > 0, lambda a: np.linalg.cholesky(a)[1, 1], lambda a: a[1, 1], a, branch=how)

    i = np.array([0, 7, 2, 3])
    a = np.array([[[4.0, 0.0], [0.0, 9.0]], [[-1.0, 0.0], [0.0, 5.0]]])
    for lanes in (lambda f, axes=0: cv.vmap(f, in_axes=axes), lambda f, axes=0: cv.jit(cv.vmap(f, in_axes=axes))):
        np.testing.assert_array_equal(lanes(look_up, (0, None))(i, table), [1.0, 0.0, 16.0, 0.0])
        slopes = lanes(cv.grad(look_up, 1), (0, None))(i, table)
        np.testing.assert_array_equal(slopes, [[2.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 8.0], [0.0, 0.0, 0.0]])
        np.testing.assert_array_equal(lanes(root)(a), [3.0, 5.0])
        np.testing.assert_allclose(lanes(cv.grad(root))(a)[:, 1, 1], [1.0 / 6.0, 1.0], rtol=1e-14)


def test_integer_results_and_operands() -> None:
    def f(x: Any, n: Any) -> Any:
        return cv.cond(x > 0, lambda x, n: (x * n, n + 1), lambda x, n: (x, n - 1), x, n)

    (y, n), pull = cv.vjp(lambda x: f(x, np.int64(3)), 2.0)
    assert (y, n) == (6.0, 4)
    assert pull((1.0, None)) == (3.0,)
    (out, k), (dot, none) = cv.jit(lambda x: cv.jvp(lambda x: f(x, np.int64(3)), (x,), (1.0,)))(-2.0)
    assert (out, k, dot, none) == (-2.0, 2, 1.0, None)
    ys, ns = cv.vmap(f)(np.array([1.0, -1.0]), np.array([5, 6]))
    np.testing.assert_array_equal(ys, [5.0, -1.0])
    np.testing.assert_array_equal(ns, [6, 5])
    assert ns.dtype == np.int64


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize("how", HOW)
def test_dtypes(dtype: Any, how: str) -> None:
    x = np.array([0.5, -1.5]).astype(dtype)
    f = lambda x: cv.cond(x.real > 0, np.sin, lambda x: x * x, x, branch=how)
    holomorphic = dtype == np.complex128
    for g in (cv.vmap(cv.grad(f, holomorphic=holomorphic)), cv.jit(cv.vmap(cv.grad(f, holomorphic=holomorphic)))):
        assert g(x).dtype == dtype
        np.testing.assert_allclose(g(x), [np.cos(x[0]), 2 * x[1]], rtol=1e-6)


@pytest.mark.parametrize("how", HOW)
def test_no_lanes(how: str) -> None:
    f = lambda x: kinked(x, how)
    for g in (cv.vmap(f), cv.vmap(cv.grad(f)), cv.jit(cv.vmap(f))):
        out = g(np.zeros(0))
        assert out.shape == (0,)
        assert out.dtype == np.float64


# --- closures and in-place code ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW)
def test_closures_over_traced_values(how: str) -> None:
    def f(w: Any, x: Any) -> Any:
        y = w * 2.0
        return cv.cond(x > 0, lambda: np.sin(y) * x, lambda: y * y + w, branch=how)

    slopes = [2.0 * np.cos(1.4) * 0.5, 8.0 * 0.7 + 1.0]
    for g in (cv.grad(f), cv.jit(cv.grad(f)), cv.grad(cv.jit(f))):
        assert g(0.7, 0.5) == pytest.approx(slopes[0], rel=1e-14)
        assert g(0.7, -0.5) == pytest.approx(slopes[1], rel=1e-14)
        np.testing.assert_allclose(cv.vmap(g, in_axes=(None, 0))(0.7, np.array([0.5, -0.5])), slopes, rtol=1e-14)
    total = lambda w: np.sum(cv.vmap(f, in_axes=(None, 0))(w, np.array([0.5, -0.5])))
    assert cv.grad(total)(0.7) == pytest.approx(sum(slopes), rel=1e-14)
    assert cv.jit(cv.grad(total))(0.7) == pytest.approx(sum(slopes), rel=1e-14)


def test_what_both_branches_close_over_is_one_operand() -> None:
    def f(w: Any, x: Any) -> Any:
        return cv.cond(x > 0, lambda: w * x, lambda: w - x)

    (equation,) = [eq for eq in cv.make_graph(f)(1.0, 2.0).equations if eq.primitive.name == "branch"]
    assert len(equation.inputs) == 3


@pytest.mark.parametrize("how", HOW)
def test_writing_to_operands_changes_nothing_outside(how: str) -> None:
    def write(a: Any, v: Any) -> Any:
        a[0] = v
        a[1:] *= 2.0
        return a

    def f(x: Any, v: Any) -> Any:
        return np.sum(x) * 0.0 + np.sum(x * cv.cond(v > 0, write, lambda a, v: a * v, x, v, branch=how))

    x = np.array([1.0, 2.0, 3.0])
    for v, want in [(5.0, 1.0 * 5.0 + 2.0 * (4.0 + 9.0)), (-1.0, -14.0)]:
        assert f(x, v) == want
        np.testing.assert_array_equal(x, [1.0, 2.0, 3.0])
        assert cv.jit(f)(x, v) == want
        check_grads(f, (x, v), order=2)
        check_grads(cv.jit(f), (x, v), order=1)
    got = cv.vmap(cv.grad(f), in_axes=(None, 0))(x, np.array([5.0, -1.0]))
    np.testing.assert_allclose(got, [[5.0, 8.0, 12.0], [-2.0, -4.0, -6.0]], rtol=1e-14)


def test_writing_to_a_plain_operand_with_traced_values() -> None:
    def f(v: Any) -> Any:
        def write(a: Any) -> Any:
            a[0] = v
            return a

        return np.sum(cv.cond(v > 0, write, lambda a: a, np.ones(2)) ** 2)

    assert cv.grad(f)(3.0) == 6.0
    assert cv.jit(cv.grad(f))(3.0) == 6.0
    np.testing.assert_array_equal(cv.vmap(cv.grad(f))(np.array([3.0, -3.0])), [6.0, 0.0])


def test_writing_to_what_is_closed_over_is_refused_where_branches_are_recorded() -> None:
    def f(a: Any) -> Any:
        def write() -> Any:
            a[0] = 5.0
            return a

        return cv.cond(a[1] > 0, write, lambda: a)

    with pytest.raises(TypeError, match=r"cond: .*write assigns at .* pass it as an operand, assign to that"):
        cv.vmap(f)(np.ones((2, 2)))


def test_result_is_not_the_operand_itself() -> None:
    x = np.ones(2)
    out = cv.cond(True, lambda a: a, lambda a: a, x)
    out[0] = 5.0
    np.testing.assert_array_equal(x, [1.0, 1.0])


# --- nesting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW)
def test_branches_within_branches(how: str) -> None:
    def f(x: Any) -> Any:
        inner = lambda x: cv.cond(x > 1, np.sqrt, lambda x: x * x, x, branch=how)
        return cv.cond(x > 0, inner, np.exp, x, branch=how)

    xs = np.array([4.0, 0.5, -1.0])
    slopes = [0.25, 1.0, np.exp(-1.0)]
    for g in (cv.grad(f), cv.jit(cv.grad(f))):
        np.testing.assert_allclose([g(x) for x in xs], slopes, rtol=1e-14)
        np.testing.assert_allclose(cv.vmap(g)(xs), slopes, rtol=1e-14)
    np.testing.assert_allclose(cv.vmap(cv.grad(cv.grad(f)))(xs), [-1.0 / 32.0, 2.0, np.exp(-1.0)], rtol=1e-13)


def test_inside_checkpoint_and_custom_rules() -> None:
    f = cv.checkpoint(kinked)
    np.testing.assert_allclose([cv.grad(f)(x) for x in XS], SLOPES, rtol=1e-14)
    np.testing.assert_allclose(cv.vmap(cv.grad(f))(XS), SLOPES, rtol=1e-14)
    np.testing.assert_allclose(cv.jit(cv.vmap(cv.grad(f)))(XS), SLOPES, rtol=1e-14)


def test_stop_gradient_and_no_grad_inside() -> None:
    def f(x: Any) -> Any:
        def blocked(x: Any) -> Any:
            with cv.no_grad():
                c = x * x
            return x * c + cv.stop_gradient(x)

        return cv.cond(x > 0, blocked, np.sin, x)

    for g in (cv.grad(f), cv.jit(cv.grad(f))):
        assert g(3.0) == 9.0
        np.testing.assert_array_equal(cv.vmap(g)(np.array([3.0, 0.0])), [9.0, 1.0])


def test_eval_shape_and_graph() -> None:
    struct = cv.eval_shape(kinked, cv.ShapeDtypeStruct((), float))
    assert struct == cv.ShapeDtypeStruct((), float)
    graph = cv.make_graph(cv.grad(kinked))(1.0)
    for x, want in zip(XS[[0, 1, 3]], SLOPES[[0, 1, 3]], strict=True):
        (got,) = graph.run(x)
        assert got == pytest.approx(want, rel=1e-14)


def test_constant_predicate_in_a_recorded_program_leaves_no_branch() -> None:
    graph = cv.make_graph(lambda x: cv.cond(True, np.sin, np.cos, x))(1.0)
    assert [eq.primitive.name for eq in graph.equations] == ["sin"]


# --- named axes -------------------------------------------------------------------------------------------------------


def test_collective_under_a_shared_predicate() -> None:
    def f(p: Any, xs: Any) -> Any:
        lane = lambda x: cv.cond(p, lambda x: x / cv.psum(x, "i"), lambda x: x * x, x)
        return cv.vmap(lane, axis_name="i")(xs)

    xs = np.array([1.0, 2.0, 5.0])
    for g in (f, cv.jit(f)):
        np.testing.assert_allclose(g(True, xs), xs / 8.0)
        np.testing.assert_allclose(g(False, xs), xs * xs)
        jacobian = cv.jacrev(g, 1)(True, xs)
        np.testing.assert_allclose(jacobian, np.eye(3) / 8.0 - np.outer(xs, np.ones(3)) / 64.0, rtol=1e-14)


def test_collective_where_lanes_decide_apart_is_refused() -> None:
    def lane(x: Any) -> Any:
        return cv.cond(x > 0, lambda x: cv.psum(x, "i"), lambda x: x, x)

    with pytest.raises(cv.ConcretizationError, match=r"collective over the axis 'i'.*before or after cond"):
        cv.vmap(lane, axis_name="i")(np.array([1.0, -1.0]))


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_exceptions_in_a_branch_leave_nothing_behind() -> None:
    def fails(x: Any) -> Any:
        raise KeyError("mine")

    for g in (lambda x: cv.cond(x > 0, fails, np.sin, x), cv.jit(lambda x: cv.cond(x > 0, fails, np.sin, x))):
        with pytest.raises(KeyError, match="mine"):
            g(1.0)
    with pytest.raises(KeyError, match="mine"):
        cv.vmap(lambda x: cv.cond(x > 0, fails, np.sin, x))(XS)
    assert cv.grad(kinked)(0.5) == pytest.approx(SLOPES[0])


def test_python_decision_on_an_operand_is_refused_where_branches_are_recorded() -> None:
    f = lambda x: cv.cond(x > 0, lambda x: x if x > 1 else -x, np.sin, x)
    assert f(2.0) == 2.0
    with pytest.raises(cv.ConcretizationError, match=r"covector\.cond"):
        cv.vmap(f)(XS)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: cv.cond(np.ones(2) > 0, np.sin, np.cos, 1.0),
            TypeError,
            r"pred must be a single value.*\(2,\).*np.where",
        ),
        (lambda: cv.cond(1.5, np.sin, np.cos, 1.0), TypeError, r"pred has dtype float64; expected a bool"),
        (lambda: cv.cond("yes", np.sin, np.cos, 1.0), TypeError, r"cond: pred is a builtins.str"),
        (lambda: cv.cond(None, np.sin, np.cos, 1.0), TypeError, r"cond: pred is a builtins.NoneType"),
        (lambda: cv.cond(True, 1.0, np.cos, 1.0), TypeError, r"true_fun must be a function, got float"),
        (lambda: cv.cond(True, np.cos, None, 1.0), TypeError, r"false_fun must be a function, got NoneType"),
        (lambda: cv.cond(True, np.cos, np.sin, 1.0, branch="both"), ValueError, r"branch must be 'auto'.*'both'"),
        (lambda: cv.cond(True, np.cos, np.sin, "x"), TypeError, r"cond: operand \[0\] is a builtins.str"),
        (lambda: cv.cond(True, lambda: "x", lambda: "y"), TypeError, r"cond: output of .* is a builtins.str"),
        (
            lambda: cv.switch(True, [np.sin], 1.0),
            TypeError,
            r"index has dtype bool; expected an integer.*covector.cond",
        ),
        (lambda: cv.switch(1.0, [np.sin], 1.0), TypeError, r"index has dtype float64"),
        (lambda: cv.switch(np.zeros(1, int), [np.sin], 1.0), TypeError, r"index must be a single value"),
        (lambda: cv.switch(0, []), ValueError, r"branches is empty"),
        (lambda: cv.switch(0, np.sin), TypeError, r"branches must be a list or tuple of functions, got ufunc"),
        (lambda: cv.switch(0, [np.sin, 3], 1.0), TypeError, r"branches\[1\] must be a function, got int: 3"),
    ],
)
def test_wrong_arguments(call: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("record", [cv.make_graph, lambda f: lambda x: cv.vmap(f)(np.stack([x, x]))])
def test_branches_that_disagree(record: Any) -> None:
    def other_dtype(x: Any) -> Any:
        return cv.cond(x > 0, lambda x: {"a": (x, 1)}, lambda x: {"a": (x, 1.0)}, x)

    with pytest.raises(
        TypeError, match=r"output \['a'\]\[1\] is float64\[\] from false_fun .* int64\[\] from true_fun"
    ):
        record(other_dtype)(1.0)
    with pytest.raises(
        TypeError, match=r"is float64\[\] from false_fun sin and float64\[3\] from true_fun .*same shape"
    ):
        record(lambda x: cv.cond(x > 0, lambda x: x * np.ones(3), np.sin, x))(1.0)
    with pytest.raises(TypeError, match=r"same structure, but false_fun .* returns .* and true_fun sin returns"):
        record(lambda x: cv.cond(x > 0, np.sin, lambda x: (x, x), x))(1.0)
    with pytest.raises(TypeError, match=r"from branches\[0\] sin and float32\[\] from branches\[2\]"):
        record(lambda x: cv.switch((x > 0).astype(int), [np.sin, np.cos, lambda x: x.astype(np.float32)], x))(1.0)
