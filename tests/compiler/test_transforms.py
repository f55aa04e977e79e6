"""Compiled functions under every other transform give what the functions themselves give.

What the transforms make of a program does not depend on how it is run. So the large tables of cases interpret the
programs, and each kind of nesting is run as machine code on one function.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from compositions.cases import Case, assert_close, cases, differentiable
from covector.compiler import backend, calls_program
from covector.compiler.calls_program import Program
from covector.compiler.jit import jit
from covector.core.graph import Graph, record
from covector.core.values import Aval



class Interpreted:
    """A program as the compiler gets it, run operation by operation."""

    def __init__(self, graph: Graph, **_: Any) -> None:
        self.graph = graph
        self.stages: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}

    def __call__(self, *arrays: Any) -> list[Any]:
        return [np.array(x) for x in self.graph.run(*arrays)]


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "executable", Interpreted)


# --- every nesting ----------------------------------------------------------------------------------------------------


def weights(x: Any) -> Any:
    return np.cos(np.arange(np.size(x), dtype=np.float64)).reshape(np.shape(x)).astype(np.asarray(x).real.dtype)


def total(f: Callable[..., Any]) -> Callable[..., Any]:
    """A real scalar that every element of the output of `f` enters."""

    def scalar(x: Any) -> Any:
        y = f(x)
        return np.sum(np.real(y * weights(np.ones(np.shape(y))) * (1.5 - 0.5j if y.dtype.kind == "c" else 1.0)))

    return scalar


def lanes(x: Any) -> Any:
    return np.stack([x, x * 1.25, x * 0.75])


def direction(x: Any) -> Any:
    return (weights(x) + 0.5 + (0.25j if np.asarray(x).dtype.kind == "c" else 0)).astype(np.asarray(x).dtype)[()]


NESTINGS: dict[str, Callable[[Any, Any], Any]] = {
    "value": lambda f, x: f(x),
    "grad": lambda f, x: cv.grad(total(f))(x),
    "vjp": lambda f, x: cv.vjp(f, x)[1](direction(f(x))),
    "jvp": lambda f, x: cv.jvp(f, (x,), (direction(x),)),
    "linearize": lambda f, x: cv.linearize(f, x)[1](direction(x)),
    "linearize twice": lambda f, x: cv.linearize(lambda y: cv.linearize(f, y)[1](direction(x)), x)[1](direction(x)),
    "grad of grad": lambda f, x: cv.grad(lambda y: np.sum(np.sin(np.real(cv.grad(total(f))(y)))))(x),
    "jvp of grad": lambda f, x: cv.jvp(cv.grad(total(f)), (x,), (direction(x),))[1],
    "grad of jvp": lambda f, x: cv.grad(lambda y: total(lambda z: cv.jvp(f, (z,), (direction(x),))[1])(y))(x),
    "jvp of jvp": lambda f, x: cv.jvp(lambda y: cv.jvp(f, (y,), (direction(x),))[1], (x,), (direction(x),))[1],
    "grad of grad of grad": lambda f, x: cv.grad(
        lambda z: np.sum(np.real(cv.grad(lambda y: np.sum(np.sin(np.real(cv.grad(total(f))(y)))))(z)))
    )(x),
    "vmap": lambda f, x: cv.vmap(f)(lanes(x)),
    "vmap of grad": lambda f, x: cv.vmap(cv.grad(total(f)))(lanes(x)),
    "grad of vmap": lambda f, x: cv.grad(total(cv.vmap(f)))(lanes(x)),
    "vmap of vmap": lambda f, x: cv.vmap(cv.vmap(f))(lanes(lanes(x))),
    "vmap of jvp of grad": lambda f, x: cv.vmap(lambda y: cv.jvp(cv.grad(total(f)), (y,), (direction(x),))[1])(
        lanes(x)
    ),
    "jvp of vmap of grad": lambda f, x: cv.jvp(cv.vmap(cv.grad(total(f))), (lanes(x),), (lanes(direction(x)),))[1],
    "hessian": lambda f, x: cv.hessian(total(f), **holomorphic(x))(x),
    "hvp": lambda f, x: cv.hvp(total(f), (x,), (direction(x),)),
    "checkpoint inside": lambda f, x: cv.grad(lambda y: total(cv.checkpoint(f))(y * 1.5))(x),
    "checkpoint inside twice": lambda f, x: cv.jvp(cv.grad(total(cv.checkpoint(f))), (x,), (direction(x),))[1],
    "no gradient": lambda f, x: cv.grad(lambda y: total(lambda z: f(cv.stop_gradient(z)) + f(z))(y))(x),
    "jit": lambda f, x: jit(lambda y: f(y) * 2)(x),
    "jit of grad": lambda f, x: jit(cv.grad(total(f)))(x),
    "jit of vmap of grad": lambda f, x: jit(cv.vmap(cv.grad(total(f))))(lanes(x)),
    "grad of jit": lambda f, x: cv.grad(lambda y: np.sum(np.real(jit(cv.grad(total(f)))(y)) ** 2))(x),
}


def holomorphic(x: Any) -> dict[str, bool]:
    return {"holomorphic": True} if np.asarray(x).dtype.kind == "c" else {}


def branches(x: Any) -> Any:
    return np.sin(x) * 2 if np.sum(np.abs(x)) > 1 else np.cos(x)


def until_small(x: Any) -> Any:
    y = x
    while np.max(np.abs(y)) > 1.0:
        y = y / 2
    return y * x


def fills(x: Any) -> Any:
    y = np.zeros_like(x, shape=(3, *x.shape))
    y[0] = x
    y[1] = y[0] * x
    y[1:] += np.sin(x)
    y[2] *= y[1]
    return y


def reads_and_writes(x: Any) -> Any:
    y = x * 2
    y[::2] *= y[::-2] + 1
    y[[0, 2]] = y[[1, 1]] * x[[2, 0]]
    return y


@cv.custom_jvp
def ruled_forward(x: Any) -> Any:
    return np.exp(x)


@ruled_forward.defjvp
def _(primals: Any, tangents: Any) -> Any:
    return ruled_forward(primals[0]), tangents[0] * np.cos(primals[0])


@cv.custom_vjp
def ruled_backward(x: Any) -> Any:
    return np.exp(x)


ruled_backward.defvjp(lambda x: (np.exp(x), np.cos(x)), lambda c, ct: (ct * c,))


def no_grad_inside(x: Any) -> Any:
    with cv.no_grad():
        c = np.exp(x)
    return c * x


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "elementwise": lambda x: np.exp(np.sin(x) * x) / (2 + np.cos(x)),
    "normalized": lambda x: np.exp(x - np.mean(x)) / np.sum(np.exp(x - np.mean(x))),
    "products": lambda x: np.tensordot(np.outer(x, np.sin(x)), np.ravel(x), 1),
    "pieces": lambda x: np.concatenate([np.ravel(x)[1:] * np.ravel(x)[:-1], np.ravel(x)[::2]]),
    "chosen": lambda x: np.where(np.real(x) > 0.4, x * x, np.sin(x)),
    "branch": branches,
    "loop": until_small,
    "buffer": fills,
    "custom_jvp": lambda x: ruled_forward(x * x),
    "custom_vjp": lambda x: ruled_backward(x) * x,
    "checkpoint": lambda x: cv.checkpoint(lambda y: np.sin(np.sin(y)))(x) * x,
    "no_grad": no_grad_inside,
    "inner grad": lambda x: cv.grad(lambda y: np.sum(np.real(np.sin(y) * y)))(x) * x,
    "inner jit": lambda x: jit(np.sin)(x) * x,
    "nothing": lambda x: x,
    "constant": lambda x: x * 0 + np.ones(np.shape(x)),
}

ARGUMENTS: dict[str, Any] = {
    "vector": np.array([0.3, -1.7, 0.9, 1.2]),
    "matrix32": np.array([[0.5, 1.5, -0.25], [0.75, -0.5, 1.0]], np.float32),
    "complex": np.array([0.3 + 0.2j, -0.7 - 0.4j]),
    "number": np.float64(0.7),
    "python": 0.7,
    "array of no dimensions": np.array(0.7),
    "empty": np.zeros((0, 3)),
}

UNFIT = {
    ("normalized", "empty"),
    ("loop", "empty"),
    # No single value of a batch decides.
    *[(f, x, n) for f in ("branch", "loop") for x in ARGUMENTS for n in NESTINGS if "vmap" in n or n == "hessian"],
    # These functions need arrays.
    *[(f, x) for f in ("buffer",) for x in ("python",)],
    # Not holomorphic.
    *[(f, "complex", "hessian") for f in FUNCTIONS],
}


def settle(x: Any) -> list[Any]:
    return [np.asarray(leaf) for leaf in cv.tree.leaves(x)]


def outcome(nesting: Callable[[Any, Any], Any], f: Any, x: Any) -> Any:
    with np.errstate(all="ignore"):
        return settle(nesting(f, x))


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("nesting", sorted(NESTINGS))
@pytest.mark.parametrize("argument", sorted(ARGUMENTS))
@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_nesting(function: str, argument: str, nesting: str) -> None:
    if {(function, argument), (function, argument, nesting)} & UNFIT:
        return
    f, x = FUNCTIONS[function], ARGUMENTS[argument]
    want = outcome(NESTINGS[nesting], f, x)
    compiled = jit(f)
    for _ in range(2):  # recorded, then found
        got = outcome(NESTINGS[nesting], compiled, x)
        single = argument == "matrix32"
        for g, w in zip(got, want, strict=True):
            assert_close(g, w, 1e-4 if single else 1e-10, 1e-5 if single else 1e-11)
    assert compiled.cache_info().specialisations >= ("jit" not in nesting)


@pytest.mark.parametrize("nesting", sorted(NESTINGS))
def test_nesting_as_machine_code(nesting: str) -> None:
    f = lambda x: np.exp(x - np.mean(x)) / np.sum(np.sin(x) * x)
    compiled, x = jit(f), ARGUMENTS["vector"]
    for g, w in zip(outcome(NESTINGS[nesting], compiled, x), outcome(NESTINGS[nesting], f, x), strict=True):
        assert_close(g, w, 1e-11, 1e-12)


# --- every primitive --------------------------------------------------------------------------------------------------


def routes(case: Case, f: Callable[..., Any]) -> list[Callable[[], Any]]:
    xs = tuple(case.args)
    t, u = case.draw("args", "t"), case.draw("out", "u")
    stacked = [np.stack(lane) for lane in zip(*case.lanes(3), strict=True)]

    def pull(*args: Any) -> Any:
        return cv.vjp(f, *args)[1](u)

    return [
        lambda: cv.jvp(f, xs, t),
        lambda: cv.linearize(f, *xs)[1](*t),
        lambda: pull(*xs),
        lambda: cv.jvp(pull, xs, t)[1],
        lambda: cv.vjp(pull, *xs)[1](t),
        lambda: cv.vmap(pull)(*stacked),
        lambda: cv.vjp(cv.vmap(f), *stacked)[1](tuple(np.stack([y] * 3) for y in u)),
    ]


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("case", cases(differentiable))
def test_every_primitive(case: Case) -> None:
    compiled = jit(case.smooth)
    with np.errstate(all="ignore"):
        for eager, route in zip(routes(case, case.smooth), routes(case, compiled), strict=True):
            want = cv.tree.leaves(eager())
            case.close(cv.tree.leaves(route()), want)
    assert compiled.cache_info().specialisations >= 1


# --- random programs --------------------------------------------------------------------------------------------------


def random_function(seed: int) -> Callable[[Any], Any]:
    """A straight-line program that only the seed decides, with broadcasting, indexing, reductions and writes."""

    def f(x: Any) -> Any:
        rng = np.random.default_rng(seed)
        known = [x]
        for _ in range(rng.integers(4, 16)):
            a, b = (known[i] for i in rng.integers(len(known), size=2))
            kind = rng.integers(12)
            if kind < 3:
                new = (np.add, np.multiply, np.subtract)[kind](a, b if b.shape == a.shape else np.mean(b))
            elif kind < 6:
                new = (np.sin, np.tanh, lambda z: np.exp(-z * z))[kind - 3](a)
            elif kind == 6:
                new = np.where(a > 0.1, a * 0.5, -a)
            elif kind == 7:
                new = a / (2 + np.sum(a * a))
            elif kind == 8:
                new = np.roll(a, 1) * rng.standard_normal(a.shape)
            elif kind == 9:
                new = np.copy(a)
                new[..., : a.shape[-1] // 2] *= 0.5 + b.ravel()[0]
            elif kind == 10:
                new = np.stack([a, a * a])[rng.integers(2)] - np.max(a)
            else:
                new = a[..., ::-1] + np.cumsum(a, axis=-1) / 4
            known.append(new)
        return sum(y * 0.5**i for i, y in enumerate(reversed(known)))

    return f


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("seed", range(60))
def test_random_function(seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((3, 4))[: 1 + seed % 3].astype(float if seed % 4 else np.float32)
    f = random_function(seed)
    compiled = jit(f)
    for name in ("vjp", "jvp", "linearize", "grad of grad", "jvp of grad", "grad of jvp", "vmap of grad", "grad of vmap"):
        single = x.dtype == np.float32
        for g, w in zip(outcome(NESTINGS[name], compiled, x), outcome(NESTINGS[name], f, x), strict=True):
            assert_close(g, w, 1e-3 if single else 1e-10, 1e-4 if single else 1e-11)


# --- what is kept and what is made once -------------------------------------------------------------------------------


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The programs made during the test."""
    found: list[Any] = []
    init = Program.__init__

    def counted(self: Any, *args: Any) -> None:
        init(self, *args)
        found.append(self)

    monkeypatch.setattr(calls_program.Program, "__init__", counted)
    return found


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("nesting", sorted(n for n in NESTINGS if "jit" not in n))
def test_programs_are_made_once(nesting: str, made: list[Any]) -> None:
    f, x = jit(FUNCTIONS["normalized"]), ARGUMENTS["vector"]
    NESTINGS[nesting](f, x)
    count = len(made)
    assert (count > 0) == (nesting != "value")
    for k in range(3):
        NESTINGS[nesting](f, x * k)
    assert len(made) == count


