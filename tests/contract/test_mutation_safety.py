"""Arrays that change under a derivative: the result is unaffected or the write is refused, never a wrong number."""

import gc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector.core.protect import Holds

SIZES = [3, 200_000]


class Refused(Exception):
    """The write was refused with an error that says so."""


def overwrite(array, value=5.0):
    """Write into the array as a user would; NumPy's refusal of a read-only array is the clear error."""
    try:
        array[:] = value
    except (ValueError, cv.CovectorError) as error:
        assert "read-only" in str(error) or isinstance(error, cv.CovectorError)
        raise Refused from error


def unaffected_or_refused(compute, expected):
    try:
        got = compute()
    except (Refused, cv.OverwrittenError):
        return
    for g, e in zip(cv.tree.leaves(got), cv.tree.leaves(expected), strict=True):
        assert_allclose(g, e, rtol=1e-14)


def numbers(n, seed=9):
    return np.random.default_rng(seed).uniform(0.5, 1.5, size=n)


ONE_CALL = {
    "grad": lambda f, x: cv.grad(lambda x: f(x).sum())(x),
    "jvp": lambda f, x: cv.jvp(f, (x,), (np.ones_like(x),))[1],
    "linearize": lambda f, x: cv.linearize(f, x)[1](np.ones_like(x)),
    "vjp": lambda f, x: cv.vjp(f, x)[1](np.ones_like(x))[0],
    "hvp": lambda f, x: cv.hvp(lambda x: f(x).sum(), (x,), (np.ones_like(x),))[0][0],
    "vmap of grad": lambda f, x: cv.vmap(cv.grad(lambda x: f(x).sum()))(x[None])[0],
}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("transform", sorted(ONE_CALL))
def test_work_buffer_reused_inside_the_function(transform, n):
    x, w = numbers(n), numbers(n, 10)
    expected = w.copy()

    def f(x):
        y = x * w
        overwrite(w)
        return y

    unaffected_or_refused(lambda: ONE_CALL[transform](f, x), expected)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("transform", sorted(ONE_CALL))
def test_buffer_created_and_reused_inside_the_function(transform, n):
    """The buffer is the function's own: y = Σₖ x bₖ with one buffer for all bₖ."""
    x = numbers(n)

    def f(x):
        buffer, y = np.empty(n), 0.0
        for k in range(1, 4):
            overwrite(buffer, float(k))
            y = y + x * buffer
        return y

    unaffected_or_refused(lambda: ONE_CALL[transform](f, x), np.full(n, 6.0))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("transform", sorted(ONE_CALL))
def test_argument_overwritten_from_inside_the_function(transform, n):
    x = numbers(n)
    expected = 2 * x

    def f(traced):
        y = traced**2
        overwrite(x)
        return y

    unaffected_or_refused(lambda: ONE_CALL[transform](f, x), expected)


@pytest.mark.parametrize("n", SIZES)
def test_buffer_behind_a_view_and_a_transpose(n):
    x, w = numbers(n), numbers(2 * n).reshape(2, n)
    expected = w[0] + w[1]

    def f(x):
        y = x * w[0] + w.T[:, 1] * x
        overwrite(w)
        return y

    unaffected_or_refused(lambda: cv.vjp(f, x)[1](np.ones(n))[0], expected)


