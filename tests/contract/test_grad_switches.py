"""`no_grad`, `enable_grad` and `stop_gradient`, in both modes, nested and under `vmap`."""

import contextvars
import threading

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv


def forward(f):
    return lambda x: cv.jvp(f, (x,), (1.0,))[1]


MODES = {
    "grad": cv.grad,
    "jvp": forward,
    "jacrev": cv.jacrev,
    "jacfwd": cv.jacfwd,
    "linearize": lambda f: lambda x: cv.linearize(f, x)[1](1.0),
    "functional.vjp": lambda f: lambda x: cv.functional.vjp(f, x, 1.0)[1],
    "functional.jvp": lambda f: lambda x: cv.functional.jvp(f, x, 1.0)[1],
}


@pytest.fixture(params=sorted(MODES))
def d(request):
    """The derivative of a scalar function by one of the transforms."""
    return MODES[request.param]


# --- no_grad inside ---------------------------------------------------------------------------------------------------


def test_values_computed_inside_are_constants(d):
    def f(x):
        with cv.no_grad():
            c = x**2
        return x - c

    assert d(f)(3.0) == 1.0


def test_only_what_is_computed_inside_is_constant(d):
    def f(x):
        before = x * x
        with cv.no_grad():
            c = before * x
        return before * c

    assert d(f)(2.0) == 4.0 * 8.0


def test_arguments_remain_differentiable_after_the_block(d):
    def f(x):
        with cv.no_grad():
            x + 1
        return x**2

    assert d(f)(3.0) == 6.0


def test_everything_inside_gives_zero(d):
    def f(x):
        with cv.no_grad():
            return np.sin(x) * x

    assert d(f)(3.0) == 0.0


def test_indexing_and_methods_inside_are_constants(d):
    def f(x):
        v = x * np.ones(3)
        with cv.no_grad():
            c = v[1] + v.sum() + np.stack([v, v]).max()
        return c * x

    assert d(f)(2.0) == 10.0


# --- no_grad outside --------------------------------------------------------------------------------------------------


def test_a_transform_started_inside_differentiates_normally(d):
    with cv.no_grad():
        assert d(lambda x: x**2)(3.0) == 6.0


def test_the_inner_block_is_respected_and_the_outer_is_not(d):
    def f(x):
        with cv.no_grad():
            c = x**2
        return x**3 - c

    with cv.no_grad():
        assert d(f)(2.0) == 12.0


def test_pullback_and_push_forward_ignore_the_block_they_are_called_in():
    _, vjp_fn = cv.vjp(lambda x: x**2, 3.0)
    _, push = cv.linearize(lambda x: x**2, 3.0)
    with cv.no_grad():
        assert vjp_fn(1.0) == (6.0,)
        assert push(1.0) == 6.0


# --- nesting ----------------------------------------------------------------------------------------------------------


def test_inner_transform_started_in_a_block_is_a_constant_to_the_outer(d):
    for inner in (cv.grad, forward):

        def f(x, inner=inner):
            with cv.no_grad():
                slope = inner(lambda y: y**3)(x)
            return x * slope

        assert_allclose(d(f)(2.0), 12.0, rtol=1e-15)


def test_block_inside_an_inner_transform_is_constant_to_both(d):
    for inner in (cv.grad, forward):

        def f(x, inner=inner):
            def g(y):
                with cv.no_grad():
                    c = x * y
                return c * y * x

            return inner(g)(x)

        # inner derivative: c x with c = x² constant for both, so the outer derivative is c
        assert_allclose(d(f)(3.0), 9.0, rtol=1e-15)


def test_closure_over_an_outer_value_inside_the_block(d):
    def f(x):
        with cv.no_grad():
            inner = cv.grad(lambda y: x * y**2)(1.0)
        return inner * x

    assert d(f)(3.0) == 6.0


def test_second_derivative_respects_the_block(d):
    def f(x):
        with cv.no_grad():
            c = x**2
        return x**3 * c

    for inner in (cv.grad, forward):
        # both orders treat c as a constant: the second derivative is 6 x c
        assert_allclose(d(inner(f))(2.0), 48.0, rtol=1e-15)


def test_vmap_is_unaffected():
    def f(x):
        with cv.no_grad():
            c = x * 2
        return c + x

    assert_array_equal(cv.vmap(f)(np.arange(3.0)), 3 * np.arange(3.0))
    assert_array_equal(cv.vmap(cv.grad(f))(np.arange(3.0)), np.ones(3))
    assert_array_equal(cv.grad(lambda x: cv.vmap(f)(x).sum())(np.arange(3.0)), np.ones(3))
    assert_array_equal(cv.jacfwd(cv.vmap(f))(np.arange(3.0)), np.eye(3))
    with cv.no_grad():
        assert_array_equal(cv.vmap(lambda x: 2 * x)(np.arange(3.0)), 2 * np.arange(3.0))


# --- re-entrant, decorator, exceptions, threads -----------------------------------------------------------------------