def test_a_program_for_each_set_of_arguments_and_outputs() -> None:
    f = jit(lambda x, y: (x * y, np.sin(x), np.cos(y)))
    x, y = np.arange(3.0), np.ones(3)
    assert_allclose(cv.grad(lambda x: np.sum(f(x, y)[0]))(x), y)
    assert_allclose(cv.grad(lambda y: np.sum(f(x, y)[0]))(y), x)
    assert_allclose(cv.grad(lambda x: np.sum(f(x, y)[1]))(x), np.cos(x))
    assert_allclose(cv.grad(lambda x: np.sum(f(x, y)[2]))(x), 0 * x)
    gx, gy = cv.grad(lambda x, y: np.sum(f(x, y)[0]) + np.sum(f(x, y)[2]), (0, 1))(x, y)
    assert_allclose(gx, y)
    assert_allclose(gy, x - np.sin(y))


def forward_and_backward(f: Callable[..., Any], *args: Any) -> tuple[Any, Any]:
    program = Program(record(lambda *xs: [f(*xs)], [Aval(np.shape(x), np.asarray(x).dtype) for x in args], "test"))
    reverse = program.reverse([True] * len(args))
    return reverse.forward.graph, reverse.pull([True]).program.graph


BIG = np.ones(10_000)


@pytest.mark.parametrize(
    ("f", "kept"),
    [
        (lambda x: x * 2 + 1, []),
        (lambda x: np.sin(x), []),
        (lambda x: np.exp(x), []),  # the output
        (lambda x: np.sin(x * 3 - 1), []),  # two operations, made again
        (lambda x: np.sin(np.exp(x)), [(10_000,)]),
        (lambda x: np.sum(np.exp(x)), [(10_000,)]),
        (lambda x: np.sin(np.sum(x * x)), [()]),
        (lambda x: np.sum((x - np.mean(x)) ** 2), [()]),  # not the array of differences
        (lambda x: np.sum(np.where(x > 1, x * x, -x)), []),
        (lambda x: np.sum(np.outer(x[:100], x[:100]) ** 3), []),  # not the 10,000 products
        (lambda x: np.sum(np.tanh(np.tanh(np.tanh(x)))), [(10_000,)] * 2),
    ],
)
def test_few_arrays_are_kept(f: Callable[..., Any], kept: list[Any]) -> None:
    forward, _ = forward_and_backward(f, BIG)
    assert sorted(v.shape for v in forward.outputs[1:]) == kept


