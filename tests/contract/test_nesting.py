"""Transforms within transforms: whose perturbation is whose, and closures over the values of outer transforms.

The classic traps are from Siskind and Pearlmutter, "Perturbation confusion and referential transparency" (2005), and
Manzyuk et al., "Perturbation confusion in forward automatic differentiation of higher-order functions" (2019).
"""

import functools
import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv


def by_jvp(f):
    return lambda x: cv.jvp(f, (x,), (1.0,))[1]


def by_vjp(f):
    return lambda x: cv.vjp(f, x)[1](1.0)[0]


def by_linearize(f):
    return lambda x: cv.linearize(f, x)[1](1.0)


def by_vmap(f):
    """The derivative taken inside a map over a single lane."""
    return lambda x: cv.vmap(cv.grad(f), in_axes=None, axis_size=1, out_axes=0)(x)[0]


D = {
    "grad": cv.grad,
    "jvp": by_jvp,
    "vjp": by_vjp,
    "jacrev": cv.jacrev,
    "jacfwd": cv.jacfwd,
    "linearize": by_linearize,
    "vmap": by_vmap,
}
PAIRS = list(itertools.product(sorted(D), repeat=2))


@pytest.fixture(params=PAIRS, ids=["-".join(p) for p in PAIRS])
def pair(request):
    outer, inner = request.param
    return D[outer], D[inner]


def test_siskind_pearlmutter(pair):
    outer, inner = pair
    # d/dx (x · d/dy (x + y)) = 1, not 2
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0


def test_product_of_both_variables(pair):
    outer, inner = pair
    # d/dx (x · d/dy (x y)) = 2x
    assert outer(lambda x: x * inner(lambda y: x * y)(3.0))(5.0) == 10.0


def test_inner_point_depends_on_the_outer_variable(pair):
    outer, inner = pair
    # d/dx [d/dy (x y²) at y = x²] = d/dx 2x³
    assert_allclose(outer(lambda x: inner(lambda y: x * y**2)(x**2))(2.0), 24.0, rtol=1e-14)


def test_inner_function_ignores_its_argument(pair):
    outer, inner = pair
    assert outer(lambda x: x + inner(lambda y: x**2)(x))(3.0) == 1.0


def test_inner_function_returns_the_outer_variable_untouched(pair):
    outer, inner = pair
    assert outer(lambda x: inner(lambda y: x)(2.0))(3.0) == 0.0


def test_second_derivative(pair):
    outer, inner = pair
    assert_allclose(outer(inner(lambda x: np.sin(x) * x))(0.7), 2 * np.cos(0.7) - 0.7 * np.sin(0.7), rtol=1e-14)


def test_outer_value_in_a_container_seen_by_both(pair):
    outer, inner = pair
    store = {}

    def f(x):
        store["x"] = x
        return inner(lambda y: store["x"] ** 2 * y**3)(2.0)

    assert_allclose(outer(f)(3.0), 72.0, rtol=1e-14)


@pytest.mark.parametrize("name", sorted(D))
def test_manzyuk_shifted_function(name):
    """d/dh of a curried shift, applied twice: the tag of the first application must not reach the second."""
    d = D[name]

    def shift(u):
        return lambda f: lambda x: f(x + u)

    def derivative_of_shift(f):
        return lambda x: d(lambda u: shift(u)(f)(x))(0.0)

    assert_allclose(derivative_of_shift(derivative_of_shift(np.exp))(1.0), np.e, rtol=1e-14)


MIXED = ("jacrev", "jvp", "grad", "jacfwd", "vjp", "linearize")


@pytest.mark.parametrize("names", [("grad",) * 6, ("jvp",) * 6, MIXED], ids=["grad", "jvp", "mixed"])
def test_deep_towers(names):
    f = functools.reduce(lambda f, name: D[name](f), names, np.sin)
    assert_allclose(f(0.3), -np.sin(0.3), rtol=1e-12)


def test_nesting_of_depth_thirty():
    def nest(depth):
        if depth == 0:
            return lambda x: x * x
        inner = nest(depth - 1)
        return lambda x: x * cv.grad(lambda y: y * inner(x))(1.0)

    # each level multiplies the value by x
    assert_allclose(cv.grad(nest(30))(1.0), 32.0, rtol=1e-13)


@pytest.mark.parametrize("order", list(itertools.permutations(["grad", "jvp", "vmap"])))
def test_three_transforms_in_any_order_of_closing_over(order):
    """x y z with respect to each variable by another transform; the mixed derivative is 1 whatever the order."""
    a, b, c = (D[name] for name in order)
    assert_allclose(a(lambda x: b(lambda y: c(lambda z: x * y * z)(2.0))(3.0))(5.0), 1.0, rtol=1e-15)


