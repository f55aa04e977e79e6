"""What a compiled function reaches besides its arguments is always as it is now."""

from __future__ import annotations

import functools
import gc
import types
import warnings
import weakref
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import scipy.interpolate
import scipy.sparse
from numpy import array as make_array
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector.compiler.tracing.closures import Environment
from covector.compiler.tracing.reach import TooMuchError

X = np.array([0.5, -1.0, 2.0])

WEIGHTS = np.ones(3)
FACTOR = 2.0
TABLE: dict[str, Any] = {}
NUMBERS: list[Any] = [1.0, 2.0]
COUNTER = 0


def helper(x: Any) -> Any:
    return x * WEIGHTS


def uses_globals(x: Any) -> Any:
    return helper(x) * FACTOR + TABLE["shift"]


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WEIGHTS", np.ones(3)), ("FACTOR", 2.0), ("TABLE", {"shift": np.zeros(3)})):
        monkeypatch.setitem(globals(), name, value)
    monkeypatch.setitem(globals(), "NUMBERS", [1.0, 2.0])
    monkeypatch.setitem(globals(), "COUNTER", 0)


def check(f: Any, *args: Any) -> None:
    for _ in range(2):
        assert_allclose(f(*args), f.__wrapped__(*args), rtol=1e-14)


# --- globals ----------------------------------------------------------------------------------------------------------


def test_globals_changed_in_place_and_rebound() -> None:
    global WEIGHTS, FACTOR, TABLE
    f = cv.jit(uses_globals)
    check(f, X)
    WEIGHTS[:] = 3
    check(f, X)
    WEIGHTS = np.full(3, 5.0)
    check(f, X)
    TABLE["shift"] = X.copy()
    check(f, X)
    TABLE = {"shift": -X}
    check(f, X)
    assert f.cache_info().misses == 1
    FACTOR = 7.0
    check(f, X)
    FACTOR = 2.0
    check(f, X)
    assert f.cache_info().misses == 2


def test_other_shapes_and_dtypes_make_another_program() -> None:
    global WEIGHTS
    f = cv.jit(uses_globals)
    check(f, X)
    WEIGHTS = np.float32(3) * np.ones(3, np.float32)
    check(f, X)
    assert f(X.astype(np.float32)).dtype == np.float64
    WEIGHTS = np.ones((2, 3))
    check(f, X)
    WEIGHTS = np.ones((2, 3), int)
    check(f, X)
    WEIGHTS = 4.0  # type: ignore[assignment]
    check(f, X)
    WEIGHTS = [1.0, 2.0, 3.0]  # type: ignore[assignment]
    check(f, X)


def test_functions_are_followed_when_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    f = cv.jit(uses_globals)
    check(f, X)
    monkeypatch.setitem(globals(), "helper", lambda x: x - WEIGHTS)
    check(f, X)
    WEIGHTS[:] = 9
    check(f, X)


def test_containers_are_compared() -> None:
    f = cv.jit(lambda x: sum((x * n for n in NUMBERS), start=x))
    check(f, X)
    NUMBERS.append(3.0)
    check(f, X)
    NUMBERS[0] = np.ones(3)
    check(f, X)
    NUMBERS[0][:] = 2
    check(f, X)
    NUMBERS.clear()
    check(f, X)
    g = cv.jit(lambda x: sum((x * v for v in TABLE.values()), start=x))
    check(g, X)
    TABLE["more"] = np.full(3, 2.0)
    check(g, X)
    del TABLE["more"]
    check(g, X)


def test_a_value_of_another_type_counts_as_changed() -> None:
    global FACTOR
    f = cv.jit(lambda x: x * FACTOR)
    ints = np.array([1, 2])
    FACTOR = 1.0
    assert f(ints).dtype == float
    FACTOR = 1
    assert f(ints).dtype == int
    FACTOR = float("nan")
    assert np.all(np.isnan(f(X)))
    before = f.cache_info().misses
    f(X)
    assert f.cache_info().misses == before
    FACTOR = 0.0
    assert not np.signbit((f(np.ones(1)))[0])
    FACTOR = -0.0
    assert np.signbit((f(np.ones(1)))[0])


