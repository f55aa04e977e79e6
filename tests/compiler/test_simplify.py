"""The passes that rewrite programs: what they leave out, and that values stay what they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from compiler.rule_examples import EXAMPLES, SPECIAL, p
from covector.compiler.passes.algebra import RULES, Rule, rules_of
from covector.compiler.passes.check import InvalidGraphError, check, run_passes
from covector.compiler.passes.constants import is_identity, uniform
from covector.compiler.passes.expand import expand
from covector.compiler.passes.simplify import simplify
from covector.core.graph import Equation, Graph, Var
from covector.core.primitive import PRIMITIVES, Expand

GENERAL = {r.text: r for name in ("sin", "multiply") for _, r in rules_of(PRIMITIVES[name])}
EXACTNESS = {r.text: r.exactness for r in (*RULES, *GENERAL.values())} | {"constant": "exact", "common": "exact"}


CHEAPER_KINDS = {
    *("x ** n -> products", "add_at(x, v, indices) -> write(x, slice(x) + v)"),
    *("gather(x, runs) -> concat(slice(x), slice(x))", "product(c * 1, x) -> product(1, c * x)"),
}
"""Rules that put several cheap operations in the place of an expensive one, or prepare for others."""

MORE_BUT_SIMPLER = {
    *("broadcast(x) -> reshape(x)", "gather(x, indices) -> slice(x)", "slice(concat(x, y)) -> slice(x)"),
    *("product(unslice(t), p) -> unslice(product(t, p))", "transpose(broadcast(x)) -> broadcast(transpose(x))"),
}
"""Rules that put several moves, which cost nothing, in the place of one."""


def run(graph: Graph, args: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    with np.errstate(all="ignore"):
        return [np.array(x) for x in graph.run(*[np.array(a)[()] for a in args])]


def assert_kept(got: Sequence[Any], want: Sequence[Any], exactness: str) -> None:
    """Assert values that differ by no more than a rule of this exactness allows."""
    for g, w in zip(got, want, strict=True):
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        if "exact" in exactness.split(":")[0].split(";")[0] or "as NumPy" in exactness[:5]:
            np.testing.assert_array_equal(g, w)
            for part in ("real", "imag"):
                a, b = getattr(g, part), getattr(w, part)
                if a.dtype.kind == "f":
                    known = ~np.isnan(b)
                    np.testing.assert_array_equal(np.signbit(a)[known], np.signbit(b)[known])
        elif "sign of zero" in exactness and "order" not in exactness:
            np.testing.assert_array_equal(g, w)
        else:
            np.testing.assert_allclose(g, w, rtol=1e-6 if w.dtype.itemsize == 4 else 2e-15, atol=0)


def test_every_rule_has_an_example() -> None:
    assert len(RULES) == len({r.text for r in RULES})
    assert set(EXAMPLES) == set(EXACTNESS)
    for rule in RULES:
        assert rule.exactness
        assert set(rule.on.split()) <= set(PRIMITIVES)


MOVES = {"reshape", "transpose", "broadcast", "slice", "unslice"}


def costs(graph: Graph) -> int:
    """Elements read and written by equations that do more than to say where elements are found."""
    return sum(
        np.size(x) if type(x) is not Var else x.size
        for eq in graph
        if eq.primitive.name not in MOVES
        for x in (*eq.inputs, *eq.outputs)
    )


@pytest.mark.parametrize(
    ("text", "number"), [pytest.param(t, k, id=f"{t} [{k}]") for t, es in EXAMPLES.items() for k in range(len(es))]
)
def test_a_rule_fires_and_keeps_values(text: str, number: int) -> None:
    fun, *args = EXAMPLES[text][number]
    graph = cv.make_graph(fun)(*args)
    before = repr(graph)
    fired: Counter[str] = Counter()
    simple = check(simplify(graph, fired))
    assert fired[text], f"not used in\n{graph}\nwhich became\n{simple}"
    if text not in CHEAPER_KINDS:
        assert costs(simple) <= costs(graph)
    if text not in CHEAPER_KINDS | MORE_BUT_SIMPLER:
        assert len(simple) <= len(graph)
    assert repr(graph) == before
    assert_kept(run(simple, args), run(graph, args), EXACTNESS[text])
    again: Counter[str] = Counter()
    assert len(simplify(simple, again)) == len(simple)


# --- whole programs ---------------------------------------------------------------------------------------------------


def logsumexp(x: Any) -> Any:
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m)))


def perceptron(w: Any, b: Any, x: Any) -> Any:
    return np.mean((np.tanh(x @ w + b) - 0.5) ** 2)


def stencil(u: Any) -> Any:
    v = u.copy()
    v[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    v[0] = v[-1]
    return np.sum(v**3)


def unrolled(x: Any) -> Any:
    y = np.zeros(6, like=x)
    for k in range(1, 6):
        y[k] = 0.5 * y[k - 1] + x[k] ** 2
    return np.sum(y * x[:6])


def mixture(weights: Any, means: Any, x: Any) -> Any:
    q = -0.5 * np.sum((x[:, None, :] - means[None]) ** 2, -1) + weights
    top = q.max(1, keepdims=True)
    return np.sum(np.log(np.sum(np.exp(q - top), 1)) + top[:, 0])


RNG = np.random.default_rng(0)
X = RNG.normal(size=10)
PROGRAMS: dict[str, tuple[Any, ...]] = {
    "logsumexp": (cv.grad(logsumexp), X),
    "hessian of logsumexp": (cv.hessian(logsumexp), X),
    "perceptron": (cv.grad(perceptron, argnums=(0, 1)), RNG.normal(size=(3, 4)), X[:4], RNG.normal(size=(5, 3))),
    "stencil": (cv.value_and_grad(stencil), X),
    "hessian of stencil": (cv.hessian(stencil), X[:5]),
    "unrolled": (cv.grad(unrolled), X),
    "jacobians": (lambda x: (cv.jacrev(np.sin)(x), cv.jacfwd(lambda x: x[::-1] * np.exp(x))(x)), X),
    "mixture": (cv.grad(mixture, argnums=(0, 1)), X[:3], RNG.normal(size=(3, 2)), RNG.normal(size=(7, 2))),
    "mapped": (cv.vmap(cv.grad(lambda x: np.prod(np.sin(x)) + x[1] ** 2)), RNG.normal(size=(4, 3))),
    "checkpoint": (cv.grad(lambda x: np.sum(cv.checkpoint(lambda y: np.sin(np.exp(y)))(x))), X),
    "single": (cv.grad(logsumexp), X.astype(np.float32)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_become_shorter_and_compute_the_same(name: str) -> None:
    fun, *args = PROGRAMS[name]
    graph = cv.make_graph(fun)(*args)
    simple = check(simplify(check(expand(graph))))
    assert len(simple) < len(graph)
    rtol = 1e-5 if args[0].dtype == np.float32 else 1e-12
    for g, w in zip(run(simple, args), run(graph, args), strict=True):
        assert g.dtype == w.dtype
        np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol)


def test_work_that_was_done_forwards_is_not_done_again_backwards() -> None:
    """The gradient of log Σ exp needs no sum beyond that of the value, but for the derivative of the maximum."""
    simple = simplify(cv.make_graph(cv.grad(logsumexp))(X))
    names = Counter(eq.primitive.name for eq in simple)
    assert names["exp"] == 1
    assert names["sum"] == 2


def test_masks_vanish_where_nothing_can_be_masked() -> None:
    simple = simplify(cv.make_graph(cv.grad(lambda x: np.sum(x**2 * 3.0)))(X))
    assert [eq.primitive.name for eq in simple] == ["multiply"]


# --- linear time ------------------------------------------------------------------------------------------------------


def steps(n: int) -> Any:
    def fun(x: Any) -> Any:
        y = np.zeros(n, like=x)
        for k in range(1, n):
            x = x + 0.1 * np.sin(x) * x[::-1]
            y[k] = 0.5 * y[k - 1] + y[0] + x[k % 5] ** 3
        return np.sum(y) + np.stack([x[0], *[y[k] for k in range(n)]])[1]

    return fun


def test_work_grows_linearly_with_the_program() -> None:
    tried = []
    lengths = []
    for n in (50, 100, 200):
        fired: Counter[str] = Counter()
        graph = cv.make_graph(steps(n))(X[:5])
        simplify(graph, fired)
        tried.append(fired["tried"])
        lengths.append(len(graph))
    growth = (tried[2] - tried[1]) / (tried[1] - tried[0])
    expected = (lengths[2] - lengths[1]) / (lengths[1] - lengths[0])
    assert growth < 1.02 * expected
    assert tried[2] < 10 * lengths[2]


def appended(n: int) -> Any:
    def fun(x: Any) -> Any:
        y = x[:1]
        for k in range(n):
            y = np.concatenate([y, x[k % 5 : k % 5 + 1] + y[:1]])
        return y[0] + y[-1] + sum(y[k] for k in range(n))

    return fun


def test_what_lies_far_back_is_not_searched_for_without_end() -> None:
    tried = []
    for n in (100, 200, 400):
        fired: Counter[str] = Counter()
        graph = cv.make_graph(appended(n))(X[:5])
        simple = check(simplify(graph, fired))
        tried.append(fired["tried"])
    assert tried[2] - tried[1] < 2.2 * (tried[1] - tried[0])
    assert_kept(run(simple, [X[:5]]), run(graph, [X[:5]]), "exact")


def test_what_adds_up_is_added_as_soon_as_it_is_known() -> None:
    """The gradient in what every step of a loop reads is summed step by step, not from parts kept to the end."""

    def fun(x: Any) -> Any:
        y = x[::-1]
        for _ in range(8):
            y = np.sin(y * x[1:4].sum())
        return y.sum()

    args = [X[:5]]
    graph = cv.make_graph(cv.grad(fun))(*args)
    assert {"scatter", "concat"} <= {eq.primitive.name for eq in graph}
    simple = check(simplify(graph))
    names = [eq.primitive.name for eq in simple]
    assert not {"scatter", "concat"} & set(names)
    assert "".join(name[0] for name in names if name in ("add", "cos")) == "c" + "ca" * 7 + "a"
    for g, w in zip(run(simple, args), run(graph, args), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-12)


# --- constants --------------------------------------------------------------------------------------------------------


def test_uniform_arrays_are_told_by_their_bits() -> None:
    assert uniform(np.zeros((3, 4))) == 0
    assert uniform(np.full(10000, 2.5)) == 2.5
    assert uniform(np.broadcast_to(np.float32(1), (5, 6))) == 1
    assert np.isnan(uniform(np.full(5, np.nan)))
    assert uniform(np.full((100, 100), 1 + 2j)) == 1 + 2j
    assert uniform(np.ones((100, 100))[::2, ::-1]) == 1
    assert uniform(np.empty(0)) is None
    for n in (4, 10000):
        for k in (0, 1, n // 2, n - 2, n - 1):
            x = np.zeros(n)
            x[k] = -0.0
            assert uniform(x) is None
            z = np.ones(n, complex)
            z[k] = 1 + 1e-300j
            assert uniform(z) is None


def test_identities_are_recognised() -> None:
    assert is_identity(np.eye(3))
    assert is_identity(np.eye(4).reshape(4, 1, 2, 2))
    assert is_identity(np.eye(2, dtype=np.float32))
    for x in (np.ones((2, 2)), np.eye(3, k=1), 2 * np.eye(3), np.eye(3, 4), np.eye(3)[::-1], np.eye(3) + 1e-9, 1.0):
        assert not is_identity(x)


def test_equal_constants_are_stored_once() -> None:
    table = np.arange(5000.0)
    graph = cv.make_graph(lambda x: (x * table, np.sin(x * table.copy())))(np.ones(5000))
    assert len(simplify(graph)) == 2
    graph = cv.make_graph(lambda x: (x + 0.0, x + -0.0, x * 1, x * 1.0, x * np.float64(1.0)))(np.float32(2.0))
    assert [x.dtype for x in simplify(graph).outputs] == [np.float32] * 4 + [np.float64]


def test_errors_are_left_to_the_call() -> None:
    graph = cv.make_graph(lambda x: x + p("inv")(np.multiply(p("product")(0.0, x), 1.0)))(np.ones((2, 2)))
    simple = simplify(graph)
    with pytest.raises(np.linalg.LinAlgError):
        simple.run(np.ones((2, 2)))


def test_python_numbers_stay_weak() -> None:
    def fun(x: Any, t: float) -> Any:
        return x * t, x * +(t * 1.0), x * np.broadcast_to(t, (3,))

    args = (np.ones(3, np.float32), 2.0)
    graph = cv.make_graph(fun)(*args)
    simple = check(simplify(graph))
    assert [x.dtype for x in simple.outputs] == [x.dtype for x in graph.outputs]
    assert_kept([np.asarray(x) for x in simple.run(*args)], [np.asarray(x) for x in graph.run(*args)], "exact")


# --- check ------------------------------------------------------------------------------------------------------------


def broken(change: Any) -> Graph:
    graph = cv.make_graph(lambda x: np.sin(x) * x)(X)
    change(graph)
    return graph


def _late(graph: Graph) -> None:
    graph.equations.reverse()


def _twice(graph: Graph) -> None:
    graph.equations.append(graph.equations[0])


def _shape(graph: Graph) -> None:
    eq = graph.equations[1]
    out = Var(eq.outputs[0].index, eq.outputs[0].aval._replace(shape=(3,)))
    graph.equations[1] = Equation(eq.primitive, eq.inputs, eq.params, [out])
    graph.outputs = [out]


def _output(graph: Graph) -> None:
    graph.outputs = [graph.variable(graph.inputs[0].aval)]


def _count(graph: Graph) -> None:
    graph.count -= 1


@pytest.mark.parametrize("change", [_late, _twice, _shape, _output, _count])
def test_check_refuses_programs_that_make_no_sense(change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    check(broken(lambda graph: None))
    with pytest.raises(InvalidGraphError):
        check(broken(change))

    def careless(graph: Graph) -> Graph:
        return broken(change)

    monkeypatch.delenv("COVECTOR_DEBUG", raising=False)
    run_passes(broken(lambda graph: None), [careless])
    monkeypatch.setenv("COVECTOR_DEBUG", "1")
    with pytest.raises(InvalidGraphError, match="after careless"):
        run_passes(broken(lambda graph: None), [simplify, careless])


# --- expand -----------------------------------------------------------------------------------------------------------


def test_definitions_are_spliced_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PRIMITIVES["sech_squared"], "lower", Expand(lambda x: 1 / np.square(np.cosh(x))))
    monkeypatch.setattr(PRIMITIVES["cosh"], "lower", Expand(lambda x: 0.5 * (np.exp(x) + np.exp(-x))))
    monkeypatch.setattr(PRIMITIVES["slogdet"], "lower", Expand(lambda a: (np.sign(a[0, 0]), np.log(np.abs(a[0, 0])))))

    def fun(x: Any, a: Any) -> Any:
        return p("sech_squared")(x) + p("sech_squared")(2 * x), p("slogdet")(a), np.cosh(1.0 * x)

    args = (X, np.array([[3.0]]))
    graph = cv.make_graph(fun)(*args)
    before = repr(graph)
    flat = check(expand(graph))
    assert repr(graph) == before
    assert not {"sech_squared", "cosh", "slogdet"} & {eq.primitive.name for eq in flat}
    for g, w in zip(run(flat, args), run(graph, args), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-13)


def test_a_definition_that_contains_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PRIMITIVES["cosh"], "lower", Expand(lambda x: np.cosh(x) + 0.0))
    with pytest.raises(RecursionError, match="cosh"):
        expand(cv.make_graph(np.cosh)(X))


def test_calls_are_spliced_in() -> None:
    @cv.custom_jvp
    def soft(x: Any) -> Any:
        return np.log1p(np.exp(x))

    soft.defjvp(lambda primals, tangents: (soft(*primals), tangents[0] / (1 + np.exp(-primals[0]))))

    @cv.custom_vjp
    def scaled(x: Any, c: Any) -> Any:
        return c * soft(x), 7.0

    scaled.defvjp(lambda x, c: (scaled(x, c), c), lambda c, cts: (c * cts[0], None))

    def fun(x: Any) -> Any:
        y = cv.checkpoint(lambda x: (np.sin(soft(x)), 3.0))(x)
        return *y, *scaled(x, 2.0), cv.checkpoint(cv.checkpoint(np.cos))(x)

    graph = cv.make_graph(fun)(X)
    assert {eq.primitive.family for eq in graph} >= {"call"}
    flat = check(expand(graph))
    assert not {eq.primitive.family for eq in flat} & {"call"}
    assert_kept(run(flat, (X,)), run(graph, (X,)), "exact")
    assert_kept(run(simplify(flat), (X,)), run(graph, (X,)), "exact")
    assert Rule.__doc__ and SPECIAL.size
