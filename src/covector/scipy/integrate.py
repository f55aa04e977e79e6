"""`scipy.integrate`, with exact Jacobians for the solvers of stiff equations.

`solve_ivp` is SciPy's, which gets the Jacobian of the right-hand side from covector where it would approximate it by
differences. Names that are not listed here are SciPy's. For derivatives of solutions see `covector.odeint`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..compiler.jit import jit
from ..core import tree
from ..core.tracer import Tracer
from ..core.values import is_plain
from ..numpy.conversion import asarray
from ..transforms.arguments import fun_name
from ..transforms.jacobian import jacfwd
from ..transforms.jvp import jvp
from ..transforms.vmap import vmap

__all__ = ["solve_ivp"]

_STIFF = ("Radau", "BDF", "LSODA")


def solve_ivp(
    fun: Callable[..., Any],
    t_span: Any,
    y0: Any,
    method: Any = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: Any = None,
    vectorized: bool = False,
    args: Any = None,
    **options: Any,
) -> Any:
    """Solve an initial value problem by SciPy, with the exact Jacobian where the method wants one.

    Parameters
    ----------
    fun : callable
        ``fun(t, y, *args)``: the right-hand side. For the methods below it must be made of NumPy functions, so that it
        can be differentiated; it may return a list, as for SciPy.
    t_span, y0, method, t_eval, dense_output, events, vectorized, args
        As in `scipy.integrate.solve_ivp`.
    **options
        As there. For ``"Radau"``, ``"BDF"`` and ``"LSODA"``, by name or class, ``jac`` defaults to the derivative of
        `fun` in y, compiled by `covector.jit`. It is left alone if it is given, and if ``jac_sparsity`` is, which asks
        for differences by groups of columns. With ``lband`` and ``uband`` only the band is computed.

    Returns
    -------
    scipy.integrate.OdeResult
        What SciPy returns.

    Raises
    ------
    TypeError
        An argument is traced: SciPy's solvers have no derivatives. Use `covector.odeint`.

    Notes
    -----
    Cost of a Jacobian: as many forward derivatives as there are components (or as the band is wide), in one compiled
    call. The function is compiled at its first Jacobian, and again only for another function.

    Examples
    --------
    >>> import numpy as np
    >>> from covector.scipy.integrate import solve_ivp
    >>> def van_der_pol(t, y, mu):
    ...     return [y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]]
    >>> result = solve_ivp(van_der_pol, (0, 500), [2.0, 0.0], method="Radau", args=(1000.0,))
    >>> result.y[0, -1].round(2), result.success
    (np.float64(1.6), True)
    """
    given = tree.leaves((t_span, y0, t_eval, args, options))
    if any(isinstance(x, Tracer) for x in given):
        raise TypeError(
            "covector.scipy.integrate.solve_ivp was given a traced value, but SciPy's solvers have no derivatives; use "
            "covector.odeint(func, y0, t, *args), where func takes y first"
        )
    if _wants_jacobian(method) and options.get("jac") is None and options.get("jac_sparsity") is None:
        band = (options.get("lband"), options.get("uband"))
        options["jac"] = _Jacobian(fun, vectorized, None if band == (None, None) else band, method)
    solve = import_module("scipy.integrate").solve_ivp
    return solve(fun, t_span, y0, method, t_eval, dense_output, events, vectorized, args, **options)


def _wants_jacobian(method: Any) -> bool:
    if isinstance(method, str):
        return method in _STIFF
    theirs = import_module("scipy.integrate")
    return isinstance(method, type) and issubclass(method, tuple(getattr(theirs, name) for name in _STIFF))


class _Jacobian:
    """The derivative of the right-hand side, ``jac(t, y, *args)`` as SciPy calls it."""

    def __init__(self, fun: Any, vectorized: bool, band: Any, method: Any) -> None:
        self.fun = fun
        self.method = method if isinstance(method, str) else method.__name__
        self.options = (vectorized, band)

    def __call__(self, t: Any, y: Any, *args: Any) -> Any:
        try:
            try:
                compiled = _known(self.fun, *self.options)
            except TypeError:  # a function that cannot be hashed
                compiled = _compiled(self.fun, *self.options)
            if all(is_plain(x) for x in tree.leaves(args)):
                return compiled(t, y, *args)
            return _jacobian(self.fun, *self.options)(t, y, *args)
        except Exception as error:
            error.add_note(
                f"covector.scipy.integrate.solve_ivp differentiated {fun_name(self.fun)} for the method {self.method}; "
                f"pass jac=..., or call scipy.integrate.solve_ivp, which approximates by differences"
            )
            raise


def _jacobian(fun: Any, vectorized: bool, band: Any) -> Callable[..., Any]:
    def slope(y: Any, t: Any, *args: Any) -> Any:
        # SciPy, too, takes whatever can be made an array of one component per equation.
        out = asarray(fun(t, y[:, None] if vectorized else y, *args))
        return np.ravel(out).astype(y.dtype)

    def dense(t: Any, y: Any, *args: Any) -> Any:
        return jacfwd(slope, holomorphic=y.dtype.kind == "c")(y, t, *args)

    def banded(t: Any, y: Any, *args: Any) -> Any:
        # Columns as far apart as the band is wide share no row (Curtis, Powell & Reid 1974).
        lower, upper = (b or 0 for b in band)
        width, n = min(lower + upper + 1, y.size), y.size
        columns = np.arange(n)
        seeds = np.zeros((width, n), y.dtype)
        seeds[columns % width, columns] = 1
        products = vmap(lambda seed: jvp(lambda y: slope(y, t, *args), (y,), (seed,))[1])(seeds)
        rows = columns + np.arange(-upper, lower + 1)[:, None]
        inside = (rows >= 0) & (rows < n)
        return np.where(inside, products[columns % width, np.clip(rows, 0, n - 1)], 0)

    return dense if band is None else banded


def _compiled(fun: Any, vectorized: bool, band: Any) -> Callable[..., Any]:
    return jit(_jacobian(fun, vectorized, band))


_known = lru_cache(maxsize=64)(_compiled)


if not TYPE_CHECKING:  # else every misspelt name would pass

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("scipy.integrate"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(import_module("scipy.integrate"))} - {"Any", "TYPE_CHECKING", "import_module"})
