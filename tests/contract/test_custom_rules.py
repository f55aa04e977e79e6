"""`custom_jvp` and `custom_vjp`: the rule decides, in every composition; wrong rules are refused by name."""

import functools
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

X, T = np.array([0.3, -1.2, 2.0]), np.array([1.0, 0.5, -2.0])


@cv.custom_jvp
def tenfold_sin(x):
    """A sine whose derivative is declared ten times too large, so that one sees whose rule ran."""
    return np.sin(x)


@tenfold_sin.defjvp
def tenfold_sin_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    return tenfold_sin(x), 10 * np.cos(x) * t


@cv.custom_vjp
def tenfold_cube(x):
    return x**3


tenfold_cube.defvjp(lambda x: (tenfold_cube(x), x), lambda x, ct: (30 * x**2 * ct,))


# --- custom_jvp -------------------------------------------------------------------------------------------------------


def test_values_are_the_functions_own():
    assert_array_equal(tenfold_sin(X), np.sin(X))
    assert_array_equal(tenfold_cube(X), X**3)


def test_metadata_is_kept():
    assert tenfold_sin.__name__ == "tenfold_sin" and "ten times" in tenfold_sin.__doc__


def test_jvp_rule_serves_both_modes():
    assert_allclose(cv.jvp(tenfold_sin, (X,), (T,))[1], 10 * np.cos(X) * T, rtol=1e-15)
    assert_allclose(cv.grad(lambda x: tenfold_sin(x).sum())(X), 10 * np.cos(X), rtol=1e-15)
    assert_allclose(cv.jacrev(tenfold_sin)(X), np.diag(10 * np.cos(X)), rtol=1e-15)
    assert_allclose(cv.jacfwd(tenfold_sin)(X), np.diag(10 * np.cos(X)), rtol=1e-15)


@pytest.mark.parametrize("outer", [cv.jacrev, cv.jacfwd])
@pytest.mark.parametrize("inner", [cv.jacrev, cv.jacfwd])
def test_second_order_differentiates_the_rule(outer, inner):
    assert_allclose(outer(inner(tenfold_sin))(0.3), -10 * np.sin(0.3), rtol=1e-14)


def test_batched_rule():
    assert_allclose(cv.vmap(tenfold_sin)(X), np.sin(X), rtol=1e-15)
    assert_allclose(cv.vmap(cv.grad(tenfold_sin))(X), 10 * np.cos(X), rtol=1e-15)
    assert_allclose(cv.grad(lambda x: cv.vmap(tenfold_sin)(x).sum())(X), 10 * np.cos(X), rtol=1e-15)
    assert_allclose(cv.jvp(cv.vmap(tenfold_sin), (X,), (T,))[1], 10 * np.cos(X) * T, rtol=1e-15)


def test_jvp_rule_on_trees_and_several_arguments():
    @cv.custom_jvp
    def f(p, y):
        return {"prod": p["x"] * y}

    @f.defjvp
    def rule(primals, tangents):
        (p, y), (dp, dy) = primals, tangents
        return f(p, y), {"prod": 2 * dp["x"] * y + 3 * p["x"] * dy}

    g = cv.grad(lambda p, y: f(p, y)["prod"].sum(), argnums=(0, 1))({"x": X}, T)
    assert_array_equal(g[0]["x"], 2 * T)
    assert_array_equal(g[1], 3 * X)
    assert_array_equal(cv.grad(lambda y: f({"x": X}, y)["prod"].sum())(T), 3 * X)


def test_jvp_nondiff_argnums_come_first():
    seen = []

    def apply(g, x, n):
        return g(x) * n

    apply = cv.custom_jvp(apply, nondiff_argnums=(0, 2))

    @apply.defjvp
    def rule(g, n, primals, tangents):
        seen.append((g, n))
        (x,), (t,) = primals, tangents
        return apply(g, x, n), 100 * n * t

    assert_array_equal(cv.grad(lambda x: apply(np.sin, x, 3).sum())(X), np.full(3, 300.0))
    assert seen[0] == (np.sin, 3)
    assert_array_equal(cv.jvp(lambda x: apply(np.sin, x, 2), (X,), (T,))[1], 200 * T)


