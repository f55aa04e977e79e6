"""What the report on a compiled function says about its loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.compiler.passes.rolling import reasons


def notes(f: Any, *args: Any) -> list[Any]:
    """The notes on the loops of `f` compiled for these arguments."""
    g = cv.jit(f)
    g(*args)
    (found,) = g.compile_report().loops
    for note in found:
        assert repr(note) in repr(g.compile_report()).replace("\n    ", "\n")
    return found


def only(f: Any, *args: Any) -> Any:
    (note,) = notes(f, *args)
    return note


def steps(count: int) -> Any:
    def f(x: Any) -> Any:
        for _ in range(count):
            x = np.sin(x) * x + np.cos(x) - 0.5 * x
        return x

    return f


def test_a_rolled_loop() -> None:
    note = only(steps(40), np.ones(3))
    assert (note.kind, note.iterations, note.operations, note.begins) == ("rolled", 40, 6, ["a:float64[3]"])
    assert repr(note) == "rolled: 40 iterations of 6 operations, from a:float64[3]"


def test_both_passes_of_a_gradient() -> None:
    found = notes(cv.grad(lambda x: np.sum(steps(40)(x))), np.ones(3))
    assert [n.kind for n in found] == ["rolled", "rolled"]
    assert all(n.iterations >= 39 for n in found)


def test_loops_in_loops() -> None:
    def f(x: Any) -> Any:
        for _ in range(30):
            for _ in range(40):
                x = np.sin(x) * 0.9
            x = x + 1.0
        return x

    note = only(f, np.ones(3))
    assert (note.kind, note.iterations) == ("rolled", 30)
    assert [(n.kind, n.iterations, n.operations) for n in note.inner] == [("rolled", 40, 2)]
    assert repr(note).splitlines()[1].startswith("    rolled: 40 iterations")


def test_a_loop_that_was_written() -> None:
    def step(c: Any, x: Any) -> Any:
        for _ in range(40):
            c = np.sin(c) * x + 0.1
        return c, c

    note = only(lambda x, xs: cv.scan(step, x, xs), 0.3, np.ones(50))
    assert (note.kind, note.iterations) == ("loop", 50)
    assert [(n.kind, n.iterations, n.operations) for n in note.inner] == [("rolled", 40, 3)]


def test_python_loops_around_loops() -> None:
    def f(x: Any) -> Any:
        for _ in range(12):
            x = cv.fori_loop(0, 50, lambda i, x: np.sin(x) + 0.1, x) * 2.0
        return x

    note = only(f, np.float64(0.3))
    assert (note.kind, note.iterations) == ("rolled", 12)
    assert [(n.kind, n.iterations) for n in note.inner] == [("loop", 50)]


def test_as_many_iterations_as_values_say() -> None:
    note = only(lambda x: cv.while_loop(lambda x: x < 100.0, lambda x: x * 2.0, x), np.float64(0.3))
    assert (note.kind, note.iterations) == ("loop", None)
    assert "as many iterations as values say" in repr(note)


def elimination(a: Any) -> Any:
    a = a.copy()
    for k in range(11):
        a[k + 1 :, k] /= a[k, k]
        a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
    return np.sum(a * a)


def far_back(x: Any) -> Any:
    xs = [x + k for k in range(6)]
    for _ in range(50):
        xs.append(np.sin(xs[-6]) * xs[-1] + xs[-2])
    return xs[-1]


def one_by_one(xs: Any) -> Any:
    y = xs[0]
    for x in xs:
        y = np.sin(y) * x + np.cos(y) - x * y
    return y


def scattered(x: Any) -> Any:
    kept = []
    for _ in range(40):
        y = np.sin(x)
        x = y * 0.3
        kept += [x, y]
    functions = [np.tanh, np.exp, np.arctan, np.sqrt, np.square]
    order = np.random.default_rng(0).integers(0, 5, (80, 2))
    return sum([functions[i](x) * functions[j](x) for x, (i, j) in zip(kept, order, strict=True)], 0.0)


def alternating(x: Any) -> Any:
    for k in range(20):
        x = np.cumsum(np.sin(x) * 2.0 + 1.0, axis=k.bit_count() % 2) + np.cos(x)
    return x


@pytest.mark.parametrize(
    ("f", "arg", "reason"),
    [
        (elimination, np.eye(12), reasons.SHAPES),
        (steps(6), np.ones(3), reasons.FEW),
        (lambda x: [x := np.sin(x) * 0.5 for _ in range(15)][-1], np.ones(3), reasons.SHORT),
        (far_back, np.float64(0.3), reasons.DISTANT),
        (one_by_one, [float(k) for k in range(20)], reasons.SEPARATE),
        (alternating, np.ones((3, 2)), reasons.PARAMETERS),
    ],
)
def test_why_not(f: Any, arg: Any, reason: str) -> None:
    found = [n for n in notes(f, arg) if n.kind == "unrolled"]
    assert reason in "\n".join(n.reason for n in found)
    assert all(n.iterations >= 3 and n.operations >= 1 for n in found)


def test_values_needed_one_by_one() -> None:
    assert any(reasons.SINGLE in n.reason for n in notes(scattered, np.float64(0.3)))


def test_questions_in_every_iteration() -> None:
    def f(x: Any) -> Any:
        while x > 1e-3:
            x = x * 0.5
        return x

    g = cv.jit(f)
    g(np.float64(1.0))
    assert "asked for values 11 times at " in repr(g.compile_report())
    assert "covector.while_loop" in repr(g.compile_report())


def test_nothing_to_say() -> None:
    assert notes(lambda x: np.sin(x) + 1.0, np.ones(3)) == []
    rng = np.random.default_rng(0)

    def straight(x: Any) -> Any:
        values = [x, np.cos(x)]
        for _ in range(60):
            i, j = rng.integers(0, len(values), 2)
            values.append([np.add, np.subtract, np.multiply, np.maximum][rng.integers(4)](values[i], values[j]))
        return values[-1]

    assert all(n.kind == "unrolled" for n in notes(straight, np.ones(3)))
