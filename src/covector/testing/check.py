"""`check_grads`: is every derivative of this function right?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import tree
from ..core.values import dtype_of, is_weak
from ..transforms.jvp import jvp
from ..transforms.vjp import vjp
from ..transforms.vmap import vmap
from .numeric import numeric_jvp

__all__ = ["check_grads"]

_LANES = 3


@dataclass
class _Problem:
    """A function of the active leaves alone, returning its differentiable output leaves."""

    fun: Callable[..., Any]
    leaves: list[Any]
    names: list[str]
    label: str
    rtol: float
    atol: float

    def __call__(self, leaves: Sequence[Any]) -> list[Any]:
        return tree.leaves(self.fun(*leaves))


def check_grads(
    fun: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    *,
    batched: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    eps: float | None = None,
    seed: int = 0,
) -> None:
    """Check the derivatives of a function at a point, in every mode, against differences and each other.

    Parameters
    ----------
    fun : callable
        Takes and returns pytrees of arrays.
    args : sequence of pytree
        Where to check; integer leaves are constants.
    order : int, default 2
        Up to which order; each order differentiates the derivatives of the one before, in both modes.
    modes : sequence of {"fwd", "rev"}, default both
        Which modes to check.
    batched : bool, default True
        Whether to check that `vmap` of the function and of its derivatives equals a loop.
    rtol, atol : float, optional
        Tolerances relative to the largest element of the expected value, and absolute; by default what the dtype and
        the numerical derivative allow.
    eps : float, optional
        Step of the central differences.
    seed : int, default 0
        Seed of the random directions.

    Returns
    -------
    None
        When every check passes.

    Raises
    ------
    AssertionError
        Naming mode, order, argument, leaf and element that disagree, with both values.
    ValueError
        `order` or `modes` is not one of the above.

    Notes
    -----
    Forward mode is compared with the complex step where `fun` is analytic, else with extrapolated central
    differences; reverse mode with forward mode through ⟨u, Jt⟩ = ⟨Jᵀu, t⟩, which holds to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from covector.testing import check_grads
    >>> check_grads(lambda x, y: np.sin(x) * y, (np.array([1.0, 2.0]), 3.0))
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"check_grads: order must be a positive int, got {order!r}")
    if not modes or set(modes) - {"fwd", "rev"}:
        raise ValueError(f"check_grads: modes must be of 'fwd' and 'rev', got {modes!r}")
    problem = _flatten(fun, args, rtol, atol)
    _check(problem, order, tuple(modes), batched, eps, np.random.default_rng(seed))


def _flatten(fun: Any, args: Sequence[Any], rtol: float | None, atol: float | None) -> _Problem:
    leaves, treedef = tree.flatten(tuple(args))
    leaves = [
        float(x) if type(x) is int and p.count("[") == 1 else x
        for x, p in zip(leaves, tree.paths(treedef), strict=True)
    ]
    active = [i for i, x in enumerate(leaves) if dtype_of(x).kind in "fc"]

    def of_active(*values: Any) -> list[Any]:
        full = list(leaves)
        for i, x in zip(active, values, strict=True):
            full[i] = x
        out = tree.leaves(fun(*tree.unflatten(treedef, full)))
        return [y for y in out if dtype_of(y).kind in "fc"]

    paths = tree.paths(treedef)
    name = getattr(fun, "__name__", "fun")
    single = any(dtype_of(leaves[i]).itemsize < (16 if dtype_of(leaves[i]).kind == "c" else 8) for i in active)
    return _Problem(
        of_active,
        [leaves[i] for i in active],
        [f"argument {paths[i]}" for i in active],
        name,
        rtol or (2e-2 if single else 1e-6),
        atol or (1e-3 if single else 1e-8),
    )


def _random_like(x: Any, rng: np.random.Generator) -> Any:
    dtype, shape = dtype_of(x), np.shape(x)
    t = rng.uniform(0.5, 1.0, shape) * rng.choice([-1.0, 1.0], shape)
    if dtype.kind == "c":
        t = t + 1j * rng.uniform(-1.0, 1.0, shape)
    return np.asarray(t, dtype) if isinstance(x, np.ndarray) else dtype.type(t)


