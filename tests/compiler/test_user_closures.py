"""A compiled function sees what it reaches as it is at the call, however it is reached."""

from __future__ import annotations

import dataclasses
import types
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import covector as cv

X = np.array([3.0, -1.0, 2.0])

weights = np.ones(3)
shift = 1.0


def helper(x: Any) -> Any:
    return x * weights + shift


def through_helper(x: Any) -> Any:
    return helper(x) * 2


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "weights", np.ones(3))
    monkeypatch.setitem(globals(), "shift", 1.0)


def same(f: Any, *args: Any) -> None:
    """As Python computes it now, the first time and when the program is there."""
    for _ in range(2):
        assert_array_equal(f(*args), f.__wrapped__(*args))


def test_globals_of_a_helper_are_read_anew() -> None:
    global weights, shift
    f = cv.jit(through_helper)
    same(f, X)
    weights[1] = 7.0
    same(f, X)
    weights = np.array([5.0, 6.0, 7.0])
    same(f, X)
    assert f.cache_info().misses == 1
    shift = 2.5
    same(f, X)
    assert f.cache_info().misses == 2


def test_another_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    f = cv.jit(through_helper)
    same(f, X)
    monkeypatch.setitem(globals(), "helper", lambda x: -x)
    same(f, X)


def test_an_array_of_another_shape_or_dtype() -> None:
    global weights
    f = cv.jit(through_helper)
    for new in (np.float64(3.0), np.ones((2, 3)), np.ones(3, np.float32), 4, 2j):
        weights = new
        same(f, X)


def test_nested_closures() -> None:
    def outer() -> tuple[Any, Any]:
        w = np.ones(3)

        def middle() -> Any:
            def inner(x: Any) -> Any:
                return x * w

            return inner

        def rebind(new: Any) -> None:
            nonlocal w
            w = new

        return cv.jit(middle()), rebind

    f, rebind = outer()
    same(f, X)
    rebind(np.array([2.0, 3.0, 4.0]))
    same(f, X)
    rebind(10.0)
    same(f, X)


def test_lists_and_dicts_of_arrays() -> None:
    layers = [np.ones(3), {"bias": np.zeros(3)}]
    f = cv.jit(lambda x: x * layers[0] + layers[1]["bias"])
    same(f, X)
    layers[0][:] = 4.0
    layers[1]["bias"] = np.array([1.0, 2.0, 3.0])
    same(f, X)
    layers[0] = np.array([0.0, 1.0, 0.0])
    same(f, X)


def test_a_container_that_grows() -> None:
    terms = [np.ones(3)]
    f = cv.jit(lambda x: sum((x * t for t in terms), np.zeros(3)))
    same(f, X)
    terms.append(np.array([1.0, 2.0, 3.0]))
    same(f, X)
    terms.clear()
    same(f, X)


def test_default_arguments() -> None:
    w = np.ones(3)

    def f(x: Any, w: Any = w, *, c: Any = [2.0]) -> Any:  # noqa: B006
        return x * w * c[0]

    g = cv.jit(f)
    same(g, X)
    w[0] = 5.0
    f.__kwdefaults__["c"][0] = 3.0
    same(g, X)
    f.__defaults__ = (np.zeros(3),)
    same(g, X)


class Model:
    scale = 2.0
    offset = np.zeros(3)

    def __init__(self) -> None:
        self.w = np.ones(3)

    def factor(self) -> Any:
        return self.scale

    @property
    def doubled(self) -> Any:
        return self.w * 2

    @cv.jit
    def apply(self, x: Any) -> Any:
        return x * self.doubled * self.factor() + self.offset


def model_same(m: Model) -> None:
    for _ in range(2):
        assert_array_equal(m.apply(X), Model.apply.__wrapped__(m, X))


def test_attributes_of_an_object() -> None:
    m = Model()
    model_same(m)
    m.w[0] = 9.0
    model_same(m)
    m.w = np.array([1.0, 2.0, 3.0])
    m.scale = 5.0
    model_same(m)


def test_attributes_of_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    m = Model()
    model_same(m)
    monkeypatch.setattr(Model, "scale", 7.0)
    model_same(m)
    monkeypatch.setattr(Model, "offset", np.array([1.0, 0.0, 0.0]))
    model_same(m)
    m.offset = np.array([0.0, 0.0, 4.0])
    model_same(m)


def test_methods_and_properties_of_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    m = Model()
    model_same(m)
    monkeypatch.setattr(Model, "factor", lambda self: -1.0)
    model_same(m)
    monkeypatch.setattr(Model, "doubled", property(lambda self: self.w * 100))
    model_same(m)


def test_methods_that_a_subclass_overrides_later() -> None:
    class Other(Model):
        pass

    m = Other()
    model_same(m)
    Other.factor = lambda self: 11.0  # type: ignore[method-assign]
    model_same(m)


def test_objects_with_slots_and_dataclasses() -> None:
    class Slots:
        __slots__ = ("w",)

    @dataclasses.dataclass
    class Data:
        w: Any

    for thing in (Slots(), Data(None), types.SimpleNamespace()):
        thing.w = np.ones(3)
        f = cv.jit(lambda x: x * thing.w)  # noqa: B023
        same(f, X)
        thing.w[0] = 4.0
        same(f, X)
        thing.w = X + 1
        same(f, X)


def test_computed_attributes() -> None:
    class Lazy:
        def __init__(self) -> None:
            self._w = np.ones(3)

        def __getattr__(self, name: str) -> Any:
            if name == "w":
                return self._w * 3
            raise AttributeError(name)

    lazy = Lazy()
    f = cv.jit(lambda x: x * lazy.w)
    same(f, X)
    lazy._w = X.copy()
    same(f, X)


def test_a_property_that_changes_on_a_closed_over_object() -> None:
    class Thing:
        @property
        def v(self) -> Any:
            return 2.0

        def __len__(self) -> int:
            return 3

    thing = Thing()
    f = cv.jit(lambda x: x * thing.v * len(thing))
    same(f, X)
    Thing.v = property(lambda self: 7.0)  # type: ignore[assignment, method-assign]
    same(f, X)
    Thing.__len__ = lambda self: 5  # type: ignore[method-assign]
    same(f, X)


def test_closures_of_jitted_functions_inside() -> None:
    w = np.ones(3)
    inner = cv.jit(lambda x: x * w)
    f = cv.jit(lambda x: inner(x) + 1)
    same(f, X)
    w[:] = 5.0
    same(f, X)


def test_a_gradient_reads_closures_anew() -> None:
    w = np.ones(3)
    for g in (cv.jit(cv.grad(lambda x: np.sum(w * x**2))), cv.grad(cv.jit(lambda x: np.sum(w * x**2)))):
        w[:] = 1.0
        assert_array_equal(g(X), 2 * X)
        w[:] = 3.0
        assert_array_equal(g(X), 6 * X)


def test_a_state_is_updated_at_every_call() -> None:
    state = np.zeros(3)

    def f(x: Any) -> None:
        state[:] = 0.5 * state + x

    g = cv.jit(f)
    g(X)
    g(X)
    assert_array_equal(state, 1.5 * X)