def test_the_backward_pass_does_not_repeat_expensive_work() -> None:
    _, backward = forward_and_backward(lambda x: np.sum(np.sin(np.exp(x) @ np.ones((10_000, 2)))), BIG)
    names = [eq.primitive.name for eq in backward]
    assert "exp" not in names and names.count("matmul") <= 1


# --- derivatives that end ---------------------------------------------------------------------------------------------


def test_no_grad_and_stop_gradient_inside() -> None:
    @jit
    def f(x: Any) -> Any:
        with cv.no_grad():
            c = x**2
        return (x - c) * cv.stop_gradient(x)

    for derivative in (cv.grad, cv.jacrev, cv.jacfwd, lambda f: lambda x: cv.jvp(f, (x,), (1.0,))[1]):
        assert derivative(f)(3.0) == 3.0
    assert cv.grad(cv.grad(f))(3.0) == 0.0
    assert_array_equal(cv.vmap(cv.grad(f))(np.array([3.0, 4.0])), [3.0, 4.0])


def test_no_grad_around() -> None:
    f = jit(np.sin)

    def g(x: Any) -> Any:
        with cv.no_grad():
            c = f(x)
        return c * x

    assert_allclose(cv.grad(g)(0.5), np.sin(0.5), rtol=1e-15)
    assert_allclose(cv.jvp(g, (0.5,), (1.0,))[1], np.sin(0.5), rtol=1e-15)


