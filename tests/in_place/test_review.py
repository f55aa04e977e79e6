"""Handles that share what they hold: results written to, numbers asked for, closures changed on the way."""

import numpy as np
import pytest

import covector as cv
from covector.core.cotangents import Scatter

X = np.array([0.3, 0.7])


def product(x):
    y = x * x
    return y, y.copy()


def pulled(x):
    y, vjp_fn = cv.vjp(np.exp, x)
    y[0] = 9.0
    return np.sum(vjp_fn(np.ones(2))[0] * x)


def pushed(x):
    y, f_jvp = cv.linearize(np.exp, x)
    y[0] = 9.0
    return np.sum(f_jvp(np.ones(2)) * x)


def auxiliary(x):
    def exp(z):
        y = np.exp(z)
        return y, y

    y, vjp_fn, aux = cv.vjp(exp, x, has_aux=True)
    aux[0] = 5.0
    return np.sum(aux * x) + np.sum(y * x) + np.sum(vjp_fn(x)[0])


def identity(x):
    y, vjp_fn = cv.vjp(lambda z: z, x)
    ct = np.sin(x)
    result = vjp_fn(ct)[0]
    result[0] = 3.0
    y[1] = 2.0
    return np.sum(ct * x) + np.sum(result * x) + np.sum(y * x)


def tangents(x):
    (a, b), (ta, tb) = cv.jvp(product, (x,), (x,))
    a[0] = ta[0] = 9.0
    return np.sum(b * x) + np.sum(tb * x) + np.sum(a * ta)


def lanes(x):
    a, b = cv.vmap(product)(x)
    a[0] = 9.0
    return np.sum(a * x) + np.sum(b * x)


@pytest.mark.parametrize("fun", [pulled, pushed, auxiliary, identity, tangents, lanes])
def test_results_of_inner_transforms_may_be_written_to(fun):
    step = 1e-6
    expected = [(fun(X + step * e) - fun(X - step * e)) / (2 * step) for e in np.eye(2)]
    value, gradient = cv.value_and_grad(fun)(X)
    forward_value, tangent = cv.jvp(fun, (X,), (np.ones(2),))
    np.testing.assert_allclose([value, forward_value, *cv.vmap(fun)(np.stack([X, X]))], fun(X), rtol=1e-14)
    np.testing.assert_allclose(gradient, expected, rtol=1e-7)
    np.testing.assert_allclose(tangent, sum(expected), rtol=1e-7)


def outputs_of_jvp():
    return cv.jvp(product, (X,), (X,))[0]


def output_and_aux_of_jvp():
    out, _, aux = cv.jvp(product, (X,), (X,), has_aux=True)
    return out, aux


def outputs_of_vmap():
    return cv.vmap(product)(np.stack([X, X]))


def aux_of_grad():
    return cv.grad(lambda x: (np.sum(x), product(x)), has_aux=True)(X)[1]


def values_beside_jacobian():
    return cv.value_and_jacobian(product)(X)[0]


@pytest.mark.parametrize(
    "results", [outputs_of_jvp, output_and_aux_of_jvp, outputs_of_vmap, aux_of_grad, values_beside_jacobian]
)
def test_a_copy_is_returned_as_a_copy(results):
    first, second = results()
    before = second.copy()
    first[...] = -1.0
    np.testing.assert_array_equal(second, before)


def test_a_view_of_no_dimensions_stays_one_when_asked_for_its_number():
    seen = []

    def fun(x):
        b = np.zeros_like(x)
        v = b[0, ...]
        seen.append(float(v))
        b[0] = 3.0
        seen.append(float(v))
        v[...] = x[1] * 2
        with pytest.raises(cv.TracerConversionError):
            float(v)
        b[0] = x[1] * 4
        return np.sum(b * x) + v

    np.testing.assert_array_equal(cv.grad(fun)(np.array([2.0, 3.0])), [12.0, 12.0])
    assert seen == [0.0, 3.0]