def test_modules_of_the_user_are_followed() -> None:
    module = types.ModuleType("settings_of_a_user")
    module.scale = np.ones(3)  # type: ignore[attr-defined]
    module.offset = 1.0  # type: ignore[attr-defined]
    module.apply = eval("lambda x: x * scale", vars(module))  # type: ignore[attr-defined]
    vars(module)["__path__"] = ["somewhere"]
    f = cv.jit(lambda x: module.apply(x) + module.offset)
    check(f, X)
    module.scale = np.full(3, 4.0)  # type: ignore[attr-defined]
    check(f, X)
    module.offset = 2.0  # type: ignore[attr-defined]
    check(f, X)
    assert f.cache_info().misses == 2


# --- closures, defaults, objects --------------------------------------------------------------------------------------


def test_closure_cells() -> None:
    def make() -> Any:
        w, n = np.ones(3), 2

        def inner(x: Any) -> Any:
            return x * w * n

        def change(new_w: Any, new_n: Any) -> None:
            nonlocal w, n
            w, n = new_w, new_n

        return inner, change

    inner, change = make()
    f = cv.jit(lambda x: inner(x) + 1)
    check(f, X)
    change(np.full(3, 3.0), 2)
    check(f, X)
    assert f.cache_info().misses == 1
    change(np.full(3, 3.0), 5)
    check(f, X)


def test_functions_made_anew_share_a_program() -> None:
    def scaled(c: Any) -> Any:
        return lambda x: x * c

    apply = cv.jit(lambda g, x: g(x) + 1)
    for k in range(5):
        assert_allclose(apply(scaled(np.full(3, float(k))), X), X * k + 1)
    assert apply.cache_info().misses == 1
    assert_allclose(apply(scaled(3.0), X), X * 3 + 1)


def test_defaults_partials_and_methods() -> None:
    base = np.ones(3)

    def with_default(x: Any, w: Any = base, *, v: Any = base) -> Any:
        return x * w + v

    f, g = cv.jit(with_default), cv.jit(functools.partial(with_default, v=base))
    check(f, X)
    check(g, X)
    base[:] = 4
    check(f, X)
    check(g, X)
    assert f.cache_info().misses == 1


class Base:
    shared = np.ones(3)
    power = 2

    def scale(self, x: Any) -> Any:
        return x**self.power * self.shared

    @property
    def weights(self) -> Any:
        return WEIGHTS + 1

    @staticmethod
    def shift(x: Any) -> Any:
        return x + WEIGHTS


class Slotted:
    __slots__ = ("b", "n")

    def __init__(self) -> None:
        self.b, self.n = np.ones(3), 2

    def __call__(self, x: Any) -> Any:
        return x * self.b * self.n


class Layered(Base):
    def __init__(self) -> None:
        self.layers = [Slotted(), Slotted()]
        self.rate = 0.5
        self.owner: Any = self

    def scale(self, x: Any) -> Any:
        return super().scale(x) + 1

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return self.shift(self.scale(x)) * self.rate + self.owner.weights


@pytest.mark.filterwarnings("ignore:jit.*was compiled again")
def test_objects_with_everything() -> None:
    global WEIGHTS
    model = Layered()
    f = cv.jit(lambda x: model(x))
    check(f, X)
    before = Base.shared.copy()
    changes = [
        lambda: model.layers[1].b.fill(3.0),
        lambda: setattr(model.layers[0], "b", X.copy()),
        lambda: setattr(model, "rate", 0.25),
        lambda: Base.shared.fill(5.0),
        lambda: WEIGHTS.fill(7.0),
        lambda: setattr(model.layers[0], "n", 4),
        lambda: model.layers.append(Slotted()),
        lambda: setattr(model, "extra", 1),
        lambda: setattr(model, "owner", Layered()),
    ]
    for change in changes:
        change()
        check(f, X)
    WEIGHTS = np.full(3, 2.0)
    check(f, X)
    Base.shared[:] = before