def test_outputs_and_inputs_without_derivative() -> None:
    @jit
    def f(x: Any, n: Any, nothing: Any) -> Any:
        return {"count": np.argmax(x) + n, "none": nothing, "sign": np.sign(x), "y": x * n}

    x = np.array([1.0, 3.0, 2.0])
    out, pullback = cv.vjp(lambda x: f(x, 2, None), x)
    assert out["count"] == 3 and out["none"] is None
    assert_array_equal(out["sign"], 1.0)
    (ct,) = pullback({"count": None, "none": None, "sign": np.ones(3), "y": np.ones(3)})
    assert_array_equal(ct, 2.0)
    _, pullback = cv.vjp(lambda tree: f(tree["x"], tree["n"], None)["y"], {"x": x, "n": np.array(2)})
    (ct,) = pullback(np.ones(3))
    assert ct["n"] is None
    assert_array_equal(ct["x"], 2.0)


def test_what_does_not_depend_on_the_argument_is_a_constant() -> None:
    f = jit(lambda x, y: (x * 2, y * 2))

    def g(x: Any) -> Any:
        a, b = f(x, np.ones(2))
        assert type(b) is np.ndarray or not isinstance(np.asarray(b), type(a))
        return a, b

    with pytest.raises(RuntimeError, match="does not depend"):
        cv.jvp(lambda x: g(x)[1], (np.ones(2),), (np.ones(2),), strict=True)
    with pytest.raises(RuntimeError, match="depends on input 1"):
        cv.functional.vjp(jit(lambda x, y: x * 2), (np.ones(()), np.ones(())), strict=True)


