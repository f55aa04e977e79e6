"""Error classes; conversions that would drop a derivative; values that outlive their transform."""

import math
import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import covector as cv

THIS_FILE = os.path.basename(__file__)

HIERARCHY = [
    ("CovectorError", (Exception,)),
    ("NotDifferentiableError", (cv.CovectorError, TypeError)),
    ("TracerConversionError", (cv.CovectorError, TypeError)),
    ("LeakedTracerError", (cv.CovectorError, RuntimeError)),
    ("ConcretizationError", (cv.CovectorError, TypeError)),
    ("CustomRuleError", (cv.CovectorError, TypeError)),
]


@pytest.mark.parametrize(("name", "bases"), HIERARCHY)
def test_error_classes_live_in_two_places_and_have_their_bases(name, bases):
    cls = getattr(cv, name)
    assert getattr(cv.errors, name) is cls
    for base in bases:
        assert issubclass(cls, base)


# --- conversions ------------------------------------------------------------------------------------------------------


def assign_first(t):
    buffer = np.zeros(3)
    buffer[0] = t
    return buffer


def assign_slice(t):
    buffer = np.zeros(3)
    buffer[:] = t
    return buffer


SCALAR_CONVERSIONS = {
    "float": float,
    "complex": complex,
    "math.sin": math.sin,
    "math.exp": math.exp,
    "np.array([t])": lambda t: np.array([t]),
    "np.array([t, 1.0])": lambda t: np.array([t, 1.0]),
    "np.array([[t], [t]])": lambda t: np.array([[t], [t]]),
    "np.array(t)": np.array,
    "np.asarray(t)": np.asarray,
    "np.asarray(t, float)": lambda t: np.asarray(t, dtype=float),
    "np.float64": np.float64,
    "np.int64": np.int64,
    "np.float32": np.float32,
    "a[0] = t": assign_first,
    "a[:] = t": assign_slice,
    "np.full": lambda t: np.full(3, t),
}

ARRAY_CONVERSIONS = {
    "np.array(t)": np.array,
    "np.array([t, t])": lambda t: np.array([t, t]),
    "np.asarray(t)": np.asarray,
    "np.ascontiguousarray": np.ascontiguousarray,
    "a[:] = t": assign_slice,
    "float(t[0])": lambda t: float(t[0]),
    "np.array(list(t))": lambda t: np.array(list(t)),
}


def under_grad(f, x):
    return cv.grad(lambda x: np.sum(f(x) * x))(x)


def under_jvp(f, x):
    return cv.jvp(f, (x,), (np.ones_like(x),))


def under_vmap(f, x):
    return cv.vmap(f)(np.stack([x, x]))


def under_both(f, x):
    return cv.jvp(lambda x: under_grad(f, x), (x,), (np.ones_like(x),))


TRANSFORMS = {"grad": under_grad, "jvp": under_jvp, "vmap": under_vmap, "jvp of grad": under_both}


def assert_refused(run, convert, x):
    # under vmap there is also no single value to convert, so either error tells the truth
    error = (cv.TracerConversionError, cv.ConcretizationError) if run is under_vmap else cv.TracerConversionError
    with pytest.raises(error) as info:
        run(convert, x)
    return str(info.value)


@pytest.mark.parametrize("transform", sorted(TRANSFORMS))
@pytest.mark.parametrize("name", sorted(SCALAR_CONVERSIONS))
def test_converting_a_traced_scalar_is_refused(name, transform):
    assert_refused(TRANSFORMS[transform], SCALAR_CONVERSIONS[name], np.array(0.5))


@pytest.mark.parametrize("transform", sorted(TRANSFORMS))
@pytest.mark.parametrize("name", sorted(ARRAY_CONVERSIONS))
def test_converting_a_traced_array_is_refused(name, transform):
    assert_refused(TRANSFORMS[transform], ARRAY_CONVERSIONS[name], np.array([0.5, 1.0, 2.0]))


@pytest.mark.parametrize("name", sorted(SCALAR_CONVERSIONS))
def test_message_shows_the_callers_file_and_line(name):
    message = assert_refused(under_grad, SCALAR_CONVERSIONS[name], np.array(0.5))
    assert THIS_FILE in message


@pytest.mark.parametrize("convert", [lambda t: np.array([t, 1.0]), np.asarray, assign_first])
def test_message_shows_a_form_that_works(convert):
    message = assert_refused(under_grad, convert, np.array(0.5))
    assert "covector.numpy" in message or "np.stack" in message


@pytest.mark.parametrize("name", sorted(SCALAR_CONVERSIONS))
def test_a_refused_conversion_leaves_no_trace(name):
    assert_refused(under_grad, SCALAR_CONVERSIONS[name], np.array(0.5))
    assert cv.grad(lambda x: x**2)(3.0) == 6.0


def test_values_of_concrete_traced_numbers_may_steer_python():
    def f(x):
        assert bool(x > 0) and not x < 0
        assert int(x) == 2
        while x.sum() < 10:
            x = x * 2
        return [x, -x][int(x > 100)]

    assert cv.grad(f)(2.5) == 4.0
    assert cv.jvp(f, (2.5,), (1.0,))[1] == 4.0