@dataclass
class Settings:
    rate: float
    table: Any = field(default_factory=lambda: np.ones(3))


def test_objects_as_arguments_are_compared_by_what_they_hold() -> None:
    f = cv.jit(lambda s, x: x * s.rate + s.table)
    for rate in (1.0, 2.0, 1.0):
        for table in (np.ones(3), X):
            for _ in range(2):
                assert_allclose(f(Settings(rate, table), X), X * rate + table)
    assert f.cache_info().misses == 2
    s = Settings(1.0)
    g = cv.jit(lambda x, s: x * s.table, static_argnames="s")
    assert_allclose(g(X, s=s), X)
    s.table[:] = 3
    assert_allclose(g(X, s=s), 3 * X)


def test_containers_of_every_kind() -> None:
    pair = namedtuple("pair", "a b")
    w = np.ones(3)
    kinds: list[Any] = [
        [w, 1.0],
        (w, "s"),
        {"w": w, 3: None},
        OrderedDict(w=w),
        defaultdict(list, w=w),
        pair(w, {"deep": [w]}),
    ]
    for holder in kinds:
        f = cv.jit(
            lambda x, holder=holder: x * sum(leaf for leaf in cv.tree.leaves(holder) if not isinstance(leaf, str))
        )
        w[:] = 1
        check(f, X)
        w[:] = 2
        check(f, X)
        assert f.cache_info().misses == 1


def test_transforms_and_jitted_functions_are_looked_through() -> None:
    inner = cv.jit(lambda x: np.sum(WEIGHTS * x**2))
    for f in (cv.jit(cv.grad(inner)), cv.jit(lambda x: cv.grad(inner)(x)), cv.jit(cv.hessian(lambda x: inner(x)))):
        check(f, X)
        WEIGHTS[:] = 5
        check(f, X)
        assert f.cache_info().misses == 1
        WEIGHTS[:] = 1


def test_traced_values_in_a_closure() -> None:
    def loss(w: Any) -> Any:
        return cv.jit(lambda x: np.sum(w * x**2))(X)

    assert_allclose(cv.grad(loss)(np.ones(3)), X**2)
    assert_allclose(cv.vmap(loss)(np.ones((2, 3))), np.full(2, np.sum(X**2)))
    assert_allclose(cv.jit(cv.grad(loss))(np.ones(3)), X**2)

    holder: dict[str, Any] = {}
    kept = cv.jit(lambda x: np.sum(holder["w"] * x))

    def through_a_container(w: Any) -> Any:
        holder["w"] = w
        return kept(X)

    assert_allclose(cv.grad(through_a_container)(np.ones(3)), X)
    holder["w"] = np.ones(3)
    assert_allclose(kept(X), np.sum(X))


# --- what cannot be traced ------------------------------------------------------------------------------------------


def test_plain_arrays_where_nothing_else_will_do() -> None:
    f = cv.jit(lambda x: x + np.interp(1.5, [0.0, 1.0, 2.0], WEIGHTS.tolist()))
    check(f, X)
    WEIGHTS[:] = 4
    check(f, X)


def test_objects_of_scipy_are_watched() -> None:
    spline = scipy.interpolate.CubicSpline(np.arange(4.0), np.arange(4.0) ** 2)
    f = cv.jit(lambda x: x * spline(1.5))
    check(f, X)
    spline.c[...] = 0
    check(f, X)
    matrix = scipy.sparse.csr_array(np.eye(3))
    g = cv.jit(lambda x: x * matrix.sum())
    check(g, X)
    matrix.data[:] = 3
    check(g, X)