def test_a_buffer_of_no_dimensions_can_be_indexed_after_it_was_asked_for_its_number():
    def fun(x):
        b = np.zeros_like(x)
        b[...] = 1.0 + float(b)
        assert float(b) == 1.0
        return b[()] * x

    assert cv.grad(fun)(np.array(2.0)) == 1.0


@pytest.mark.parametrize("shape", [(), (2,)])
def test_what_is_written_in_no_grad_is_a_constant(shape):
    def fun(x):
        y = x.copy()
        with cv.no_grad():
            y[...] = x * 2
        y *= x
        return np.sum(y)

    x = np.full(shape, 3.0)
    np.testing.assert_array_equal(cv.grad(fun)(x), np.full(shape, 6.0))
    assert cv.jvp(fun, (x,), (np.ones(shape),))[1] == 6.0 * x.size


def test_checkpoint_reads_a_closure_anew_when_it_has_changed():
    def outer(wrap):
        def fun(x):
            y = x * 1.0

            def inner(t):
                before = np.sum(y * t)
                y[0] = 5.0
                return before + 2 * np.sum(y * t)

            out = wrap(inner)(x * 2)
            y[1] = -1.0
            return out + np.sum(y)

        return fun

    value, gradient = cv.value_and_grad(outer(lambda f: f))(X)
    checkpointed = cv.value_and_grad(outer(cv.checkpoint))(X)
    np.testing.assert_allclose(checkpointed[0], value, rtol=1e-15)
    np.testing.assert_allclose(checkpointed[1], gradient, rtol=1e-15)


@pytest.mark.parametrize(
    ("index", "shape"),
    [
        ((-1, 2), (3, 4)),
        ((slice(None, None, -2),), (5,)),
        ((None, slice(0, 1), slice(2, 0, -1)), (2, 3)),
        ((..., -1), (2, 3, 4)),
        ((1, ...), (2, 3, 4)),
        ((slice(0, 0),), (3,)),
        ((-2,), (3, 4)),
        ((), (3, 2)),
        ((...,), ()),
        ((np.array([0, -1, 2]),), (3, 2)),
        ((np.array([[0], [-2]]), np.array([1, 3])), (3, 4, 2)),
        ((np.array([], int),), (3, 2)),
    ],
)
def test_places_of_a_scatter(index, shape):
    expected = np.arange(int(np.prod(shape))).reshape(shape)[index].reshape(-1)
    np.testing.assert_array_equal(Scatter(index, np.zeros(1), shape, True, None).places(), expected)


def test_places_of_a_row_are_found_without_numbering_the_whole_array():
    shape = (10**12, 3)  # whose numbers would not fit into memory
    places = Scatter((5,), np.zeros(3), shape, True, None).places()
    np.testing.assert_array_equal(places, [15, 16, 17])


def test_conversion_to_another_dtype_copies_as_in_numpy():
    def fun(x):
        b = np.zeros_like(x)
        single = np.asarray(b, dtype=np.float32)
        b[0] = x[0]
        assert not single.any()
        return np.sum(b)

    np.testing.assert_array_equal(cv.grad(fun)(X), [1.0, 0.0])


def test_checkpoint_of_a_function_that_writes_in_no_grad():
    def fun(x):
        y = x * 1.0
        with cv.no_grad():
            y[0] = x[1] * 2
            c = x * 3
        c[1] = x[0]
        return np.sum(y * x * c)

    np.testing.assert_allclose(cv.checkpoint(fun)(X), fun(X), rtol=1e-15)
    np.testing.assert_allclose(cv.grad(cv.checkpoint(fun))(X), cv.grad(fun)(X), rtol=1e-15)
    np.testing.assert_allclose(cv.jvp(cv.checkpoint(fun), (X,), (X,))[1], cv.jvp(fun, (X,), (X,))[1], rtol=1e-15)


def test_a_real_array_has_no_imaginary_part_to_set():
    def fun(x):
        x.imag = 3.0
        return np.sum(x)

    with pytest.raises(TypeError, match="imaginary part"):
        cv.grad(fun)(X)
