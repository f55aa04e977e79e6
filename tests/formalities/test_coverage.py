"""The coverage table knows every function, and its verdicts are true."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector import coverage
from covector.core import dispatch
from covector.core.errors import CovectorError, NotDifferentiableError, TracerConversionError
from covector.core.primitive import Primitive
from covector.core.tracer import Tracer
from covector.coverage import CONSTANT, DIFFERENTIABLE, REFUSED, UNKNOWN, Entry, Row
from covector.coverage.calls import call_of
from covector.coverage.declared import OUTSIDE, REPLACED
from covector.coverage.namesakes import namesake
from covector.coverage.probe import traced_leaves
from covector.coverage.table import sample_of

ENTRIES = [entry for section in coverage.SECTIONS for entry in coverage.entries(section)]
ROWS = {(r.section, r.name): r for r in coverage.table()}


def known(verdict: str, **columns: str) -> list[Any]:
    """Parameters of a test: the entries of a verdict, and of what their columns say."""
    return [
        pytest.param(e, id=e.full)
        for e in ENTRIES
        if (r := ROWS[e[:2]]).verdict == verdict and all(getattr(r, k) == v for k, v in columns.items())
    ]


def test_no_function_is_unknown() -> None:
    """Fails when a release of NumPy or SciPy brings a function: give it a rule, or a reason."""
    assert [r for r in ROWS.values() if r.verdict == UNKNOWN] == []
    assert len(ROWS) == len(ENTRIES)


def test_a_new_function_is_unknown() -> None:
    def newcomer(x: Any) -> Any:
        return np.asarray(x) * 2

    asked = np._core.overrides.array_function_dispatch(lambda x: (x,))(newcomer)
    ufunc = np.frompyfunc(lambda x: x, 1, 1)
    for entry in (Entry("numpy", "newcomer", newcomer), Entry("numpy", "asked", asked), Entry("numpy", "own", ufunc)):
        assert coverage.row(entry).verdict == UNKNOWN, entry.name


def test_a_new_function_made_of_known_ones_needs_no_entry() -> None:
    found = coverage.row(Entry("numpy", "newcomer", lambda x: np.sin(x) ** 2))
    assert (found.verdict, found.jvp, found.vjp, found.vmap) == (DIFFERENTIABLE, "yes", "yes", "yes")
    assert coverage.row(Entry("numpy", "newcomer", lambda x: np.argsort(x))).verdict == CONSTANT


def test_every_public_name_of_numpy_is_in_the_table() -> None:
    public = {n for n in np.__all__ if callable(getattr(np, n)) and not n.startswith("_")}
    assert public <= {name for section, name in ROWS if section == "numpy"}
    for module in (np.linalg, np.fft):
        own = {n for n in module.__all__ if callable(getattr(module, n))}
        assert own <= {name for section, name in ROWS if section == module.__name__}


@pytest.mark.parametrize("names", [OUTSIDE, REPLACED], ids=["outside", "replaced"])
def test_what_is_declared_is_not_in_the_registry(names: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    by_name = {e.full: e for e in ENTRIES}
    for _, members in names:
        assert len(set(members)) == len(members)
        for name in members:
            # Some names are newer, or older, than the NumPy that runs.
            entry = by_name.get(name)
            if entry is not None and names is OUTSIDE and entry.section != "numpy.ndarray":
                assert entry.function not in dispatch.FUNCTIONS, name


# --- the verdicts -----------------------------------------------------------------------------------------------------


def smooth(entry: Entry) -> tuple[Callable[..., Any], list[Any]] | None:
    """The sample call as a function of the arguments in which it has a derivative, giving its traced outputs."""
    call = sample_of(entry)
    assert call is not None
    floats = [i for i, x in enumerate(call.arrays) if np.asarray(x).dtype.kind in "fc"]
    for active in (floats, *([i] for i in floats)):
        places: list[int] = []

        def fun(*xs: Any, active: Sequence[int] = active, places: list[int] = places) -> Any:
            full = list(call.arrays)
            for i, x in zip(active, xs, strict=True):
                full[i] = x
            leaves = cv.tree.leaves(call.fun(*full))
            if any(isinstance(y, Tracer) for y in leaves) and not places:
                places.extend(i for i, y in enumerate(leaves) if traced_leaves(y))
            return tuple(leaves[i] for i in places)

        given = [np.asarray(call.arrays[i])[()] for i in active]
        try:
            cv.jvp(fun, tuple(given), tuple(np.ones_like(x) for x in given))
        except CovectorError:
            continue
        return (fun, given) if places else None
    return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("entry", known(DIFFERENTIABLE))
def test_differentiable_functions_have_the_derivative_of_differences(entry: Entry) -> None:
    found = smooth(entry)
    assert found is not None, "no output carries a derivative"
    fun, args = found
    ones = tuple(np.ones_like(x) for x in args)
    out, tangents = cv.jvp(fun, tuple(args), ones)
    again, pull = cv.vjp(fun, *args)
    cotangents = pull(tuple(np.ones_like(y) for y in again))
    # ⟨1, J 1⟩ both ways, and against differences.
    forward = sum(np.sum(t) for t in tangents)
    reverse = sum(np.sum(c) for c in cotangents)
    if all(x.dtype.kind != "c" for x in args):
        forward = np.real(forward)  # the transpose of a map from real to complex numbers takes the real part
    single = any(np.asarray(y).dtype.name in ("float32", "complex64", "float16") for y in (*out, *args))
    np.testing.assert_allclose(reverse, forward, rtol=1e-4 if single else 1e-9, atol=1e-5 if single else 1e-10)
    h = 1e-2 if single else 1e-4
    with np.errstate(all="ignore"):
        steps = [fun(*[x + x.dtype.type(k * h) for x in args]) for k in (-1, -0.5, 0.5, 1)]
    for i, t in enumerate(tangents):
        far, near = (steps[3][i] - steps[0][i]) / (2 * h), (steps[2][i] - steps[1][i]) / h
        want = np.asarray((4 * near - far) / 3)
        size = float(np.max(np.abs(want[np.isfinite(want)]), initial=1.0))
        np.testing.assert_allclose(t, want, rtol=0, atol=size * (1e-2 if single else 1e-6), err_msg=f"output {i}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("entry", known(DIFFERENTIABLE, vmap="yes") + known(CONSTANT, vmap="yes"))
def test_mapped_functions_equal_a_loop(entry: Entry) -> None:
    call = sample_of(entry)
    assert call is not None
    found = smooth(entry) if ROWS[entry[:2]].verdict == DIFFERENTIABLE else None
    fun, args = found or (lambda *xs: tuple(numbers(call.fun(*xs))), call.arrays)
    lanes = [np.stack([x, x]) for x in args]
    batch = cv.vmap(fun)(*lanes)
    for one, many in zip(fun(*args), batch, strict=True):
        one = np.asarray(one)
        for k in range(2):
            np.testing.assert_allclose(many[k], one, rtol=1e-6 if one.dtype.itemsize <= 4 else 1e-10, atol=1e-12)


def numbers(out: Any) -> list[Any]:
    return [y for y in cv.tree.leaves(out) if np.asarray(y if not isinstance(y, Tracer) else 0).dtype.kind in "fciub"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("entry", known(CONSTANT, jvp="plain"))
def test_functions_without_derivative_give_plain_values(entry: Entry) -> None:
    call = sample_of(entry)
    if call is None:
        assert isinstance(dispatch.UFUNCS.get(entry.function), Primitive)
        return
    floats = [i for i, x in enumerate(call.arrays) if np.asarray(x).dtype.kind in "fc"]
    want = numbers(call.fun(*call.arrays))
    if not floats:
        return

    def fun(*xs: Any) -> Any:
        full = list(call.arrays)
        for i, x in zip(floats, xs, strict=True):
            full[i] = x
        return tuple(numbers(call.fun(*full)))

    given = tuple(call.arrays[i] for i in floats)
    out, tangents = cv.jvp(fun, given, tuple(np.ones_like(x) for x in given))
    for t in tangents:
        assert t is None or not np.any(t)
    if not entry.name.startswith("empty"):
        for got, plain in zip(out, want, strict=True):
            np.testing.assert_array_equal(got, plain)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("entry", known(REFUSED))
def test_refused_functions_raise_and_say_what_to_use(entry: Entry) -> None:
    row = ROWS[entry[:2]]
    assert len(row.note) > 20
    assert any(word in row.note for word in (";", "use ", "leave out")), "the reason names no supported form"
    call = sample_of(entry)
    if call is None:
        return
    floats = [i for i, x in enumerate(call.arrays) if np.asarray(x).dtype.kind in "fc"]
    if not floats:
        return

    def fun(*xs: Any) -> Any:
        full = list(call.arrays)
        for i, x in zip(floats, xs, strict=True):
            full[i] = x
        return call.fun(*full)

    given = tuple(call.arrays[i] for i in floats)
    # Python and NumPy turn some away before anyone is asked.
    errors = (NotDifferentiableError, TracerConversionError, AttributeError, TypeError, ValueError)
    with pytest.raises(errors) as info:
        cv.jvp(fun, given, tuple(np.ones_like(x) for x in given))
    if entry.function in dispatch.REFUSED and isinstance(info.value, NotDifferentiableError):
        assert dispatch.REFUSED[entry.function] in str(info.value)


NAMESAKES = [e for e in ENTRIES if ROWS[e[:2]].verdict == REFUSED and "which has jvp" in ROWS[e[:2]].note]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("entry", NAMESAKES, ids=lambda e: e.full)
def test_what_covector_numpy_has_instead_is_differentiated(entry: Entry) -> None:
    ours = namesake(entry)
    assert ours is not entry.function and ours is not None
    want, call = call_of(entry), call_of(entry._replace(function=ours))
    assert want is not None and call is not None
    floats = [i for i, x in enumerate(call.arrays) if np.asarray(x).dtype.kind in "fc"]

    def fun(*xs: Any) -> Any:
        full = list(call.arrays)
        for i, x in zip(floats, xs, strict=True):
            full[i] = x
        return tuple(y for y in cv.tree.leaves(call.fun(*full)) if np.isdtype(np.result_type(y), "numeric"))

    given = [call.arrays[i] for i in floats]
    plain = [y for y in cv.tree.leaves(want.fun(*want.arrays)) if np.asarray(y).dtype.kind in "fciO"]
    for got, value in zip(cv.vjp(fun, *given)[0], plain, strict=True):
        np.testing.assert_allclose(got, np.asarray(value, np.asarray(got).dtype), rtol=1e-12)
    cv.testing.check_grads(fun, given, order=1, batched="vmap" in ROWS[entry[:2]].note)


def test_every_refused_function_of_polynomials_has_a_namesake() -> None:
    refused = [e for e in ENTRIES if e.section.startswith("numpy.polynomial") and ROWS[e[:2]].verdict == REFUSED]
    assert len(refused) > 100 and {e.full for e in refused} <= {e.full for e in NAMESAKES}


# --- the command ------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "covector", "coverage", *arguments], capture_output=True, text=True, check=False
    )


def test_the_command_ends_with_nothing_unknown() -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("0 unknown")
    assert all(section in done.stdout for section in coverage.SECTIONS)


def test_the_command_writes_json() -> None:
    done = run("--json")
    found = json.loads(done.stdout)
    assert found["counts"][UNKNOWN] == 0
    assert len(found["rows"]) == len(ROWS)
    sine = next(r for r in found["rows"] if (r["section"], r["name"]) == ("numpy", "sin"))
    assert (sine["verdict"], sine["jvp"], sine["vjp"], sine["vmap"]) == (DIFFERENTIABLE, "yes", "yes", "yes")


def test_the_command_lists_what_is_missing() -> None:
    shown = run("--missing").stdout
    assert "\nvectorize " in shown and "\nsin " not in shown
    assert shown.rstrip().endswith("0 unknown")


def test_an_unknown_function_fails_the_command(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from covector.__main__ import main

    monkeypatch.setattr(coverage, "table", lambda: [Row("numpy", "newcomer", UNKNOWN)])
    assert main(["coverage"]) == 1
    assert capsys.readouterr().out.rstrip().endswith("1 unknown")


def test_looking_leaves_no_files_behind(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coverage.table()
    assert list(tmp_path.iterdir()) == []