def test_weak_numbers_stay_weak() -> None:
    f = jit(lambda x, s: x * s)
    x = np.ones(3, np.float32)
    assert f(x, 2.0).dtype == np.float32
    out, tangent = cv.jvp(lambda s: f(x, s), (2.0,), (1.0,))
    assert out.dtype == tangent.dtype == np.float32
    ct = cv.grad(lambda s: np.sum(f(x, s)))(2.0)
    assert ct == 3.0 and ct.dtype == np.float64
    assert cv.grad(lambda x: np.sum(f(x, np.float64(2.0))))(x).dtype == np.float32


# --- values of other transforms ---------------------------------------------------------------------------------------


def test_closed_over_values_of_an_outer_transform() -> None:
    def f(s: Any) -> Any:
        return cv.grad(jit(lambda x: np.sum(np.sin(x * s))))(np.ones(3))[0]

    want = np.cos(0.7) - 0.7 * np.sin(0.7)
    assert_allclose(cv.grad(f)(0.7), want, rtol=1e-14)
    assert_allclose(cv.jvp(f, (0.7,), (1.0,))[1], want, rtol=1e-14)
    assert_allclose(cv.vmap(f)(np.array([0.7, 0.2])), [0.7 * np.cos(0.7), 0.2 * np.cos(0.2)], rtol=1e-14)