# --- closures everywhere ----------------------------------------------------------------------------------------------

X = np.array([0.5, -1.0, 2.0])

# each is Σ s² sin(x) as a function of s, built with another transform between s and its use
CLOSURES = {
    "vmap": lambda s: cv.vmap(lambda x: s**2 * np.sin(x))(X).sum(),
    "vmap in_axes": lambda s: cv.vmap(lambda x, s: s**2 * np.sin(x), in_axes=(0, None))(X, s).sum(),
    "nested vmap": lambda s: cv.vmap(lambda x: cv.vmap(lambda y: s**2 * np.sin(y))(x))(X[None]).sum(),
    "jvp": lambda s: cv.jvp(lambda x: -(s**2) * np.cos(x), (X,), (np.ones(3),))[1].sum(),
    "jvp tangent": lambda s: cv.jvp(lambda x: -s * np.cos(x), (X,), (s * np.ones(3),))[1].sum(),
    "vjp": lambda s: cv.vjp(lambda x: -(s**2) * np.cos(x), X)[1](np.ones(3))[0].sum(),
    "vjp cotangent": lambda s: cv.vjp(lambda x: -np.cos(x), X)[1](s**2 * np.ones(3))[0].sum(),
    "vjp_fn twice": lambda s: sum(cv.vjp(lambda x: -np.cos(x) * s, X)[1](k * s * np.ones(3))[0].sum() for k in (2, -1)),
    "jacrev": lambda s: cv.jacrev(lambda x: -(s**2) * np.cos(x))(X).sum(),
    "jacrev rows": lambda s: cv.jacrev(lambda x: -(s**2) * np.cos(x), chunk_size=1)(X).sum(),
    "jacfwd": lambda s: cv.jacfwd(lambda x: -(s**2) * np.cos(x))(X).sum(),
    "hessian": lambda s: cv.hessian(lambda x: np.sum(-(s**2) * np.sin(x)))(X).sum(),
    "hvp": lambda s: cv.hvp(lambda x: np.sum(-(s**2) * np.sin(x)), (X,), (np.ones(3),))[1][0].sum(),
    "linearize": lambda s: cv.linearize(lambda x: -(s**2) * np.cos(x), X)[1](np.ones(3)).sum(),
    "linear_transpose": lambda s: cv.linear_transpose(lambda x: s**2 * np.sin(X) * x, X)(np.ones(3))[0].sum(),
    "checkpoint": lambda s: cv.checkpoint(lambda x: s**2 * np.sin(x))(X).sum(),
    "functional": lambda s: cv.functional.vjp(lambda x: -(s**2) * np.cos(x), X, np.ones(3), create_graph=True)[1].sum(),
    "value_and_grad": lambda s: cv.value_and_grad(lambda x: np.sum(s**2 * np.sin(x)))(X)[0],
    "aux": lambda s: cv.grad(lambda x: (x.sum(), s**2 * np.sin(x)), has_aux=True)(X)[1].sum(),
}


@pytest.mark.parametrize("outer", sorted(D))
@pytest.mark.parametrize("name", sorted(CLOSURES))
def test_closure_over_an_outer_traced_value(outer, name):
    assert_allclose(D[outer](CLOSURES[name])(3.0), 6.0 * np.sin(X).sum(), rtol=1e-12)


@pytest.mark.parametrize("name", sorted(CLOSURES))
def test_closure_over_an_outer_batch(name):
    s = np.array([1.0, 2.0, -3.0])
    assert_allclose(cv.vmap(CLOSURES[name])(s), s**2 * np.sin(X).sum(), rtol=1e-13)


@pytest.mark.parametrize("name", sorted(CLOSURES))
@pytest.mark.parametrize("second", [cv.hessian, lambda f: cv.grad(cv.grad(f)), lambda f: by_jvp(by_jvp(f))])
def test_closures_in_second_order(name, second):
    assert_allclose(second(CLOSURES[name])(3.0), 2.0 * np.sin(X).sum(), rtol=1e-12)


def custom_jvp_of_lane(x):
    @cv.custom_jvp
    def f(v):
        return x * v

    f.defjvp(lambda primals, tangents: (f(*primals), x * tangents[0]))
    return f(x**2)


def custom_vjp_of_lane(x):
    @cv.custom_vjp
    def f(v):
        return x * v

    f.defvjp(lambda v: (f(v), None), lambda _, ct: (x * ct,))
    return f(x**2)


@pytest.mark.parametrize("lane", [custom_jvp_of_lane, custom_vjp_of_lane], ids=["custom_jvp", "custom_vjp"])
def test_custom_rule_closing_over_a_lane_inside_the_map(lane):
    assert_allclose(cv.vmap(lane)(X), X**3, rtol=1e-15)
    assert_allclose(cv.vmap(lambda x: cv.vmap(lane)(x * X))(X), np.outer(X, X) ** 3, rtol=1e-14)


