"""Random programs of loops and branches under the transforms, against the same programs with loops in plain Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import covector as cv
from control.plain_loops import OURS, PLAIN
from control.random_programs import Program

__all__ = ["MODES", "difference"]

_LANES = 3

Fun = Callable[..., Any]
Wrap = Callable[[Fun], Fun]


def _total(f: Fun) -> Fun:
    """A real number made of all results, as a function of `x, s, m, v, k`."""

    def total(*args: Any) -> Any:
        return sum([np.sum(np.real(y) * _weights(np.shape(y), np.real(y).dtype)) for y in f(*args)])

    return total


def _weights(shape: Sequence[int], dtype: Any) -> Any:
    return np.cos(np.arange(int(np.prod(shape)))).reshape(shape).astype(dtype)


def _direction(x: Any, seed: int = 0) -> Any:
    rng = np.random.default_rng([seed, *np.shape(x)])
    t = rng.uniform(-1.0, 1.0, np.shape(x))
    t = t + 1j * rng.uniform(-1.0, 1.0, np.shape(x)) if x.dtype.kind == "c" else t
    return np.asarray(t).astype(x.dtype)[()]


def _directions(xs: Any, seed: int = 0) -> Any:
    return tuple([_direction(x, seed) for x in xs])


def _value(f: Fun) -> Fun:
    return lambda *a: f(*a)


def _grad(f: Fun) -> Fun:
    return cv.grad(_total(f), (0, 1, 2, 3))


def _push(f: Fun) -> Fun:
    return lambda *a: cv.jvp(lambda *xs: f(*xs, a[4]), a[:4], _directions(a[:4]))


def _pull(f: Fun) -> Fun:
    def pull(*a: Any) -> Any:
        out, back = cv.vjp(lambda *xs: f(*xs, a[4]), *a[:4])
        return out, back(_directions(out, 1))

    return pull


def _grad_of_push(f: Fun) -> Fun:
    return _grad(lambda *a: _push(f)(*a)[1])


def _linear(f: Fun) -> Fun:
    def push(*a: Any) -> Any:
        out, move = cv.linearize(lambda *xs: f(*xs, a[4]), *a[:4])
        return out, move(*_directions(a[:4]))

    return push


def _checkpointed(f: Fun) -> Fun:
    return _grad(lambda *a: cv.checkpoint(f)(*a))


def _graph(f: Fun) -> Fun:
    return lambda *a: cv.make_graph(f)(*a).run(*a)


def _grad_of_vmap(f: Fun) -> Fun:
    """The gradient of the sum over lanes: lane by lane that of the lane."""
    return cv.grad(lambda *a: np.sum(cv.vmap(_total(f))(*a)), (0, 1, 2, 3))


class Mode(NamedTuple):
    """A way to run a program.

    Attributes
    ----------
    ours, plain : callable
        What is done with the function that has our loops, and what with the one that has plain loops. Without `plain`
        it is the same, of the function that runs lane by lane.
    batch : bool
        Whether the arguments are those of several lanes; what `plain` returns is then made lane by lane.
    order : int
        How many derivatives are taken.
    compiled : bool
        Whether it is compiled.
    """

    ours: Wrap
    plain: Wrap | None
    batch: bool = False
    order: int = 0
    compiled: bool = False


def _vmap(f: Fun) -> Fun:
    return cv.vmap(f)


def _then(*wraps: Wrap) -> Wrap:
    """The first of the last of the function."""

    def wrap(f: Fun) -> Fun:
        for w in reversed(wraps):
            f = w(f)
        return f

    return wrap


_EAGER = {
    "value": Mode(_value, _value),
    "jvp": Mode(_push, _push, order=1),
    "vjp": Mode(_pull, _pull, order=1),
    "jvp of grad": Mode(_then(_push, _grad), _then(_push, _grad), order=2),
    "grad of jvp": Mode(_grad_of_push, _grad_of_push, order=2),
    "grad of grad": Mode(_then(_grad, _grad), _then(_grad, _grad), order=2),
    "linearize": Mode(_linear, _push, order=1),
    "checkpoint": Mode(_checkpointed, _grad, order=1),
    "make_graph": Mode(_graph, _value),
    "vmap": Mode(_vmap, _value, True),
    "vmap of grad": Mode(_then(_vmap, _grad), _grad, True, 1),
    "vmap of jvp": Mode(_then(_vmap, _push), _push, True, 1),
    "grad of vmap": Mode(_grad_of_vmap, _grad, True, 1),
    "jvp of vmap": Mode(_then(_push, _vmap), None, True, 1),
    "vmap of jvp of grad": Mode(_then(_vmap, _push, _grad), _then(_push, _grad), True, 2),
    "jvp of grad of vmap": Mode(_then(_push, _grad_of_vmap), None, True, 2),
}
_COMPILED = {
    "jit": Mode(cv.jit, _value),
    "jit of grad": Mode(_then(cv.jit, _grad), _grad, order=1),
    "jit of jvp": Mode(_then(cv.jit, _push), _push, order=1),
    "jit of vjp": Mode(_then(cv.jit, _pull), _pull, order=1),
    "grad of jit": Mode(_then(_grad, cv.jit), _grad, order=1),
    "jvp of jit": Mode(_then(_push, cv.jit), _push, order=1),
    "jit of jvp of grad": Mode(_then(cv.jit, _push, _grad), _then(_push, _grad), order=2),
    "grad of grad of jit": Mode(_then(_grad, _grad, cv.jit), _then(_grad, _grad), order=2),
    "jit of vmap": Mode(_then(cv.jit, _vmap), _value, True),
    "vmap of jit": Mode(_then(_vmap, cv.jit), _value, True),
    "jit of vmap of grad": Mode(_then(cv.jit, _vmap, _grad), _grad, True, 1),
    "jit of grad of vmap": Mode(_then(cv.jit, _grad_of_vmap), _grad, True, 1),
    "vmap of grad of jit": Mode(_then(_vmap, _grad, cv.jit), _grad, True, 1),
    "jit of jvp of vmap": Mode(_then(cv.jit, _push, _vmap), None, True, 1),
}
MODES = {**_EAGER, **{name: mode._replace(compiled=True) for name, mode in _COMPILED.items()}}


def _by_lanes(mode: str) -> Callable[[Fun], Fun]:
    """The directions of a batch are not those of its lanes: the plain program takes lane by lane, too."""

    def lanes(f: Fun) -> Fun:
        def every(*a: Any) -> Any:
            outs = [f(*[x[i] for x in a]) for i in range(_LANES)]
            return cv.tree.map(lambda *ys: np.stack(ys), *outs)

        return every

    if mode.endswith("jvp of vmap"):
        return lambda f: _push(lanes(f))
    return lambda f: _push(lanes(_grad(f)))


def difference(program: Program, mode: str, strict: bool = False) -> str | None:
    """What is wrong with the program under the transforms, if anything.

    Nothing is if its plain version does not run, unless that is a mistake, too: `strict`.
    """
    try:
        f = program.function
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            args, want = _wanted(f, program, mode)
            if not all(np.all(np.isfinite(y)) for y in cv.tree.leaves(want)):
                return None
    except Exception:
        if strict:
            raise
        return None
    ours, _, _, order, compiled = MODES[mode]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            given = [x.copy() for x in args]
            made = ours(lambda *a: f(OURS, *a))
            for _ in range(2 if compiled else 1):
                _close(made(*given), want, program.dtype, order)
    except Exception as error:
        return f"{mode}: {type(error).__name__}: {error}"
    changed = [i for i, (a, b) in enumerate(zip(given, args, strict=True)) if a.tobytes() != b.tobytes()]
    return f"{mode}: it changed arguments {changed}" if changed else None


def _wanted(f: Fun, program: Program, mode: str) -> tuple[list[Any], Any]:
    """The arguments, and what comes out with plain loops."""
    _, plain, batch, _, _ = MODES[mode]
    if not batch:
        xs, k = program.arguments()
        return [*xs, k], plain(lambda *a: f(PLAIN, *a))(*xs, k)
    lanes = [program.arguments(i) for i in range(_LANES)]
    rows = [[*xs, k] for xs, k in lanes]
    args = [np.stack(column) for column in zip(*rows, strict=True)]
    if plain is None:
        return args, _by_lanes(mode)(lambda *a: f(PLAIN, *a))(*args)
    outs = [plain(lambda *a: f(PLAIN, *a))(*row) for row in rows]
    return args, cv.tree.map(lambda *ys: np.stack(ys), *outs)


def _close(got: Any, want: Any, dtype: str, order: int) -> None:
    rtol = (2e-4 if dtype == "float32" else 1e-11) * 20.0**order
    got, want = cv.tree.leaves(got), cv.tree.leaves(want)
    assert len(got) == len(want), (len(got), len(want))
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        g, w = np.asarray(g), np.asarray(w)
        assert g.shape == w.shape, f"result {i} has shape {g.shape}, expected {w.shape}"
        assert g.dtype == w.dtype, f"result {i} has dtype {g.dtype}, expected {w.dtype}"
        size = rtol * (1.0 + np.max(np.abs(w), initial=0.0))
        assert np.allclose(g, w, rtol=0.0, atol=size), f"result {i} is\n{g}\nexpected\n{w}"