def test_the_same_function_closes_over_an_array_and_then_over_a_traced_value() -> None:
    w = np.ones(3)
    f = jit(lambda x: np.sum(x * w))
    for _ in range(3):
        assert f(np.ones(3)) == 3.0

    def g(v: Any) -> Any:
        nonlocal w
        w = v
        return f(np.full(3, 2.0))

    assert_array_equal(cv.grad(g)(np.ones(3)), 2.0)
    w = np.full(3, 4.0)
    assert f(np.ones(3)) == 12.0


class Holder:
    weight: Any = 1.0


def test_traced_values_in_an_object() -> None:
    holder = Holder()
    f = jit(lambda x: x * holder.weight)

    def g(w: Any) -> Any:
        holder.weight = w
        return f(3.0) * cv.grad(f)(1.0)

    assert_allclose(cv.grad(g)(2.0), 12.0)
    assert_allclose(cv.jvp(g, (5.0,), (1.0,))[1], 30.0)


def test_a_rule_that_closes_over_an_outer_value() -> None:
    def outer(s: Any) -> Any:
        @cv.custom_jvp
        def f(x: Any) -> Any:
            return s * x

        f.defjvp(lambda primals, tangents: (f(*primals), s * tangents[0]))
        return cv.grad(jit(lambda x: f(x) ** 2))(3.0)

    assert_allclose(cv.grad(outer)(2.0), 24.0, rtol=1e-15)
    assert_allclose(cv.vmap(outer)(np.array([1.0, 2.0])), [6.0, 24.0], rtol=1e-15)


# --- branches on values -----------------------------------------------------------------------------------------------


def test_derivatives_follow_the_branch_of_the_value() -> None:
    f = jit(lambda x: x**2 if x > 0 else -x)
    for _ in range(2):
        assert cv.grad(f)(3.0) == 6.0
        assert cv.grad(f)(-3.0) == -1.0
        assert cv.grad(cv.grad(f))(3.0) == 2.0
        assert cv.jvp(f, (-3.0,), (2.0,))[1] == -2.0
    assert f.cache_info().specialisations == 2


def test_a_branch_on_a_mapped_value_is_refused() -> None:
    f = jit(lambda x, n: x * 2 if n > 0 else x)
    x = np.ones(3)
    for _ in range(2):
        with pytest.raises(cv.ConcretizationError, match=r"np\.where"):
            cv.vmap(f)(x, np.array([1.0, -1.0, 2.0]))
        with pytest.raises(cv.ConcretizationError, match=r"np\.where"):
            cv.vmap(f)(x, x)  # as without jit, although all agree
        assert f(1.0, 1.0) == 2.0
    for n, y in ((1.0, 2.0), (-1.0, 1.0), (1.0, 2.0)):
        assert_array_equal(cv.vmap(f, in_axes=(0, None))(x, n), y)
        assert_array_equal(cv.vmap(cv.grad(f), in_axes=(0, None))(x, n), y)


# --- named axes -------------------------------------------------------------------------------------------------------

PER_LANE: dict[str, Callable[[Any], Any]] = {
    "psum": lambda x: x * cv.psum(np.sin(x), "i"),
    "psum twice": lambda x: x * np.sin(cv.psum(cv.psum(x, "i"), "i")),
    "pmean": lambda x: x - cv.pmean(x * x, "i"),
    "pmax": lambda x: x * cv.pmax(x, "i"),
    "all_gather": lambda x: np.sum(cv.all_gather(x, "i") ** 2, axis=0) * x,
    "all_gather of psum": lambda x: x * np.sum(cv.all_gather(cv.psum(x * x, "i"), "i") ** 2),
    "ppermute": lambda x: x * cv.ppermute(x * x, "i", [(0, 1), (1, 2)]),
    "ppermute of psum": lambda x: x * cv.ppermute(cv.psum(x, "i"), "i", [(0, 1)]),
    "axis_index": lambda x: x**2 * cv.axis_index("i"),
    "axis_size": lambda x: x / cv.axis_size("i"),
    "shared": lambda x: cv.psum(x * x, "i"),
    "checkpoint": lambda x: x * cv.checkpoint(lambda y: cv.psum(cv.psum(y * y, "i") * y, "i"))(x),
}