# Refused with an error that says so; the contract asks for more, and strict marks turn red when it is there.
REFUSED = pytest.mark.xfail(
    raises=cv.CovectorError, strict=True, reason="custom rules do not find out by themselves what they close over"
)


@pytest.mark.parametrize(
    ("kind", "shared"),
    [
        pytest.param("custom_jvp", True, marks=REFUSED),
        pytest.param("custom_vjp", True, marks=REFUSED),
        pytest.param("custom_jvp", False, marks=REFUSED),
        ("custom_vjp", False),
    ],
)
def test_custom_rule_closing_over_a_lane_that_is_not_differentiated(kind, shared):
    def lane(w, x):
        if kind == "custom_jvp":
            f = cv.custom_jvp(lambda v: x * v)
            f.defjvp(lambda primals, tangents: (f(*primals), 10 * x * tangents[0]))
        else:
            f = cv.custom_vjp(lambda v: x * v)
            f.defvjp(lambda v: (f(v), x), lambda x, ct: (10 * x * ct,))
        return f(w)

    def loss(w):
        if shared:
            return cv.vmap(lane, in_axes=(None, 0))(w, X).sum()
        return cv.vmap(lane)(w * np.ones(3), X).sum()

    assert_allclose(cv.grad(loss)(2.0), 10 * X.sum(), rtol=1e-14)
    assert_allclose(by_jvp(loss)(2.0), 10 * X.sum(), rtol=1e-14)
    assert_allclose(by_linearize(loss)(2.0), 10 * X.sum(), rtol=1e-14)


@pytest.mark.parametrize("lane", [custom_jvp_of_lane, custom_vjp_of_lane], ids=["custom_jvp", "custom_vjp"])
@pytest.mark.parametrize(
    "derivative",
    [
        lambda f: cv.grad(lambda x: cv.vmap(f)(x).sum())(X),
        lambda f: cv.jvp(cv.vmap(f), (X,), (X,)),
        lambda f: cv.vmap(cv.grad(f))(X),
        lambda f: cv.vmap(by_jvp(f))(X),
        lambda f: cv.grad(f)(2.0),
        lambda f: by_jvp(f)(2.0),
        lambda f: cv.grad(cv.grad(f))(2.0),
    ],
)
def test_custom_rule_closing_over_a_differentiated_value_is_refused(lane, derivative):
    """The rule says nothing of the value it closes over: a derivative by that value must not be left out silently."""
    with pytest.raises(cv.CustomRuleError, match="closes over"):
        derivative(lane)


def test_pullback_that_outlives_an_inner_scope_but_not_the_outer():
    def f(s):
        _, vjp_fn = cv.vjp(lambda x: s * x**2, X)

        def g(r):
            return vjp_fn(r * np.ones(3))[0].sum()

        return cv.grad(g)(s)  # Σ 2 s x

    assert_allclose(cv.grad(f)(3.0), 2 * X.sum(), rtol=1e-14)


def test_inner_optimisation_loop():
    """Differentiating through gradient descent: the converged point of (y - s²)² / 2 moves with 2s."""

    def solve(s):
        y = 0.0
        for _ in range(60):
            y = y - 0.5 * cv.grad(lambda y: 0.5 * (y - s**2) ** 2)(y)
        return y

    assert_allclose(cv.grad(solve)(1.5), 3.0, rtol=1e-12)
    assert_allclose(by_jvp(solve)(1.5), 3.0, rtol=1e-12)
    assert_allclose(cv.vmap(cv.grad(solve))(np.array([1.5, 2.0])), [3.0, 4.0], rtol=1e-12)


def test_mixed_second_derivatives_commute():
    def f(x, y):
        return np.sin(x * y) * np.exp(y)

    xy = cv.grad(lambda x: cv.grad(f, argnums=1)(x, 0.4))(0.3)
    yx = by_jvp(lambda y: cv.grad(f, argnums=0)(0.3, y))(0.4)
    assert_allclose(xy, yx, rtol=1e-14)


def test_values_of_an_inner_transform_steer_python_in_the_outer():
    def f(x):
        slope = cv.grad(lambda y: y**2)(x)
        return x * 3 if slope > 0 else x * 5

    assert cv.grad(f)(1.0) == 3.0 and cv.grad(f)(-1.0) == 5.0


def test_same_function_object_at_two_levels():
    def f(x):
        return x**3

    def g(x):
        return f(x) * cv.grad(f)(x)  # 3 x⁵

    assert_array_equal(cv.grad(g)(1.0), 15.0)
    assert_array_equal(by_jvp(g)(1.0), 15.0)