@pytest.mark.parametrize("n", SIZES)
def test_matrix_factor_overwritten(n):
    x, w = numbers(4), numbers(4 * (n // 4 + 1)).reshape(-1, 4)
    expected = w.sum(0)

    def f(x):
        y = w @ x
        overwrite(w)
        return y

    unaffected_or_refused(lambda: cv.vjp(f, x)[1](np.ones(len(w)))[0], expected)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("what", ["argument", "constant"])
def test_write_between_vjp_and_its_pullback(what, n):
    x, w = numbers(n), numbers(n, 10)
    expected = 2 * x * w

    def run():
        _, vjp_fn = cv.vjp(lambda x: x**2 * w, x)
        overwrite(x if what == "argument" else w)
        return vjp_fn(np.ones(n))[0]

    unaffected_or_refused(run, expected)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("what", ["argument", "constant"])
def test_write_between_linearize_and_its_push(what, n):
    x, w = numbers(n), numbers(n, 10)
    expected = 2 * x * w

    def run():
        _, push = cv.linearize(lambda x: x**2 * w, x)
        overwrite(x if what == "argument" else w)
        return push(np.ones(n))

    unaffected_or_refused(run, expected)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("f", [np.exp, np.sqrt, np.tanh, lambda x: 1 / x, lambda x: (np.exp(x), x)[0]])
def test_output_overwritten_before_the_pullback(f, n):
    x = numbers(n)
    expected = cv.vjp(f, x)[1](np.ones(n))[0]

    def run():
        out, vjp_fn = cv.vjp(f, x)
        overwrite(out)
        return vjp_fn(np.ones(n))[0]

    unaffected_or_refused(run, expected)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("transform", [cv.vjp, cv.linearize])
def test_aux_overwritten_before_the_derivative_is_used(transform, n):
    x = numbers(n)

    def f(x):
        y = np.exp(x)
        return y * x, {"x": x, "y": y}

    def run():
        _, linear, aux = transform(f, x, has_aux=True)
        overwrite(aux["x"])
        overwrite(aux["y"])
        result = linear(np.ones(n))
        return result[0] if transform is cv.vjp else result

    unaffected_or_refused(run, np.exp(x) * (1 + x))
    assert_array_equal(x, numbers(n))


def test_result_overwritten_before_the_next_call():
    x = numbers(3)
    _, vjp_fn = cv.vjp(lambda x: (x, x * 2), x)
    first = vjp_fn((np.ones(3), np.ones(3)))[0]
    overwrite(first)
    assert_array_equal(vjp_fn((np.ones(3), np.ones(3)))[0], np.full(3, 3.0))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("transform", sorted(ONE_CALL))
def test_write_through_a_view_made_before_the_transform(transform, n):
    """NumPy does not know which views of an array exist; a read-only flag on the array does not reach them."""
    x, w = numbers(n), numbers(n, 10)
    view, expected = w[:], w.copy()

    def f(x):
        y = x * w
        overwrite(view)
        return y

    unaffected_or_refused(lambda: ONE_CALL[transform](f, x), expected)


@pytest.mark.parametrize("n", SIZES)
def test_argument_written_through_a_view_between_vjp_and_pullback(n):
    x = numbers(n)
    view, expected = x.reshape(1, -1), 2 * x

    def run():
        _, vjp_fn = cv.vjp(lambda x: x**2, x)
        overwrite(view)
        return vjp_fn(np.ones(n))[0]

    unaffected_or_refused(run, expected)


def weighted_by_custom_jvp(w):
    f = cv.custom_jvp(lambda x: x * w)
    f.defjvp(lambda primals, tangents: (primals[0] * w, w * tangents[0]))
    return f


def weighted_by_custom_vjp(w):
    f = cv.custom_vjp(lambda x: x * w)
    f.defvjp(lambda x: (x * w, {"w": w}), lambda res, ct: (res["w"] * ct,))
    return f


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("transform", ["vjp", "linearize", "jvp", "grad"])
@pytest.mark.parametrize(
    "make",
    [weighted_by_custom_jvp, weighted_by_custom_vjp, lambda w: cv.checkpoint(lambda x: x * w)],
    ids=["custom_jvp", "custom_vjp", "checkpoint"],
)
def test_constant_of_a_custom_rule_overwritten(make, transform, n):
    w = numbers(n, 10)
    expected = w.copy()
    f = make(w)

    def overwriting(x):
        y = f(x)
        overwrite(w)
        return y

    unaffected_or_refused(lambda: ONE_CALL[transform](overwriting, numbers(n)), expected)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    "f", [lambda x, k: x[k], lambda x, k: np.where(k > 0, x, 0), lambda x, k: np.take(x, k), lambda x, k: x[k > 0]]
)
def test_index_or_mask_overwritten(f, n):
    x, k = numbers(n), np.arange(n)[::-1].copy()
    ct = np.ones(np.shape(f(x, k)))
    expected = cv.vjp(lambda x: f(x, k.copy()), x)[1](ct)[0]

    def run():
        _, vjp_fn = cv.vjp(lambda x: f(x, k), x)
        overwrite(k, 0)
        return vjp_fn(ct)[0]

    unaffected_or_refused(run, expected)


@pytest.mark.parametrize("n", SIZES)
def test_residual_of_a_custom_rule_is_neither_returned_nor_accumulated_into(n):
    weights = numbers(n)
    kept = weights.copy()

    @cv.custom_vjp
    def weighted(x):
        return x * weights

    weighted.defvjp(lambda x: (x * weights, weights), lambda w, ct: (w,))
    for f, factor in [(weighted, 1.0), (lambda x: weighted(x) + weighted(x) + weighted(x), 3.0)]:
        _, vjp_fn = cv.vjp(f, numbers(n, 10))
        (first,) = vjp_fn(np.ones(n))
        assert_allclose(first, factor * kept, rtol=1e-15)
        assert_array_equal(weights, kept)
        assert not np.shares_memory(first, weights)
        overwrite(first)
        assert_allclose(vjp_fn(np.ones(n))[0], factor * kept, rtol=1e-15)


# --- the caller's arrays ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("transform", sorted(ONE_CALL))
def test_callers_arrays_are_not_modified_and_writable_again(transform, n):
    x, w = numbers(n), numbers(n, 10)
    kept_x, kept_w = x.copy(), w.copy()
    ONE_CALL[transform](lambda x: np.exp(x) * w + w[::-1] * x, x)
    assert_array_equal(x, kept_x)
    assert_array_equal(w, kept_w)
    assert x.flags.writeable and w.flags.writeable
    x[0] = w[0] = 0.0


@pytest.mark.parametrize("n", SIZES)
def test_writable_again_after_an_exception(n):
    x, w = numbers(n), numbers(n, 10)

    def f(x):
        y = x * w
        raise KeyError(y.shape)

    for transform in ONE_CALL.values():
        with pytest.raises(KeyError):
            transform(f, x)
        assert x.flags.writeable and w.flags.writeable
        x[0] = w[0] = 1.0


@pytest.mark.parametrize("n", SIZES)
def test_nested_transforms_release_what_they_hold(n):
    x, w = numbers(n), numbers(n, 10)
    cv.grad(lambda x: np.sum(w * cv.grad(lambda y: np.sum(w * y**2 * x))(x)))(x)
    assert x.flags.writeable and w.flags.writeable


@pytest.mark.parametrize("n", SIZES)
def test_read_only_arrays_stay_read_only_and_work(n):
    x, w = numbers(n), numbers(n, 10)
    x.flags.writeable = w.flags.writeable = False
    for transform in ONE_CALL.values():
        assert_allclose(transform(lambda x: x * w, x), w, rtol=0)
        assert not x.flags.writeable and not w.flags.writeable


@pytest.mark.parametrize("n", SIZES)
def test_views_of_the_callers_arrays_stay_writable(n):
    base = numbers(2 * n)
    x = base[:n]
    cv.grad(lambda x: np.sum(np.sin(x) * base[n:]))(x)
    assert base.flags.writeable and x.flags.writeable
    base[:] = 0
    _, vjp_fn = cv.vjp(lambda x: np.sum(np.sin(x)), x)
    vjp_fn(1.0)
    del vjp_fn
    gc.collect()
    base[:] = 1
    assert x[0] == 1


@pytest.mark.parametrize("run", [lambda x: cv.grad(lambda x: np.sum(np.sin(x)))(x), lambda x: cv.vjp(np.sin, x)])
def test_nothing_keeps_the_argument_alive(run):
    x = numbers(200_000)
    watched = weakref.ref(x)
    run(x)
    del x
    gc.collect()
    assert watched() is None


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("f", [lambda x, w: x * w, lambda x, w: np.exp(x)], ids=["constant factor", "own output"])
def test_derivative_that_is_a_kept_array_is_handed_out_as_a_copy(f, n):
    # The cotangent of a plain sum is all ones, so that of x is w (exp(x)) itself.
    x, w = numbers(n), numbers(n, 10)
    kept = w.copy()
    _, vjp_fn = cv.vjp(lambda x: np.sum(f(x, w)), x)
    (first,) = vjp_fn(1.0)
    expected = first.copy()
    first[:] = 77.0
    assert_array_equal(vjp_fn(1.0)[0], expected)
    gradient = cv.grad(lambda x: np.sum(f(x, w)))(x)
    _, tangent = cv.jvp(lambda s: np.broadcast_to(s, n) * w, (2.0,), (1.0,))
    gradient[:] = tangent[:] = 77.0
    assert_array_equal(w, kept)


def test_a_view_held_inside_a_transform_that_holds_its_owner_is_given_back():
    """The inner gradient releases the view first, when the outer map still keeps the owner read-only."""
    data = np.linspace(0.0, 1.0, 200_000).reshape(200, 1000)
    view = data.T
    got = cv.vmap(lambda row: cv.grad(lambda v: np.sum(view * v[0]))(row)[0])(data)
    assert_allclose(got, np.full(200, data.sum()))
    assert view.flags.writeable and data.flags.writeable


def test_an_owner_and_its_view_held_by_two_transforms_in_either_order_are_given_back():
    owner = numbers(SIZES[-1])
    view = owner[::-1]
    outer, inner = Holds(), Holds()
    outer.protect(owner)
    inner.protect(view)
    inner.release()
    assert not view.flags.writeable and not owner.flags.writeable
    outer.release()
    assert view.flags.writeable and owner.flags.writeable


def test_a_writeable_view_of_the_users_read_only_array_stays_as_it_is():
    owner = numbers(SIZES[-1])
    view = owner[:]
    owner.flags.writeable = False
    assert_array_equal(cv.grad(lambda x: np.sum(x * view))(np.ones(SIZES[-1])), owner)
    assert view.flags.writeable and not owner.flags.writeable