def _check(p: _Problem, order: int, modes: tuple[str, ...], batched: bool, eps: Any, rng: np.random.Generator) -> None:
    out = p(p.leaves)
    if not out:
        return
    ts = [_random_like(x, rng) for x in p.leaves]
    us = [_random_like(y, rng) for y in out]
    if "fwd" in modes:
        _check_forward(p, out, ts, _push(p, ts, modes, eps), eps)
    if "rev" in modes:
        _check_reverse(p, out, ts, us, modes, eps)
    if batched:
        _check_batched(p, ts, us, modes)
    if order > 1:
        if "fwd" in modes:
            _check(
                _derived(p, lambda *xs: jvp(lambda *ys: p(ys), xs, tuple(ts))[1], "jvp"),
                order - 1,
                modes,
                batched,
                eps,
                rng,
            )
        if "rev" in modes:
            _check(
                _derived(p, lambda *xs: list(vjp(lambda *ys: p(ys), *xs)[1](us)), "vjp"),
                order - 1,
                modes,
                batched,
                eps,
                rng,
            )


def _push(p: _Problem, ts: list[Any], modes: tuple[str, ...], eps: Any) -> Sequence[Any]:
    """The derivative along `ts`: forward mode where that is checked too, else differences.

    Forward mode alone would not do: that of a `custom_vjp` is made from the very rule that is under test.
    """
    if "fwd" in modes:
        return jvp(lambda *xs: p(xs), tuple(p.leaves), tuple(ts))[1]
    return numeric_jvp(p, p.leaves, ts, eps)[0]


def _derived(p: _Problem, fun: Callable[..., Any], mode: str) -> _Problem:
    return _Problem(fun, p.leaves, p.names, f"{mode}({p.label})", p.rtol, p.atol)


def _assert_close(p: _Problem, got: Any, want: Any, what: str, scale: Any = None, rtol: float | None = None) -> None:
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        raise AssertionError(f"check_grads: {p.label}: {what}: shape {got.shape}, expected {want.shape}")
    size = float(np.max(np.abs(want), initial=0.0)) if scale is None else scale
    bad = ~(np.abs(got - want) <= p.atol + (rtol or p.rtol) * size) & ~(
        (got == want) | (np.isnan(got) & np.isnan(want))
    )
    if np.any(bad):
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        where = f" at element {list(at)}" if at else ""
        raise AssertionError(f"check_grads: {p.label}: {what}{where}: got {got[at]}, expected {want[at]}")


def _check_forward(p: _Problem, out: list[Any], ts: list[Any], forward: Sequence[Any], eps: Any) -> None:
    want, exact = numeric_jvp(p, p.leaves, ts, eps)
    rtol = min(p.rtol, 1e-10) if exact and p.rtol == 1e-6 else None
    for i, (f, w, y) in enumerate(zip(forward, want, out, strict=True)):
        if f.dtype != dtype_of(y):
            raise AssertionError(f"check_grads: {p.label}: forward mode: dtype {f.dtype}, expected {dtype_of(y)}")
        try:
            _assert_close(p, f, w, f"forward mode against differences, output leaf {i}", rtol=rtol)
        except AssertionError as error:
            _locate_forward(p, eps, rtol)
            raise error from None


def _one_hot(x: Any, at: tuple[int, ...]) -> Any:
    t = np.zeros(np.shape(x), dtype_of(x))
    t[at] = 1
    return t if isinstance(x, np.ndarray) else t[()]


def _locate_forward(p: _Problem, eps: Any, rtol: float | None) -> None:
    """Repeat the forward check along each single element, to name the one that is wrong."""
    for k, x in enumerate(p.leaves):
        for at in np.ndindex(np.shape(x)):
            ts = [
                _one_hot(y, at)
                if j == k
                else np.zeros_like(y)[()]
                if not isinstance(y, np.ndarray)
                else np.zeros_like(y)
                for j, y in enumerate(p.leaves)
            ]
            _, got = jvp(lambda *xs: p(xs), tuple(p.leaves), tuple(ts))
            want, _ = numeric_jvp(p, p.leaves, ts, eps)
            for i, (g, w) in enumerate(zip(got, want, strict=True)):
                _assert_close(
                    p, g, w, f"forward mode, derivative by {p.names[k]} element {list(at)}, output leaf {i}", rtol=rtol
                )


def _pair(us: Sequence[Any], ts: Sequence[Any]) -> float:
    """The real pairing ⟨u, t⟩ = Re Σ u·t under which the pullback is the transpose of the pushforward."""
    return float(sum(np.sum(np.real(u * t), dtype=float) for u, t in zip(us, ts, strict=True)))


