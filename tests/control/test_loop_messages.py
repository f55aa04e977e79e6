"""What the loops refuse, and that they say what to write instead."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv

XS = np.arange(3.0)


def plain(f: Callable[[Any], Any], x: Any) -> Any:
    return f(x)


def graph(f: Callable[[Any], Any], x: Any) -> Any:
    return cv.make_graph(f)(x)


RUNS = [plain, graph]


# --- carries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(
    ("init", "step", "words"),
    [
        (
            0,
            lambda c, x: (c + x, None),
            r"^scan: .*<lambda> returns float64\[\] for init, which starts as int64\[\]; .* start from a float64, 0.0 "
            r"in place of 0, or cast what is returned with .astype\(np.int64\)$",
        ),
        (
            {"a": 1.0, "b": (0.0, None)},
            lambda c, x: ({"a": c["a"], "b": (np.ones(3) * x, None)}, None),
            r"returns float64\[3\] for init\['b'\]\[0\], which starts as float64\[\]; .* such as np.zeros\(3\), or "
            r"return one of shape \(\)",
        ),
        (
            np.zeros(3, np.float32),
            lambda c, x: (c * x, None),
            r"returns float64\[3\] for init, which starts as float32\[3\]; .* start from init of dtype float64, or "
            r"cast what is returned with .astype\(np.float32\)",
        ),
        (
            np.zeros((2, 3)),
            lambda c, x: (c.T, None),
            r"returns float64\[3,2\] for init, which starts as float64\[2,3\]",
        ),
        (
            1.0,
            lambda c, x: ((c, c), None),
            r"returns a state of the structure \(\*, \*\), but init has the structure \*",
        ),
        (
            {"a": 1.0},
            lambda c, x: ({"b": c["a"]}, None),
            r"structure \{'b': \*\}, but init has the structure \{'a': \*\}",
        ),
        (1.0, lambda c, x: (None, None), r"structure None, but init has the structure \*"),
        (True, lambda c, x: (1, None), r"returns int64\[\] for init, which starts as bool\[\]"),
        (1.0, lambda c, x: ("one", None), r"scan: the new value of init is a builtins.str; expected an array"),
        (1.0, lambda c, x: c, r"scan: .*<lambda> must return a pair \(carry, y\), got"),
        (1.0, lambda c, x: (c, c, c), r"must return a pair \(carry, y\), got a tuple of 3; y may be None"),
        (1.0, lambda c, x: (c, "two"), r"scan: the .* of .*<lambda> is a builtins.str"),
        ("zero", lambda c, x: (c, None), r"scan: init is a builtins.str"),
    ],
)
def test_carries_of_scan(init: Any, step: Any, words: str, run: Any) -> None:
    with pytest.raises(TypeError, match=words):
        run(lambda xs: cv.scan(step, init, xs), XS)


@pytest.mark.parametrize("run", RUNS)
def test_carries_of_the_other_loops(run: Any) -> None:
    with pytest.raises(TypeError, match=r"while_loop: .*<lambda> returns float64\[\] for init_val\[1\], .* int64\[\]"):
        run(lambda x: cv.while_loop(lambda c: c[0] < 3.0, lambda c: (c[0] + 1.0, c[1] + 0.5), (x, 0)), 0.0)
    with pytest.raises(TypeError, match=r"fori_loop: .*<lambda> returns float64\[3\] for init_val, .* float64\[\]"):
        run(lambda x: cv.fori_loop(0, 2, lambda i, c: c + x, 0.0), XS)


def test_a_carry_that_changes_late() -> None:
    """Each step is checked, not only the first."""
    with pytest.raises(TypeError, match=r"returns int64\[\] for init, which starts as float64\[\]"):
        cv.scan(lambda c, x: (c if x < 2.0 else 1, None), 0.0, XS)


def test_results_that_change() -> None:
    with pytest.raises(
        TypeError, match=r"returns float64\[2\] as result leaf \['y'\] of step 2, and float64\[\] in the "
    ):
        cv.scan(lambda c, x: (c, {"y": x if x < 2.0 else np.ones(2)}), 0.0, XS)
    with pytest.raises(TypeError, match=r"results of the structure None in step 0, and \* in the first step"):
        cv.scan(lambda c, x: (c, x if x > 0.0 else None), 0.0, XS, reverse=True)


# --- lengths ----------------------------------------------------------------------------------------------------------


def test_lengths() -> None:
    step = lambda c, x: (c, None)
    with pytest.raises(ValueError, match=r"disagree:\n  xs\['u'\]: 3\n  xs\['v'\]\[0\]: 2\n  length: 7$"):
        cv.scan(step, 0.0, {"u": XS, "v": (XS[1:],)}, length=7)
    with pytest.raises(ValueError, match="nothing says how many steps there are; give length=n"):
        cv.scan(step, 0.0)
    with pytest.raises(ValueError, match=r"xs\[1\] is a number, .* np.array\(values\)"):
        cv.scan(step, 0.0, [XS, 2.0])
    with pytest.raises(ValueError, match="length must not be negative, got -1"):
        cv.scan(step, 0.0, length=-1)
    with pytest.raises(TypeError, match=r"length must be an int that is known .* covector.fori_loop"):
        cv.make_graph(lambda n: cv.scan(step, 0.0, length=n))(3)
    with pytest.raises(TypeError, match=r"scan: xs\[0\] is a builtins.str"):
        cv.scan(step, 0.0, ["abc"])
    with pytest.raises(ValueError, match=r"map: the lengths of the first axes disagree"):
        cv.map(lambda x: x[0], (XS, XS[1:]))


@pytest.mark.parametrize(
    "loop",
    [
        lambda u: cv.scan(lambda c, x: (c, x), 0.0, XS, unroll=u),
        lambda u: cv.fori_loop(0, 2, lambda i, c: c, 0.0, unroll=u),
    ],
)
def test_unroll(loop: Any) -> None:
    for wrong, error in ((0, ValueError), (-1, ValueError), (1.5, TypeError), ("two", TypeError)):
        with pytest.raises(error, match="unroll must be a positive int or a bool, got"):
            loop(wrong)


def test_batch_sizes() -> None:
    for wrong, error in ((0, ValueError), (True, ValueError), (2.0, TypeError)):
        with pytest.raises(error, match="map: batch_size must be a positive int, got"):
            cv.map(np.sin, XS, batch_size=wrong)  # type: ignore[arg-type]


# --- bounds and conditions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0.0, np.float64(2), np.ones(2, int), None, "1", True, np.True_])
def test_bounds(wrong: Any) -> None:
    with pytest.raises(TypeError, match="fori_loop: lower must be an integer, got"):
        cv.fori_loop(wrong, 2, lambda i, c: c, 0.0)
    with pytest.raises(TypeError, match="fori_loop: upper must be an integer, got"):
        cv.fori_loop(0, wrong, lambda i, c: c, 0.0)


def test_traced_bounds() -> None:
    with pytest.raises(TypeError, match="upper must be an integer, got Traced"):
        cv.grad(lambda x: cv.fori_loop(0, x, lambda i, c: c, 0.0))(2.0)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (lambda c: np.stack([c, c]) > 0.0, r"bool\[2\]"),
        (lambda c: c, r"float64\[\]"),
        (lambda c: 1, r"int64\[\]"),
        (lambda c: (c > 0, c > 1), "a tree of 2 leaves"),
        (lambda c: None, "a tree of 0 leaves"),
        (lambda c: "yes", "str"),
    ],
)
def test_conditions(answer: Any, got: str, run: Any) -> None:
    with pytest.raises(TypeError, match=rf"while_loop: .*<lambda> must return one bool, got {got}; use np.any"):
        run(lambda x: cv.while_loop(answer, lambda c: c, x), 1.0)


# --- functions --------------------------------------------------------------------------------------------------------


def test_functions() -> None:
    for call, argument in (
        (lambda: cv.scan(None, 0.0, XS), "scan: f"),
        (lambda: cv.map(3, XS), "map: f"),
        (lambda: cv.while_loop(True, lambda c: c, 0.0), "while_loop: cond_fun"),
        (lambda: cv.while_loop(lambda c: c > 0, None, 0.0), "while_loop: body_fun"),
        (lambda: cv.fori_loop(0, 2, 1.0, 0.0), "fori_loop: body_fun"),
    ):
        with pytest.raises(TypeError, match=f"{argument} must be a function, got"):
            call()  # type: ignore[no-untyped-call]


# --- values of what is recorded ---------------------------------------------------------------------------------------


def branching(c: Any, x: Any) -> Any:
    return (c + 1.0 if x > 1.0 else c), None


def indexing(c: Any, x: Any) -> Any:
    return c + np.ones(3)[x.astype(int)], None


RECORDED = [
    lambda f: cv.make_graph(f)(XS),
    lambda f: cv.jit(f)(XS),
    lambda f: cv.jit(cv.grad(f))(XS),
    lambda f: cv.eval_shape(f, XS),
    lambda f: cv.vmap(lambda n: cv.fori_loop(0, n, lambda i, c: f(XS) + c, 0.0))(np.arange(2)),
]


@pytest.mark.parametrize("run", RECORDED)
def test_python_branches(run: Any) -> None:
    words = r"^bool at .*test_loop_messages.py:\d+ needs .* scan records branching once.* np.where.* covector.cond"
    with pytest.raises(cv.ConcretizationError, match=words):
        run(lambda xs: cv.scan(branching, 0.0, xs)[0])


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda x: float(x), r"float.* needs the value of a float64\[\].* functions of NumPy"),
        (lambda x: math.sin(x), "functions of NumPy"),
        (lambda x: complex(x), "complex at"),
        (lambda x: int(x), "int at"),
        (lambda x: [1, 2, 3][x.astype(int)], r"index at .* covector.numpy.take\(a, i, axis=0\)"),
        (lambda x: range(x.astype(int)), "covector.while_loop"),
        (lambda x: round(x), "round at"),
    ],
)
def test_numbers(use: Any, words: str) -> None:
    with pytest.raises(cv.ConcretizationError, match=words):
        cv.make_graph(lambda xs: cv.scan(lambda c, x: (c, use(x)), 0.0, xs))(XS)


def test_plain_arrays_at_a_recorded_index() -> None:
    with pytest.raises(
        cv.TracerConversionError, match=r"a\[t\] of a plain array .* covector.numpy.take\(a, t, axis=0\)"
    ):
        cv.make_graph(lambda xs: cv.scan(indexing, 0.0, xs))(XS)
    table = np.array([2.0, 3.0, 4.0])
    taking = lambda c, x: (c + np.take(table, x.astype(int), axis=0), None)
    assert cv.jit(lambda xs: cv.scan(taking, 0.0, xs)[0])(XS) == 9.0


def test_conditions_that_branch() -> None:
    with pytest.raises(cv.ConcretizationError, match="while_loop records .*<lambda> once"):
        cv.jit(lambda x: cv.while_loop(lambda c: more(c), lambda c: c + 1.0, x))(0.0)


def more(c: Any) -> Any:
    return np.True_ if c < 3.0 else np.False_
