"""Every primitive keeps what its declaration promises: slots, samples, and what its derivative may read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import scipy.special

import covector
from compositions.cases import Case, cases, differentiable
from covector.core.buffer import plain_of
from covector.core.dispatch import UFUNCS
from covector.core.errors import NotDifferentiableError
from covector.core.primitive import PRIMITIVES, Primitive, Refuse, load_late_rules
from covector.core.tracer import Tracer
from covector.core.values import aval_of, dtype_of

load_late_rules()

# Calls of user functions and exchanges between lanes mean something inside a transform only; tests/contract and
# tests/compositions/test_calls.py have them.
UNSAMPLED = {"call", "collective"}
NAMES = sorted(PRIMITIVES)
SAMPLED = [n for n in NAMES if PRIMITIVES[n].family not in UNSAMPLED]
SMOOTH = [n for n in SAMPLED if not PRIMITIVES[n].constant]

# What a sample is asked to be, and which primitives cannot have such a one.
WANTED: dict[str, tuple[Callable[[Sequence[Any]], bool], dict[str, str]]] = {
    "single precision": (
        lambda args: any(dtype_of(x).name in ("float32", "complex64") for x in args),
        {
            "cofactor_derivative": "its second derivatives in float32 drown in the rounding of differences",
            **dict.fromkeys(
                (f"mathieu_{kind}_{i}" for kind in ("cem", "sem") for i in (0, 1)),
                "their slopes per degree in float32 drown in the rounding of differences",
            ),
        },
    ),
    "empty": (
        lambda args: any(np.size(x) == 0 for x in args),
        {},
    ),
    "smallest": (lambda args: all(np.size(x) <= 1 for x in args), {}),
}


@pytest.mark.parametrize("name", NAMES)
def test_every_slot_is_filled(name: str) -> None:
    p = PRIMITIVES[name]
    assert p.name == name
    assert p.family
    assert all(callable(rule) for rule in (p.impl, p.aval, p.jvp, p.vjp, p.batch))
    assert p.residuals is None or callable(p.residuals)
    assert isinstance(p.jvp, Refuse) == isinstance(p.vjp, Refuse) == p.constant
    assert p.source == p.source.strip()


@pytest.mark.parametrize("name", SAMPLED)
def test_every_primitive_has_samples(name: str) -> None:
    samples = PRIMITIVES[name].samples
    assert samples
    for sample in samples:
        assert not any(isinstance(x, list | tuple) for x in sample.args), "arrays are positional"
        assert not any(isinstance(x, np.ndarray) for x in sample.params.values()), "parameters are static"


@pytest.mark.parametrize("kind", WANTED)
@pytest.mark.parametrize("name", SMOOTH)
def test_samples_reach_the_corners(name: str, kind: str) -> None:
    holds, exceptions = WANTED[kind]
    found = any(holds(s.args) for s in PRIMITIVES[name].samples)
    assert found != (name in exceptions), f"{kind}: a sample is missing, or the exception is out of date"


# --- what derivatives read --------------------------------------------------------------------------------------------


def raw(case: Case) -> tuple[Primitive, list[Any], Any, list[bool]]:
    p, args = case.primitive, list(case.sample.args)
    return p, args, p.impl(*args, **case.sample.params), [i in case.active for i in range(len(args))]


def dense(ct: Any) -> Any:
    """A cotangent as array: indexing returns one that is not yet written out."""
    return ct.dense() if hasattr(ct, "dense") else ct


def derivatives(case: Case, args: list[Any], out: Any, wanted: list[bool]) -> list[Any]:
    """What the rules return, called as the tape calls them."""
    p, params = case.primitive, case.sample.params
    us, ts = case.draw("out", "u"), iter(case.draw("args", "t"))
    cts: list[Any] = [None] * len(case.out)
    for i, u in zip(case.places, us, strict=True):
        cts[i] = u
    tangents = [next(ts) if w else None for w in wanted]
    with np.errstate(all="ignore"):
        pulled = p.vjp(tuple(cts) if p.multiple else cts[0], wanted, out, args, **params)
        pushed = p.jvp(args, tangents, out, **params)
    return [*map(dense, pulled), *(pushed if p.multiple else (pushed,))]


def same(case: Case, got: Sequence[Any], want: Sequence[Any]) -> None:
    assert [g is None for g in got] == [w is None for w in want]
    for g, w in zip(got, want, strict=True):
        if w is not None:
            np.testing.assert_array_equal(g, w)


FORGETS_ARGS = cases(lambda c: differentiable(c) and not c.primitive.keeps)
FORGETS_OUT = cases(lambda c: differentiable(c) and not c.primitive.keeps_out)


@pytest.mark.parametrize("case", FORGETS_ARGS)
def test_without_keeps_no_value_of_an_argument_is_read(case: Case) -> None:
    """The tape then holds shapes only, and does not protect constants: so all real and complex ones are taken away."""
    _, args, out, wanted = raw(case)
    bare = [aval_of(x) if dtype_of(x).kind in "fc" else x for x in args]
    same(case, derivatives(case, bare, out, wanted), derivatives(case, args, out, wanted))


@pytest.mark.parametrize("case", FORGETS_OUT)
def test_without_keeps_out_the_output_is_not_read(case: Case) -> None:
    p, args, out, wanted = raw(case)
    bare = tuple(map(aval_of, out)) if p.multiple else aval_of(out)
    same(case, derivatives(case, args, bare, wanted), derivatives(case, args, out, wanted))


# --- every ufunc is answered ------------------------------------------------------------------------------------------


def ufuncs(module: Any) -> list[Any]:
    # isnat takes dates only.
    found = {f.__name__: f for f in vars(module).values() if isinstance(f, np.ufunc) and f is not np.isnat}
    return [pytest.param(f, id=name) for name, f in sorted(found.items())]


def arguments(ufunc: np.ufunc) -> list[Any]:
    """Arguments that `ufunc` accepts, floats wherever it takes any."""
    shapes: list[tuple[int, ...]] = [
        (2, 2) if "m" in part else (2,) for part in (ufunc.signature or "").split("->")[0].split("),")
    ]
    if ufunc.signature is None:
        shapes = [(2,)] * ufunc.nin
    for kinds in itertools.product((float, int), repeat=ufunc.nin):
        args = [np.full(shape, 0.5).astype(kind) + (kind is int) for shape, kind in zip(shapes, kinds, strict=True)]
        try:
            ufunc(*args)
        except TypeError:
            continue
        return args
    raise AssertionError(f"{ufunc} takes neither floats nor integers")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("ufunc", ufuncs(np))
def test_every_ufunc_of_numpy_is_differentiable_or_constant(ufunc: np.ufunc) -> None:
    args = arguments(ufunc)
    places = [i for i, x in enumerate(args) if x.dtype.kind == "f"]
    handler = UFUNCS[ufunc]
    want = ufunc(*args)
    want = want if isinstance(want, tuple) else (want,)
    if not places:
        assert isinstance(handler, Primitive) and handler.constant
        return
    seen: list[Any] = []

    def fun(*xs: Any) -> Any:
        full = list(args)
        for i, x in zip(places, xs, strict=True):
            full[i] = x
        out = ufunc(*full)
        out = out if isinstance(out, tuple) else (out,)
        seen.extend(map(plain_of, out))
        constants = out if isinstance(handler, Primitive) and handler.constant else ()
        return np.sum(xs[0]) + sum(np.sum(c * 1.0) for c in constants)

    _, pull_back = covector.vjp(fun, *[args[i] for i in places])
    for i, slope in enumerate(pull_back(1.0)):
        np.testing.assert_array_equal(slope, np.full_like(slope, i == 0))
    for got, plain in zip(seen, want, strict=True):
        assert got.dtype == plain.dtype and got.shape == plain.shape
        if isinstance(handler, Primitive):
            assert isinstance(got, Tracer) != handler.constant
        if plain.dtype.kind not in "fc":
            assert not isinstance(got, Tracer)


@pytest.mark.parametrize("ufunc", ufuncs(scipy.special))
def test_every_ufunc_of_scipy_is_answered_or_refused_by_name(ufunc: np.ufunc) -> None:
    if ufunc in UFUNCS:
        assert callable(UFUNCS[ufunc])
        return
    with pytest.raises(NotDifferentiableError, match=ufunc.__name__):
        covector.vjp(lambda x: ufunc(*[x] * ufunc.nin), 0.5)