def _check_reverse(p: _Problem, out: list[Any], ts: list[Any], us: list[Any], modes: tuple[str, ...], eps: Any) -> None:
    value, pullback = vjp(lambda *xs: p(xs), *p.leaves)
    cts = pullback(us)
    for i, (v, y) in enumerate(zip(value, out, strict=True)):
        _assert_close(p, v, y, f"value under vjp, output leaf {i}")
    for ct, x, name in zip(cts, p.leaves, p.names, strict=True):
        if np.shape(ct) != np.shape(x) or ct.dtype != dtype_of(x):
            raise AssertionError(
                f"check_grads: {p.label}: reverse mode, {name}: cotangent of shape {np.shape(ct)} and dtype "
                f"{ct.dtype}, expected {np.shape(x)} and {dtype_of(x)}"
            )
    forward = _push(p, ts, modes, eps)
    against = "forward mode" if "fwd" in modes else "differences"
    left, right = _pair(us, forward), _pair(cts, ts)
    scale = sum(float(np.sum(np.abs(u * f))) for u, f in zip(us, forward, strict=True)) + abs(right)
    tolerance = max(p.rtol * 1e-2, 1e-9) if "fwd" in modes else p.rtol
    if not abs(left - right) <= p.atol + tolerance * scale:
        _locate_reverse(p, us, cts, modes, eps)
        raise AssertionError(
            f"check_grads: {p.label}: reverse mode against {against}: ⟨u, Jt⟩ = {left}, ⟨Jᵀu, t⟩ = {right}"
        )


def _locate_reverse(p: _Problem, us: list[Any], cts: Sequence[Any], modes: tuple[str, ...], eps: Any) -> None:
    """Compare the cotangent element by element with forward mode or differences, to name the one that disagrees."""
    against = "forward mode gives" if "fwd" in modes else "differences give"
    for k, x in enumerate(p.leaves):
        for at in np.ndindex(np.shape(x)):
            ts = [_one_hot(y, at) if j == k else _zero(y) for j, y in enumerate(p.leaves)]
            want = _pair(us, _push(p, ts, modes, eps))
            have = float(np.real(np.asarray(cts[k])[at]))
            if not abs(want - have) <= p.atol + p.rtol * max(abs(want), abs(have)):
                raise AssertionError(
                    f"check_grads: {p.label}: reverse mode, {p.names[k]} element {list(at)}: got {have}, "
                    f"but {against} {want}"
                )


def _zero(x: Any) -> Any:
    return np.zeros_like(x) if isinstance(x, np.ndarray) else dtype_of(x).type(0)


def _check_batched(p: _Problem, ts: list[Any], us: list[Any], modes: tuple[str, ...]) -> None:
    # Lanes differ by a common factor, which keeps triangles, symmetry and definiteness as they are. Python scalars
    # beside arrays are shared, because as a batch they would take part in deciding dtypes.
    shared = [is_weak(x) and not all(map(is_weak, p.leaves)) for x in p.leaves]
    axes = tuple(None if s else 0 for s in shared)
    scales = [1.0, 1.0 + 2.0**-6, 1.0 - 2.0**-6]
    lanes = [
        [x] * 3 if s else [np.asarray(x * c, dtype_of(x)) for c in scales]
        for x, s in zip(p.leaves, shared, strict=True)
    ]
    stacked = [x if s else np.stack(xs) for x, xs, s in zip(p.leaves, lanes, shared, strict=True)]
    cases: list[tuple[str, Callable[..., Any]]] = [("the function", lambda *xs: p(xs))]
    if "fwd" in modes:
        cases.append(
            (
                "jvp",
                lambda *xs: jvp(
                    lambda *ys: p(ys), xs, tuple(t if s else np.asarray(t) for t, s in zip(ts, shared, strict=True))
                )[1],
            )
        )
    if "rev" in modes:
        cases.append(("vjp", lambda *xs: vjp(lambda *ys: p(ys), *xs)[1]([np.asarray(u) for u in us])))
    for what, fun in cases:
        together = tree.leaves(vmap(fun, in_axes=axes)(*stacked))
        for k in range(_LANES):
            alone = tree.leaves(fun(*[x[k] for x in lanes]))
            for i, (a, b) in enumerate(zip(together, alone, strict=True)):
                _assert_close(
                    p, a[k], b, f"vmap of {what} against a loop, lane {k}, leaf {i}", rtol=max(p.rtol * 1e-2, 1e-9)
                )