def test_function_with_python_branches_on_values():
    @cv.custom_jvp
    def safe(x):
        return x if x > 0 else 0 * x

    safe.defjvp(lambda primals, tangents: (safe(*primals), 7 * tangents[0]))
    assert cv.grad(safe)(-1.0) == 7.0


# --- custom_vjp -------------------------------------------------------------------------------------------------------


def test_vjp_rule_in_reverse():
    assert_allclose(cv.grad(lambda x: tenfold_cube(x).sum())(X), 30 * X**2, rtol=1e-15)
    assert_allclose(cv.jacrev(tenfold_cube)(X), np.diag(30 * X**2), rtol=1e-15)
    assert_allclose(cv.vmap(cv.grad(tenfold_cube))(X), 30 * X**2, rtol=1e-15)
    assert_allclose(cv.grad(lambda x: cv.vmap(tenfold_cube)(x).sum())(X), 30 * X**2, rtol=1e-15)
    assert_allclose(cv.vmap(tenfold_cube)(X), X**3, rtol=1e-15)


def test_vjp_rule_in_second_order_reverse():
    assert_allclose(cv.jacrev(cv.jacrev(tenfold_cube))(2.0), 120.0, rtol=1e-14)


def test_vjp_rule_alone_still_gives_forward_mode_where_its_transpose_exists():
    assert_allclose(cv.jvp(tenfold_cube, (X,), (T,))[1], 30 * X**2 * T, rtol=1e-14)
    assert_allclose(cv.jacfwd(tenfold_cube)(X), np.diag(30 * X**2), rtol=1e-14)
    assert_allclose(cv.hessian(lambda x: tenfold_cube(x).sum())(X), np.diag(60 * X), rtol=1e-14)


def test_vjp_rule_with_trees_residuals_and_several_arguments():
    @cv.custom_vjp
    def f(p, y):
        return (p["x"] * y, y.sum())

    def fwd(p, y):
        return f(p, y), {"x": p["x"], "y": y, "static": "residuals may hold anything"}

    def bwd(res, ct):
        assert res["static"].startswith("residuals")
        return {"x": 2 * ct[0] * res["y"]}, 3 * ct[0] * res["x"] + ct[1]

    f.defvjp(fwd, bwd)
    g = cv.grad(lambda p, y: f(p, y)[0].sum() + 5 * f(p, y)[1], argnums=(0, 1))({"x": X}, T)
    assert_array_equal(g[0]["x"], 2 * T)
    assert_allclose(g[1], 3 * X + 5, rtol=1e-15)


def test_vjp_nondiff_argnums():
    def apply(g, x):
        return g(x)

    apply = cv.custom_vjp(apply, nondiff_argnums=(0,))
    apply.defvjp(lambda g, x: (apply(g, x), x), lambda g, x, ct: (ct * (100.0 if g is np.sin else -1.0),))
    assert_array_equal(cv.grad(lambda x: apply(np.sin, x).sum())(X), np.full(3, 100.0))
    assert_array_equal(cv.grad(lambda x: apply(np.cos, x).sum())(X), np.full(3, -1.0))


def test_none_is_the_zero_cotangent():
    @cv.custom_vjp
    def f(x, y):
        return x * y

    f.defvjp(lambda x, y: (f(x, y), y), lambda y, ct: (ct * y, None))
    g = cv.grad(lambda x, y: f(x, y).sum(), argnums=(0, 1))(X, T)
    assert_array_equal(g[0], T)
    assert_array_equal(g[1], np.zeros(3))


