"""Every primitive keeps what its declaration promises: slots, samples, and what its derivative may read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from compositions.cases import FULL, Case, cases, differentiable
from covector.core.dispatch import REFUSED, UFUNCS
from covector.core.errors import NotDifferentiableError
from covector.core.primitive import PRIMITIVES, Primitive, Refuse, load_late_rules
from covector.core.tracer import Tracer
from covector.core.values import aval_of, dtype_of, is_weak

load_late_rules()

# Calls of user functions and exchanges between lanes mean something inside a transform only; tests/contract and
# tests/compositions/test_calls.py have them.
UNSAMPLED = {"call", "collective"}
NAMES = sorted(PRIMITIVES)
SAMPLED = [n for n in NAMES if PRIMITIVES[n].family not in UNSAMPLED]
SMOOTH = [n for n in SAMPLED if not PRIMITIVES[n].constant]

Sizes = Sequence[int]

# What a sample is asked to be, and which primitives cannot have such a one.
WANTED: dict[str, tuple[Callable[[Sequence[Any]], bool], dict[str, str]]] = {
    "single precision": (
        lambda args: any(dtype_of(x).name in ("float32", "complex64") for x in args),
        {
            "cofactor_derivative": "its derivatives in float32 drown in the rounding of the differences they are compared with",
        },
    ),
    "empty": (
        lambda args: any(np.size(x) == 0 for x in args),
        {
            "pinv": "an empty matrix has rank 0, which the rule for constant rank leaves out",
        },
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
def test_every_primitive_has_samples_of_different_labels(name: str) -> None:
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


def reads(case: Case, args: list[Any], out: Any) -> bool:
    _, full_args, full_out, wanted = raw(case)
    want = derivatives(case, full_args, full_out, wanted)
    try:
        same(case, derivatives(case, args, out, wanted), want)
    except Exception:
        return True
    return False


def nothing(x: Any) -> Any:
    """Stands for an array whose every use fails, even that of its shape."""
    return aval_of(x)


@pytest.mark.parametrize("name", SMOOTH)
def test_what_is_kept_is_read_by_some_derivative(name: str) -> None:
    """Arrays are not held for nothing: with `keeps` an argument is read, with `keeps_out` the output is."""
    p = PRIMITIVES[name]
    found = [c for c in (Case(p, s) for s in p.samples) if differentiable(c) and all(np.size(x) for x in c.args)]
    assert found
    if p.keeps:
        assert any(reads(c, [aval_of(x) if dtype_of(x).kind in "fc" else x for x in c.sample.args], raw(c)[2]) for c in found)
    if p.keeps_out and not p.multiple:
        assert any(reads(c, list(c.sample.args), aval_of(raw(c)[2])) for c in found)