def test_functions_of_numpy_that_take_plain_arrays_only() -> None:
    def filled(x: Any) -> Any:
        y = np.zeros(3)
        for i in range(3):
            y[i] = x[i] ** 2 * WEIGHTS[i]
        return y + np.asarray(x) + make_array([x[0], WEIGHTS[1], 1.0])

    f = cv.jit(filled)
    check(f, X)
    check(f, -X)
    WEIGHTS[:] = 2
    check(f, X)
    assert f.cache_info().misses == 1


def test_arrays_made_inside_are_constants() -> None:
    f = cv.jit(lambda x: x * np.linspace(0, 1, 3))
    check(f, X)
    assert f.cache_info().misses == 1


def test_contents_beside_code_that_cannot_be_replaced() -> None:
    class Outer:
        def run(self, x: Any) -> Any:
            return x * WEIGHTS

    def apply(x: Any) -> Any:
        return Outer().run(x)

    f = cv.jit(lambda x: apply(x))
    check(f, X)
    WEIGHTS[:] = 6
    check(f, X)


# --- what a function does to its surroundings -------------------------------------------------------------------------


def test_arrays_outside_are_written_to() -> None:
    state = np.zeros(3)

    class Step:
        def __init__(self) -> None:
            self.w = np.ones(3)

        @cv.jit
        def __call__(self, x: Any) -> Any:
            self.w -= x
            self.w[0] = 7
            return self.w.sum()

    @cv.jit
    def accumulate(x: Any) -> Any:
        state[1:] += x[1:]
        return np.sum(state)

    for k in range(1, 4):
        assert accumulate(X) == pytest.approx(k * np.sum(X[1:]))
        assert_allclose(state[1:], k * X[1:])
    step = Step()
    own = step.w
    assert step(X) == pytest.approx(7 + 2 - X[1] - X[2])
    assert step.w is own
    assert_allclose(own, [7, 1 - X[1], 1 - X[2]])


def test_a_function_with_effects_runs_as_python() -> None:
    log: list[int] = []

    class Counting:
        n = 0

        def __call__(self, x: Any) -> Any:
            self.n += 1
            return x + self.n

    def logs(x: Any) -> Any:
        log.append(len(log))
        return x * WEIGHTS + len(log)

    def counts(x: Any) -> Any:
        global COUNTER
        COUNTER += 1
        return x * WEIGHTS + COUNTER

    for f in (logs, counts, Counting()):
        g = cv.jit(f)
        with pytest.warns(RuntimeWarning, match="runs as plain Python, because it changes"):
            assert_allclose(g(X), X + 1)
        for k in range(2, 5):
            assert_allclose(g(X), X + k)
    assert log == [0, 1, 2, 3]
    assert COUNTER == 4


def test_too_much_to_look_at() -> None:
    many = [[np.float64(1), object()] for _ in range(9000)]
    f = cv.jit(lambda x: x + len(many))
    with pytest.raises(TooMuchError):
        Environment(f.__wrapped__, ())
    with pytest.warns(RuntimeWarning, match="too many objects"):
        assert_allclose(f(X), X + 9000)
    many.pop()
    assert_allclose(f(X), X + 8999)


def test_objects_passed_as_arguments_are_let_go() -> None:
    f = cv.jit(lambda s, x: x * s.rate + s.table)
    s = Settings(1.0, np.ones(3))
    f(s, X)
    gone = weakref.ref(s)
    f(Settings(1.0, np.ones(3)), X)
    del s
    gc.collect()
    assert gone() is None


def test_a_hidden_array_of_another_layout() -> None:
    global WEIGHTS
    f = cv.jit(uses_globals)
    for w in (np.ones(6)[::2], np.full(3, 2.0, ">f8"), np.broadcast_to(3.0, 3), X[::-1]):
        WEIGHTS = w
        check(f, X)


def test_no_warning_comes_from_ordinary_use() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f = cv.jit(uses_globals)
        for _ in range(3):
            assert_array_equal(f(X), X * 2)