def named(f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return cv.vmap(f, axis_name="i", **options)


WITH_AXES: dict[str, Callable[[Any, Any], Any]] = {
    "vmap": lambda f, x: named(f)(x),
    "grad outside": lambda f, x: cv.grad(lambda y: np.sum(named(f)(y) ** 2))(x),
    "grad inside": lambda f, x: named(cv.grad(lambda y: np.sum(f(y) ** 2)))(x),
    "grad of grad inside": lambda f, x: named(
        cv.grad(lambda z: np.sum(cv.grad(lambda y: np.sum(f(y) ** 2))(z) ** 2))
    )(x),
    "jvp outside": lambda f, x: cv.jvp(named(f), (x,), (np.cos(x),))[1],
    "jvp inside": lambda f, x: named(lambda y: cv.jvp(f, (y,), (np.cos(y),))[1])(x),
    "linearize inside": lambda f, x: named(lambda y: cv.linearize(f, y)[1](y))(x),
    "jacrev": lambda f, x: cv.jacrev(named(f))(x),
    "jacfwd": lambda f, x: cv.jacfwd(named(f))(x),
    "map outside": lambda f, x: cv.vmap(lambda s: named(lambda y: f(y * s))(x))(np.array([1.0, 2.0])),
    "map inside": lambda f, x: named(lambda y: cv.vmap(lambda s: f(y * s))(np.array([1.0, 2.0])))(x),
    "shared argument": lambda f, x: named(lambda y: f(np.abs(x[0])) * y)(x),
    "grad of a shared argument": lambda f, x: cv.grad(lambda s: np.sum(named(lambda y: f(s) * y)(x)))(x[0]),
    "checkpoint": lambda f, x: named(cv.grad(lambda y: np.sum(cv.checkpoint(f)(y))))(x),
    "jit of grad inside": lambda f, x: named(jit(cv.grad(lambda y: np.sum(f(y)))))(x),
    "jit outside": lambda f, x: jit(named(cv.grad(lambda y: np.sum(f(y)))))(x),
}


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("nesting", sorted(WITH_AXES))
@pytest.mark.parametrize("function", sorted(PER_LANE))
def test_collectives(function: str, nesting: str) -> None:
    f = PER_LANE[function]
    for x in (np.array([1.0, -0.5, 2.0]), np.arange(6.0).reshape(3, 2) / 5 + 0.3):
        want = WITH_AXES[nesting](f, x)
        compiled = jit(f)
        for _ in range(2):
            assert_allclose(WITH_AXES[nesting](compiled, x), want, rtol=1e-11, atol=1e-12)
        assert compiled.cache_info().specialisations >= ("jit" not in nesting)


@pytest.mark.usefixtures("interpreted")
def test_an_axis_of_another_size_and_none_at_all() -> None:
    f = jit(lambda x: x / cv.psum(x, "i"))
    for n in (2, 3, 2):
        assert_allclose(named(f)(np.ones(n)), 1 / n)
    with pytest.raises(NameError, match="'i'"):
        f(1.0)


@pytest.mark.usefixtures("interpreted")
def test_the_gradient_of_one_loss_for_all_lanes() -> None:
    x = np.arange(3.0)
    for loss in (
        lambda x: cv.psum(np.sin(x), "i"),
        lambda x: cv.checkpoint(lambda y: cv.psum(np.sin(y), "i"))(x),
    ):
        for f in (jit(cv.grad(loss)), cv.grad(jit(loss)), jit(cv.grad(jit(loss)))):
            assert_allclose(named(f)(x), np.cos(x), rtol=1e-14)
            assert_allclose(jit(named(f))(x), np.cos(x), rtol=1e-14)


# --- threads ----------------------------------------------------------------------------------------------------------


def test_many_threads_differentiate_one_function() -> None:
    f = jit(lambda x: np.sum(np.sin(x) * x))
    start = threading.Barrier(8)
    wrong: list[Any] = []

    def work(k: int) -> None:
        x = np.arange(4.0) + k % 2
        start.wait()
        for _ in range(20):
            found = [cv.grad(f)(x), np.diag(cv.hessian(f)(x)), cv.vmap(cv.grad(f))(x[None])[0]]
            want = [np.sin(x) + x * np.cos(x), 2 * np.cos(x) - x * np.sin(x), np.sin(x) + x * np.cos(x)]
            if not all(np.allclose(a, b, rtol=1e-12) for a, b in zip(found, want, strict=True)):
                wrong.append((k, found))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert not any(t.is_alive() for t in threads)
    assert not wrong
