"""Every way in which NumPy, SciPy and Python take a value: it is traced right, or our error says what to do instead.

Never a number without its derivative, an array of objects, a warning, or another error that hides ours needlessly.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize._minpack import error as minpack_error

import covector as cv
from contract import slips
from contract.slips import FORMATS, HELPERS, HIDDEN, PLAIN, REFUSED, STEERS, TRACED, Slip
from helpers import check

KINDS = {"0-d": np.float64(1.3), "1-d": np.array([1.3, 0.4, 2.1])}
TRANSFORMS: dict[str, Callable[..., Any]] = {
    "vjp": lambda f, x: cv.vjp(f, x),
    "jvp": lambda f, x: cv.jvp(f, (x,), (np.ones_like(x),)),
    "vmap": lambda f, x: cv.vmap(f)(np.stack([x, x + 0.1])),
}
OURS = (cv.TracerConversionError, cv.NotDifferentiableError, cv.ConcretizationError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TRACED)
def test_traced_with_value_and_derivative(name: str, kind: str) -> None:
    slip, x = TRACED[name], KINDS[kind]
    np.testing.assert_allclose(cv.vjp(slip, x)[0], slip(x), rtol=1e-14)
    check(slip, x, order=1)


@pytest.mark.parametrize("name", STEERS)
def test_comparisons_steer_python_outside_vmap(name: str) -> None:
    slip, x = STEERS[name], KINDS["0-d"]
    np.testing.assert_allclose(cv.vjp(slip, x)[0], slip(x), rtol=1e-12)
    check(slip, x, order=1, batched=False)
    refused(slip, "vmap", x, "np.where")


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PLAIN)
def test_questions_without_derivative_get_plain_answers(name: str, kind: str, transform: str) -> None:
    slip, x = PLAIN[name], KINDS[kind]
    try:
        want = slip(x)
    except (TypeError, ValueError) as error:
        # what NumPy refuses for an array, we refuse too
        with pytest.raises((type(error), *OURS)):
            TRANSFORMS[transform](slip, x)
        return
    answers = []

    def watch(t: Any) -> Any:
        answers.append(slip(t))
        return t * 1.0

    try:
        TRANSFORMS[transform](watch, x)
    except cv.CovectorError as error:
        assert transform == "vmap"
        names_the_line(error, slip)
        return
    if transform == "vmap":
        return  # one answer per example, which test_vmap and the tables of functions compare
    assert type(answers[0]) is type(want)
    np.testing.assert_array_equal(answers[0], want)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_printing_shows_that_the_value_is_traced(name: str, kind: str, transform: str) -> None:
    shown = []
    TRANSFORMS[transform](lambda t: (shown.append(FORMATS[name](t)), t)[1], KINDS[kind])
    assert "Traced(" in shown[0] and "1.3" in shown[0] and transform in shown[0]


def names_the_line(error: BaseException, slip: Slip) -> None:
    """The message names the file and line of the slip, or of the helper in which it writes."""
    found = re.search(re.escape(slips.__file__) + r":(\d+)", str(error))
    assert found, f"no line of the slip in: {error}"
    line = getattr(slip, "__code__", None) and slip.__code__.co_firstlineno
    assert line is None or int(found[1]) in {line, line + 1, *HELPERS}, f"line {line} expected in: {error}"


def refused(slip: Slip, transform: str, x: Any, hint: str) -> None:
    with pytest.raises(OURS) as info:
        TRANSFORMS[transform](slip, x)
    names_the_line(info.value, slip)
    # under vmap there is often no single value either, which is as true and says what works there
    hint = rf"{hint}|np\.where" if info.type is cv.ConcretizationError else hint
    assert re.search(hint, str(info.value)), f"{hint!r} expected in: {info.value}"


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_line_and_form_that_works(name: str, kind: str, transform: str) -> None:
    slip, hint = REFUSED[name]
    try:
        with np.errstate(all="ignore"):
            slip(KINDS[kind])
    except Exception as error:
        # What plain NumPy refuses too may fail in either way, as long as it fails.
        with pytest.raises((type(error), *OURS)):
            TRANSFORMS[transform](slip, KINDS[kind])
        return
    refused(slip, transform, KINDS[kind], hint)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", HIDDEN)
def test_never_a_number_where_the_error_is_not_ours(name: str, kind: str, transform: str) -> None:
    # warnings are errors here: NumPy's shuffle only warns that it does not know the type
    with pytest.raises((TypeError, ValueError, AttributeError, struct.error, UserWarning, minpack_error)):
        TRANSFORMS[transform](HIDDEN[name], KINDS[kind])


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["strides", "flags", "data", "base", "ctypes", "getfield", "__array_interface__"])
def test_what_tells_of_memory_is_no_attribute(name: str, kind: str, transform: str) -> None:
    """NumPy and SciPy find out by `hasattr` what kind of object they have."""

    def fun(t: Any) -> Any:
        assert not hasattr(t, name)
        with pytest.raises(AttributeError, match=rf"\.{name} tells how an array lies in memory"):
            getattr(t, name)
        with pytest.raises(AttributeError, match="no attribute 'strydes'"):
            t.strydes
        return t

    TRANSFORMS[transform](fun, KINDS[kind])


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_an_array_of_objects_is_no_output(transform: str) -> None:
    def objects(t: Any) -> Any:
        return slips.with_item(np.zeros(3, object), 0, t)

    for fun in (objects, lambda t: {"a": t, "b": [objects(t)]}):
        with pytest.raises(cv.TracerConversionError, match=rf"^{transform}: .* objects.*np\.stack"):
            TRANSFORMS[transform](fun, KINDS["0-d"])


def test_unhashable_values_are_so_in_pythons_terms() -> None:
    """Code that tries whether it can use a value as a key, as caches do, catches TypeError."""

    def fun(t: Any) -> Any:
        try:
            hash(t)
        except TypeError:
            return 2 * t
        return t

    assert cv.grad(fun)(1.0) == 2.0


def test_the_conversions_name_covector_numpy() -> None:
    """And batched integers, for which there is no derivative to speak of, what picks from a plain array."""
    with pytest.raises(cv.TracerConversionError, match=r"import covector\.numpy as np.*covector\.scipy"):
        cv.grad(lambda t: np.sum(np.array(t)))(1.0)
    with pytest.raises(cv.TracerConversionError, match=r"np\.zeros_like\(t\).*import covector\.numpy as np"):
        cv.grad(lambda t: slips.with_item(np.zeros(3), 0, t))(1.0)
    with pytest.raises(cv.TracerConversionError, match=r"np\.take_along_axis.*np\.choose") as info:
        cv.vmap(lambda i: slips.A[i])(np.array([0, 2]))
    assert "derivative" not in str(info.value)


def test_brentq_of_a_traced_value_gives_no_number() -> None:
    """In a process of its own: SciPy's C code goes on with the error set, after which Python's types misbehave."""
    program = (
        "import numpy as np, covector as cv; from scipy import optimize;"
        "print('got', cv.vjp(lambda t: optimize.brentq(lambda v: v - t, 0.0, 3.0), np.array(1.3))[0])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode and "got" not in run.stdout