def test_integer_arguments_are_constants_with_cotangent_none():
    @cv.custom_vjp
    def gather(x, index):
        return x[index]

    def bwd(res, ct):
        out = np.zeros(3)
        np.add.at(out, res, 2 * np.ones(2))
        return out * ct.sum() / 2, None

    gather.defvjp(lambda x, index: (x[index], index), bwd)
    assert_array_equal(cv.grad(lambda x: gather(x, np.array([0, 2])).sum())(X), [2.0, 0.0, 2.0])


# --- closures ---------------------------------------------------------------------------------------------------------


def test_custom_jvp_closing_over_an_outer_value():
    def outer(s):
        @cv.custom_jvp
        def f(x):
            return s * x

        f.defjvp(lambda primals, tangents: (f(*primals), s * tangents[0]))
        return cv.grad(lambda x: f(x) ** 2)(3.0)  # 2 s² x

    assert_allclose(cv.grad(outer)(2.0), 24.0, rtol=1e-15)
    assert_allclose(cv.jvp(outer, (2.0,), (1.0,))[1], 24.0, rtol=1e-15)
    assert_allclose(cv.vmap(outer)(np.array([1.0, 2.0])), [6.0, 24.0], rtol=1e-15)


def test_custom_vjp_closing_over_an_outer_value():
    def outer(s):
        @cv.custom_vjp
        def f(x):
            return s * x

        f.defvjp(lambda x: (f(x), None), lambda _, ct: (s * ct,))
        return cv.grad(lambda x: f(x) ** 2)(3.0)

    assert_allclose(cv.grad(outer)(2.0), 24.0, rtol=1e-15)
    assert_allclose(cv.vmap(outer)(np.array([1.0, 2.0])), [6.0, 24.0], rtol=1e-15)


# --- wrong rules ------------------------------------------------------------------------------------------------------


def broken_vjp(fwd, bwd):
    @cv.custom_vjp
    def broken(x, y):
        return x * y

    broken.defvjp(fwd or (lambda x, y: (x * y, None)), bwd)
    return lambda: cv.grad(lambda x: broken(x, T).sum())(X)


def broken_jvp(rule):
    @cv.custom_jvp
    def broken(x):
        return x * x

    broken.defjvp(rule)
    return lambda: cv.jvp(broken, (X,), (T,))


def without_rule(kind):
    @kind
    def broken(x):
        return x * x

    return lambda: cv.grad(lambda x: broken(x).sum())(X)