def test_re_entrant(d):
    switch = cv.no_grad()

    def f(x):
        with switch:
            with switch:
                a = x * 2
            b = x * 3
        return a * b * x

    assert d(f)(2.0) == 24.0
    assert d(f)(2.0) == 24.0


def test_nested_blocks_end_one_by_one(d):
    def f(x):
        with cv.no_grad():
            with cv.no_grad():
                a = x * 2
            b = x * 3
        c = x * 5
        return a + b + c

    assert d(f)(1.0) == 5.0


def test_decorator(d):
    @cv.no_grad()
    def constant(x, *, factor=1.0):
        """Documented."""
        return factor * x**2

    assert constant.__name__ == "constant" and constant.__doc__ == "Documented."
    assert d(lambda x: constant(x, factor=2.0) * x)(3.0) == 18.0
    assert d(lambda x: constant(x) * x)(3.0) == 9.0


def test_enable_grad_undoes_it_inside(d):
    def f(x):
        with cv.no_grad():
            a = x * 2
            with cv.enable_grad():
                b = x * 3
                with cv.no_grad():
                    c = x * 5
            e = x * 7
        return a + b + c + e

    assert d(f)(1.0) == 3.0


def test_enable_grad_as_decorator(d):
    @cv.enable_grad()
    def square(x):
        return x**2

    def f(x):
        with cv.no_grad():
            return square(x)

    assert d(f)(3.0) == 6.0


def test_enable_grad_alone_changes_nothing(d):
    def f(x):
        with cv.enable_grad():
            return x**2

    assert d(f)(3.0) == 6.0
    with cv.enable_grad():
        assert d(f)(3.0) == 6.0


def test_an_exception_ends_the_block(d):
    def f(x):
        try:
            with cv.no_grad():
                raise KeyError("inside")
        except KeyError:
            pass
        return x**2

    assert d(f)(3.0) == 6.0
    with pytest.raises(KeyError), cv.no_grad():
        raise KeyError
    assert d(lambda x: x**2)(3.0) == 6.0


def test_blocks_leave_nothing_in_the_context():
    def f(x):
        with cv.no_grad(), cv.enable_grad():
            return x**2

    cv.grad(f)(3.0)
    before = len(contextvars.copy_context())
    for _ in range(20):
        cv.grad(f)(3.0)
    assert len(contextvars.copy_context()) == before


def test_other_threads_are_unaffected(d):
    entered, release = threading.Event(), threading.Event()

    def hold():
        with cv.no_grad():
            entered.set()
            release.wait(10)

    def f(x):
        thread = threading.Thread(target=hold)
        thread.start()
        entered.wait(10)
        y = x**2
        release.set()
        thread.join()
        return y

    assert d(f)(3.0) == 6.0


# --- stop_gradient ----------------------------------------------------------------------------------------------------


def test_stop_gradient_is_the_identity_on_values():
    x = np.array([1.0, 2.0])
    assert_array_equal(cv.stop_gradient(x), x)
    tree = {"a": x, "n": 3, "none": None, "t": (1.0, True)}
    got = cv.stop_gradient(tree)
    assert list(got) == ["a", "n", "none", "t"] and got["n"] == 3 and got["none"] is None
    assert_array_equal(got["a"], x)


def test_stop_gradient_has_derivative_zero(d):
    assert d(lambda x: cv.stop_gradient(x**2))(3.0) == 0.0
    assert d(lambda x: x * cv.stop_gradient(x**2))(3.0) == 9.0


def test_stop_gradient_acts_on_trees(d):
    def f(x):
        stopped = cv.stop_gradient({"a": x, "b": [x**2, 2]})
        return stopped["a"] * x + stopped["b"][0] * stopped["b"][1]

    assert d(f)(3.0) == 3.0


def test_stop_gradient_in_all_orders(d):
    for inner in (cv.grad, forward):
        assert d(inner(lambda x: x**2 * cv.stop_gradient(x)))(3.0) == 6.0
        assert d(inner(lambda x: cv.stop_gradient(x**3)))(3.0) == 0.0


def test_stop_gradient_stops_every_enclosing_transform(d):
    for inner in (cv.grad, forward):

        def f(x, inner=inner):
            return inner(lambda y: y * cv.stop_gradient(x * y))(x)

        # the inner derivative is stop(x²): a constant for the outer transform as well
        assert d(f)(3.0) == 0.0


def test_stop_gradient_survives_vmap(d):
    def f(x):
        return x * cv.stop_gradient(x)

    xs = np.arange(3.0)
    assert_array_equal(cv.vmap(d(f))(xs), xs)
    assert d(lambda s: cv.vmap(lambda x: f(s * x))(xs).sum())(1.0) == np.sum(xs * xs)


def test_stop_gradient_under_a_linear_transpose_is_zero():
    assert_array_equal(cv.vjp(cv.stop_gradient, np.ones(2))[1](np.ones(2))[0], np.zeros(2))