def test_integers_and_bools_from_traced_values_are_plain():
    def f(x):
        n = np.argmax(x)
        assert isinstance(n, np.integer)
        assert type(np.asarray(x > 0)) is np.ndarray
        assert float(np.floor(x)[0]) == 0.0
        return x[n]

    assert_array_equal(cv.grad(f)(np.array([0.5, 3.0, 1.0])), [0.0, 1.0, 0.0])


def test_never_object_arrays():
    def f(x):
        return np.array([x, x], dtype=object)

    with pytest.raises(cv.TracerConversionError):
        cv.grad(lambda x: f(x)[0])(2.0)


# --- functions without a rule -----------------------------------------------------------------------------------------


def twice(v):
    return 2 * v


WITHOUT_RULE = {
    "user ufunc": (np.frompyfunc(twice, 1, 1), "twice"),
    "unpackbits": (np.unpackbits, "np.unpackbits"),
}


@pytest.mark.parametrize("name", sorted(WITHOUT_RULE))
@pytest.mark.parametrize("transform", ["grad", "jvp", "vmap"])
def test_function_without_a_rule_is_named_with_the_callers_file(name, transform):
    f, word = WITHOUT_RULE[name]
    with pytest.raises(cv.NotDifferentiableError) as info:
        TRANSFORMS[transform](f, np.array([0.5, 1.0, 2.0]))
    assert word in str(info.value) and THIS_FILE in str(info.value)


# --- leaks ------------------------------------------------------------------------------------------------------------

LEAKERS = {
    "vjp": lambda f, x: cv.vjp(f, x),
    "grad": lambda f, x: cv.grad(f)(x),
    "jvp": lambda f, x: cv.jvp(f, (x,), (np.ones_like(x),)),
    "vmap": lambda f, x: cv.vmap(f)(np.stack([x, x])),
    "jacrev": lambda f, x: cv.jacrev(f)(x),
    "jacfwd": lambda f, x: cv.jacfwd(f)(x),
    "linearize": lambda f, x: cv.linearize(f, x),
}

USES = {
    "add": lambda t: t + 1,
    "radd": lambda t: 1 + t,
    "ufunc": np.sin,
    "method": lambda t: t.sum(),
    "function": lambda t: np.sum(t),
    "comparison": lambda t: t > 0,
    "with an array": lambda t: np.ones(3) * t,
}


@pytest.mark.parametrize("use", sorted(USES))
@pytest.mark.parametrize("transform", sorted(LEAKERS))
def test_value_used_after_its_transform_is_a_leak(transform, use):
    kept = []

    def f(x):
        kept.append(x * 2)
        return np.sum(x)

    LEAKERS[transform](f, np.array([0.5, 1.0, 2.0]))
    with pytest.raises(cv.LeakedTracerError):
        USES[use](kept[0])


@pytest.mark.parametrize("transform", ["vjp", "jvp", "vmap"])
def test_leak_names_the_transform_and_where_it_ended(transform):
    kept = []

    def f(x):
        kept.append(x * 2)
        return np.sum(x)

    LEAKERS[transform](f, np.array([0.5, 1.0, 2.0]))
    with pytest.raises(cv.LeakedTracerError) as info:
        kept[0] + 1
    assert transform in str(info.value)
    assert THIS_FILE in str(info.value)


def test_leak_into_a_later_transform():
    kept = []
    cv.grad(lambda x: (kept.append(x), x * 2)[1])(1.0)
    with pytest.raises(cv.LeakedTracerError):
        cv.grad(lambda x: x * kept[0])(1.0)


def test_leak_from_an_inner_transform_into_the_outer_one():
    kept = []

    def f(x):
        cv.grad(lambda y: (kept.append(y), y * x)[1])(1.0)
        return x * kept[0]

    with pytest.raises(cv.LeakedTracerError):
        cv.grad(f)(1.0)


def test_leak_after_an_exception():
    kept = []

    def f(x):
        kept.append(x)
        raise KeyError

    with pytest.raises(KeyError):
        cv.grad(f)(1.0)
    with pytest.raises(cv.LeakedTracerError):
        kept[0] + 1


@pytest.mark.parametrize(
    "again",
    [
        lambda f: cv.grad(f)(1.0),
        lambda f: cv.vjp(lambda x: (x, f(x)), 1.0),
        lambda f: cv.jvp(f, (1.0,), (1.0,)),
        lambda f: cv.jacfwd(f)(1.0),
        lambda f: cv.vmap(f)(np.ones(2)),
        lambda f: cv.checkpoint(f)(1.0),
    ],
)
def test_a_leaked_value_as_output_of_another_transform(again):
    kept = []
    cv.grad(lambda x: (kept.append(x), x**2)[1])(2.0)
    with pytest.raises(cv.LeakedTracerError, match="grad"):
        again(lambda x: kept[0])