BROKEN = {
    "bwd returns too few": broken_vjp(None, lambda _, ct: (ct,)),
    "bwd returns too many": broken_vjp(None, lambda _, ct: (ct, ct, ct)),
    "bwd returns a bare array": broken_vjp(None, lambda _, ct: ct),
    "bwd returns a wrong shape": broken_vjp(None, lambda _, ct: (np.ones(2), ct)),
    "bwd returns a wrong tree": broken_vjp(None, lambda _, ct: ({"x": ct}, ct)),
    "fwd returns no pair": broken_vjp(lambda x, y: x * y, lambda _, ct: (ct, ct)),
    "jvp returns no pair": broken_jvp(lambda primals, tangents: tangents[0]),
    "jvp returns a wrong shape": broken_jvp(lambda primals, tangents: (primals[0] ** 2, np.ones(2))),
    "jvp returns a wrong tree": broken_jvp(lambda primals, tangents: (primals[0] ** 2, (tangents[0],))),
    "custom_jvp without rule": without_rule(cv.custom_jvp),
    "custom_vjp without rule": without_rule(cv.custom_vjp),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_wrong_rules_are_refused_by_name(name):
    with pytest.raises(cv.CustomRuleError, match="broken"):
        BROKEN[name]()


# --- what rules may keep, change and be made of -----------------------------------------------------------------------


@cv.custom_jvp
def sine(x):
    return np.sin(x)


@sine.defjvp
def _sine_rule(primals, tangents):
    return np.sin(primals[0]), np.cos(primals[0]) * tangents[0]


@functools.partial(cv.custom_vjp, nondiff_argnums=(0,))
def power(n, x):
    return x**n


power.defvjp(lambda n, x: (x**n, x), lambda n, x, ct: (n * x ** (n - 1) * ct,))


def both(x):
    return np.sum(sine(x) * power(3, x))


PICKLED = {
    "both": both,
    "custom_jvp": sine,
    "checkpointed": cv.checkpoint(both),
    "mapped": lambda x: cv.vmap(both)(x[:, None]),
    "mapped twice": lambda x: cv.vmap(cv.vmap(both))(x[:, None, None]),
}


@pytest.mark.parametrize("name", sorted(PICKLED))
def test_pullback_and_pushforward_through_custom_rules_can_be_pickled(name):
    x = np.array([0.5, -1.0, 2.0])
    out, vjp_fn = cv.vjp(PICKLED[name], x)
    _, f_jvp = cv.linearize(PICKLED[name], x)
    ct = np.ones_like(out)
    assert_allclose(pickle.loads(pickle.dumps(vjp_fn))(ct)[0], vjp_fn(ct)[0], rtol=0)
    assert_allclose(pickle.loads(pickle.dumps(f_jvp))(x), f_jvp(x), rtol=0)


def test_a_decorated_function_is_pickled_by_name():
    assert pickle.loads(pickle.dumps(sine)) is sine


@pytest.mark.parametrize("n", [3, 20_000])
def test_a_rule_cannot_change_the_cotangent_or_tangent_that_others_read(n):
    def backward(_, ct):
        ct *= 2.0
        return (ct,)

    def rule(primals, tangents):
        (t,) = tangents
        t *= 2.0
        return primals[0], t

    reverse, forward = cv.custom_vjp(lambda x: 2 * x), cv.custom_jvp(lambda x: x)
    reverse.defvjp(lambda x: (2 * x, None), backward)
    forward.defjvp(rule)
    x, given = np.ones(n), np.full(n, 3.0)
    with pytest.raises(ValueError, match="read-only"):
        cv.vjp(lambda x: x + reverse(x), x)[1](given)
    with pytest.raises(ValueError, match="read-only"):
        cv.jvp(lambda x: x + forward(x), (x,), (given,))
    assert_array_equal(given, 3.0)


def test_tangent_that_the_rule_keeps_is_handed_out_as_a_copy_in_the_dtype_of_the_output():
    kept = np.zeros(3)
    floor = cv.custom_jvp(np.floor)
    floor.defjvp(lambda primals, tangents: (np.floor(primals[0]), kept))
    x = np.ones(3, np.float32)
    _, tangent = cv.jvp(floor, (x,), (x,))
    assert tangent.dtype == np.float32
    _, tangent = cv.jvp(floor, (np.ones(3),), (np.ones(3),))
    tangent[:] = 4.0
    assert_array_equal(kept, 0.0)


def test_keyword_only_defaults_stay_and_numpy_functions_can_be_given_rules():
    scaled = cv.custom_jvp(lambda x, *, factor=3.0: factor * x)
    scaled.defjvp(lambda primals, tangents: (3 * primals[0], 30 * tangents[0]))
    assert cv.grad(scaled)(2.0) == 30.0
    with pytest.raises(TypeError, match="factor"):
        scaled(2.0, factor=4.0)
    tanh = cv.custom_vjp(np.tanh)
    tanh.defvjp(lambda x: (np.tanh(x), x), lambda x, ct: (7 * ct,))
    assert cv.grad(tanh)(2.0) == 7.0


def test_nondiff_argnums_must_exist():
    f = cv.custom_vjp(lambda n, x: n * x, nondiff_argnums=0)
    f.defvjp(lambda n, x: (n * x, None), lambda n, _, ct: (n * ct,))
    assert cv.grad(lambda x: f(2, x))(5.0) == 2.0
    with pytest.raises(ValueError, match="nondiff_argnums"):
        cv.custom_jvp(lambda x: x, nondiff_argnums=(5,))(1.0)
