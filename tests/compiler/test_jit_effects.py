"""Compiled functions that assign outside of themselves, that raise, and whose classes change."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import covector as cv
from compiler.as_python import agrees

A = np.arange(4.0)

last: Any = None


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def calls(fun: Callable[[Any], Any], count: int = 4) -> None:
    """Call ``jit(fun)`` on A, A + 1, …"""
    compiled = cv.jit(fun)
    for i in range(count):
        assert_array_equal(compiled(A + i), A + i)


# --- assigning --------------------------------------------------------------------------------------------------------


def test_a_global_that_is_only_assigned(quiet: None) -> None:
    def f(x: Any) -> Any:
        global last
        last = x * 2
        return x

    calls(f)
    assert_array_equal(last, (A + 3) * 2)


def test_a_global_that_was_not_there(quiet: None) -> None:
    def f(x: Any) -> Any:
        global made_by_f
        made_by_f = x * 2  # type: ignore[name-defined]
        return x

    globals().pop("made_by_f", None)
    calls(f)
    assert_array_equal(globals().pop("made_by_f"), (A + 3) * 2)


def test_lists_and_dictionaries_get_every_value(quiet: None) -> None:
    values: list[Any] = []
    known: dict[str, Any] = {}

    def f(x: Any) -> Any:
        values.append(x * 2)
        known["last"] = x
        return x

    calls(f)
    assert_array_equal(values, [(A + i) * 2 for i in range(4)])
    assert_array_equal(known["last"], A + 3)


def test_elements_of_a_list_of_arrays_that_are_replaced(quiet: None) -> None:
    values = [np.ones(4)]

    def f(x: Any) -> Any:
        values[0] = x
        return x

    calls(f)
    assert_array_equal(values[0], A + 3)


class Holder:
    __slots__ = ("__dict__", "weight")

    def __init__(self) -> None:
        self.weight = np.ones(4)


def test_attributes_get_every_value(quiet: None) -> None:
    holder = Holder()

    def f(x: Any) -> Any:
        holder.seen = x
        holder.weight = x + 1
        return x * 1

    calls(f)
    assert_array_equal(holder.seen, A + 3)
    assert_array_equal(holder.weight, A + 4)


def test_an_attribute_that_is_made_once_is_no_reason_to_warn() -> None:
    class Lazy:
        def __init__(self) -> None:
            self.weight = np.full(4, 2.0)

        def scale(self) -> Any:
            if not hasattr(self, "kept"):
                self.kept = np.sum(self.weight)
            return self.kept

    lazy = Lazy()
    f = cv.jit(lambda x: x * lazy.scale() * lazy.weight)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert_array_equal(f(A), A * 16)
    assert f.cache_info().hits > 0


# --- classes that change ----------------------------------------------------------------------------------------------


class Base:
    def factor(self) -> int:
        return 2

    @property
    def offset(self) -> int:
        return 1

    def __len__(self) -> int:
        return 3

    @cv.jit
    def apply(self, x: Any) -> Any:
        return x * self.factor() + self.offset + len(self)


def test_methods_that_are_replaced() -> None:
    class Derived(Base):
        pass

    thing = Derived()
    assert_array_equal(thing.apply(A), A * 2 + 4)
    Derived.factor = lambda self: 7  # type: ignore[method-assign]
    assert_array_equal(thing.apply(A), A * 7 + 4)
    Derived.factor = lambda self: 8  # type: ignore[method-assign]
    assert_array_equal(thing.apply(A), A * 8 + 4)
    Derived.offset = property(lambda self: 5)  # type: ignore[assignment, method-assign]
    assert_array_equal(thing.apply(A), A * 8 + 8)
    Derived.__len__ = lambda self: 0  # type: ignore[method-assign]
    assert_array_equal(thing.apply(A), A * 8 + 5)
    del Derived.factor
    assert_array_equal(thing.apply(A), A * 2 + 5)


def test_methods_of_objects_and_classes_that_are_closed_over() -> None:
    class Helper:
        def __init__(self, k: float) -> None:
            self.k = k

        @staticmethod
        def twice(x: Any) -> Any:
            return x * 2

    helper = Helper(1.0)
    f = cv.jit(lambda x: (helper.twice(x), Helper.twice(x), x * Helper(3.0).k))
    assert_array_equal(f(A), [A * 2, A * 2, A * 3])
    Helper.twice = staticmethod(lambda x: x * 5)  # type: ignore[method-assign]
    assert_array_equal(f(A), [A * 5, A * 5, A * 3])

    def init(self: Any, k: float) -> None:
        self.k = -k

    Helper.__init__ = init  # type: ignore[method-assign]
    assert_array_equal(f(A), [A * 5, A * 5, A * -3])


# --- errors -----------------------------------------------------------------------------------------------------------


def test_handlers_see_what_compiled_code_raises() -> None:
    def inverse(x: Any) -> Any:
        try:
            return np.linalg.inv(x)
        except np.linalg.LinAlgError:
            return np.linalg.pinv(x)

    def element(x: Any, i: Any) -> Any:
        try:
            return x[i]
        except IndexError:
            return x[0]

    agrees(inverse, np.eye(2), np.zeros((2, 2)), 2 * np.eye(2))
    agrees(element, (A, 1), (A, 9), (A, 2))


def test_tracebacks_show_the_line_of_the_function() -> None:
    def element(x: Any, i: Any) -> Any:
        return x[i] * 1  # here

    f = cv.jit(element)
    for i in (1, 9, 9):
        try:
            f(A, i)
        except IndexError as error:
            assert any("# here" in (frame.line or "") for frame in traceback.extract_tb(error.__traceback__))
        else:
            assert i == 1


def test_messages_show_values() -> None:
    def positive(x: Any) -> Any:
        if x.min() < 0:
            raise ValueError(f"negative: {x.min()}")
        return x * 1

    f = cv.jit(positive)
    assert_array_equal(f(A), A)
    for x in (-A, -2 * A):
        with pytest.raises(ValueError, match=rf"^negative: {x.min()}$"):
            f(x)
    with pytest.raises(ValueError, match=r"^negative: "):
        f.lower(-A)
    assert_array_equal(f(A + 1), A + 1)


def test_a_function_that_raises_leaves_nothing_behind() -> None:
    seen: list[int] = []

    def f(x: Any) -> Any:
        seen.append(1)
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            cv.jit(f)(A)
    assert seen == [1, 1]


def test_errors_of_the_system_are_not_tried_again() -> None:
    seen: list[int] = []

    def f(x: Any) -> Any:
        seen.append(1)
        raise TimeoutError("late")

    with pytest.raises(TimeoutError, match="late"):
        cv.jit(f)(A)
    assert seen == [1]


def test_what_only_python_can_do_runs_as_python() -> None:
    with pytest.warns(RuntimeWarning, match="cannot be recorded: .*descriptor"):
        assert cv.jit(np.ndarray.sum)(A) == 6


# --- what may be an argument, and be decorated -----------------------------------------------------------------------


def test_arguments_that_are_no_arrays() -> None:
    agrees(lambda x, s: x[s], (A, slice(0, 2)), (A, slice(1, 3)), (A, slice(None, None, 2)))
    agrees(lambda x, s: x * len(s), (A, {1, 2}), (A, {1, 2, 3}))
    agrees(lambda x, s: x * s.a, (A, SimpleNamespace(a=3.0)), (A, SimpleNamespace(a=A)), (A, SimpleNamespace(a=4.0)))


def test_arrays_of_a_namespace_are_read_anew() -> None:
    space = SimpleNamespace(w=np.ones(4))
    f = cv.jit(lambda x: x * space.w)
    assert_array_equal(f(A), A)
    space.w[0] = 4
    space.w[1] = 5
    assert_array_equal(f(A), A * space.w)
    space.w = A
    assert_array_equal(f(A), A * A)


def test_static_and_class_methods() -> None:
    class Tools:
        k = 3.0

        @cv.jit
        @staticmethod
        def above(x: Any) -> Any:
            return x * 2

        @staticmethod
        @cv.jit
        def below(x: Any) -> Any:
            return x * 2

        @cv.jit
        @classmethod
        def of_class(cls, x: Any) -> Any:
            return x * cls.k

        @cv.jit
        def all(self, x: Any) -> Any:
            return self.above(x) + self.below(x) + self.of_class(x)

    for owner in (Tools, Tools()):
        assert_array_equal(owner.above(A), A * 2)
        assert_array_equal(owner.below(A), A * 2)
        assert_array_equal(owner.of_class(A), A * 3)
    assert_array_equal(Tools().all(A), A * 7)
    tools = Tools()
    assert tools.all == tools.all
    assert hash(tools.all) == hash(tools.all)
    assert tools.all != Tools().all


def test_deeply_nested_results() -> None:
    def nest(x: Any) -> Any:
        for _ in range(300):
            x = [x]
        return x

    f = cv.jit(nest)
    for _ in range(3):
        found = f(A)
        while isinstance(found, list):
            (found,) = found
        assert_array_equal(found, A)
