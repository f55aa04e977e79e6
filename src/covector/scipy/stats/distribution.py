"""What all distributions share: reading the arguments as SciPy does, the support, and frozen forms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ...core.dispatch import as_operand
from ...core.errors import NotDifferentiableError, caller
from ...core.tracer import Tracer
from ...core.values import dtype_of
from ...transforms.stop_gradient import stop_gradient

__all__ = ["Continuous", "Discrete", "Frozen", "any_traced", "number"]

Formula = Callable[..., Any]
_LIMITS = {"pdf": (0.0, 0.0), "logpdf": (-math.inf, -math.inf), "cdf": (0.0, 1.0), "logcdf": (-math.inf, 0.0)}
_LIMITS |= {"sf": (1.0, 0.0), "logsf": (0.0, -math.inf), "pmf": (0.0, 0.0), "logpmf": (-math.inf, -math.inf)}


def any_traced(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether one of the arguments is a traced value."""
    return any(isinstance(x, Tracer) for x in args) or any(isinstance(x, Tracer) for x in kwargs.values())


def number(x: Any, function: str) -> Any:
    """Return an argument in double precision, in which SciPy's distributions compute and answer."""
    x = as_operand(x, function)
    if dtype_of(x).kind == "c":
        raise TypeError(f"{function} takes real arguments, got one of dtype {dtype_of(x)}")
    return x if dtype_of(x) == np.float64 else x.astype(np.float64) if hasattr(x, "astype") else float(x)


class Frozen:
    """A distribution with its parameters given.

    Parameters
    ----------
    distribution : object
        The distribution.
    args, kwargs : tuple, dict
        Its parameters.
    """

    def __init__(self, distribution: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.dist = distribution
        self.args = args
        self.kwds = kwargs

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self.dist.methods:
            method = getattr(self.dist, name)
            if name == "entropy":
                return lambda: method(*self.args, **self.kwds)
            return lambda x: method(x, *self.args, **self.kwds)
        if any_traced(self.args, self.kwds):
            raise self.dist.refusal(name)
        return getattr(self.dist.scipy(*self.args, **self.kwds), name)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *self.dist.methods})


class Adapter:
    """What stands for a distribution of SciPy's: methods without derivatives of our own are SciPy's on plain values."""

    name: str
    methods: tuple[str, ...]

    @property
    def scipy(self) -> Any:
        """SciPy's distribution of the same name."""
        return getattr(import_module("scipy.stats"), self.name)

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """Return the distribution with its parameters given."""
        return Frozen(self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in dir(self.scipy):
            raise AttributeError(f"scipy.stats.{self.name} has no attribute {name!r}")
        theirs = getattr(self.scipy, name)
        if not callable(theirs):
            return theirs

        def call(*args: Any, **kwargs: Any) -> Any:
            if any_traced(args, kwargs):
                raise self.refusal(name)
            return theirs(*args, **kwargs)

        return call

    def __repr__(self) -> str:
        return f"covector.scipy.stats.{self.name}"

    def refusal(self, method: str) -> NotDifferentiableError:
        """The error for a method without derivatives."""
        return NotDifferentiableError(
            f"scipy.stats.{self.name}.{method} of a traced value has no derivative rule (at {caller()}); "
            f"those with one are {', '.join(self.methods)}"
        )


class _Distribution(Adapter):
    """What continuous and discrete distributions share."""

    methods: tuple[str, ...] = ()

    def __init__(
        self, name: str, shapes: Sequence[str], valid: Formula, support: Formula, formulas: dict[str, Formula]
    ) -> None:
        self.name = name
        self.shapes = tuple(shapes)
        self._valid = valid
        self._support = support
        self._formulas = formulas

    def _arguments(self, method: str, names: Sequence[str], args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
        """Bind arguments to names as SciPy does: shapes are required, ``loc`` and ``scale`` are 0 and 1."""
        function = f"scipy.stats.{self.name}.{method}"
        if len(args) > len(names):
            raise TypeError(f"{function}() takes at most {len(names)} arguments ({', '.join(names)}), got {len(args)}")
        given = dict(zip(names, args, strict=False))
        for key, value in kwargs.items():
            if key not in names:
                raise TypeError(f"{function}() got an unexpected keyword argument {key!r}; it takes {', '.join(names)}")
            if key in given:
                raise TypeError(f"{function}() got multiple values for argument {key!r}")
            given[key] = value
        missing = [key for key in names if key not in given and key not in ("loc", "scale")]
        if missing:
            raise TypeError(f"{function}() is missing the argument {missing[0]!r}")
        values = {"loc": 0.0, "scale": 1.0} | given
        return [number(values[key], function) for key in names]

    def _formula(self, method: str) -> Formula:
        found = self._formulas
        if method in found:
            return found[method]
        if method in ("pdf", "pmf"):
            density = found["log" + method]
            return lambda *args: np.exp(density(*args))
        if method in ("logcdf", "logsf"):
            probability = self._formula(method[3:])
            return lambda *args: np.log(probability(*args))
        if method == "sf":
            below = found["cdf"]
            return lambda *args: 1 - below(*args)
        raise self.refusal(method)

    def _bounded(
        self, method: str, y: Any, shapes: Sequence[Any], ok: Any, *, exclude: Any = None, scale: Any = None
    ) -> Any:
        """Evaluate the formula inside the support, constants outside of it, and NaN for invalid parameters.

        The formula never sees a point outside of its domain, so that derivatives there are zero. A density is divided
        by `scale`.
        """
        shapes = [np.where(ok, s, 1.0) for s in shapes]
        low, high, point = self._support(*shapes)
        below, above = _LIMITS[method]
        if method.endswith(("pdf", "pmf")):
            outside = np.logical_or(np.less(y, low), np.greater(y, high))
        elif isinstance(self, Discrete):
            outside = np.logical_or(np.less(y, low), np.greater_equal(y, high))
        else:
            outside = np.logical_or(np.less_equal(y, low), np.greater_equal(y, high))
        outside = np.logical_or(outside, np.logical_not(np.isfinite(y)))
        if exclude is not None:
            outside = np.logical_or(outside, exclude)
        value = self._formula(method)(np.where(outside, point, y), *shapes)
        if scale is not None:
            value = value - np.log(scale) if method == "logpdf" else value / scale
        limit = np.where(np.greater_equal(y, high), above, below) if below != above else below
        return np.where(np.logical_and(ok, np.logical_not(np.isnan(y))), np.where(outside, limit, value), math.nan)


class Continuous(_Distribution):
    """A continuous distribution with the methods of SciPy's, differentiable in `x`, shapes, ``loc`` and ``scale``.

    Parameters
    ----------
    name : str
        SciPy's name.
    shapes : sequence of str
        Names of the shape parameters.
    valid : callable
        ``valid(*shapes)``: where they are admissible.
    support : callable
        ``support(*shapes)``: lower end, upper end and a point between them, of the standard distribution.
    formulas : dict
        ``formula(y, *shapes)`` of the standard distribution by method.

    Notes
    -----
    At ends of the support and outside, derivatives are those of the constant that the function is there.

    Examples
    --------
    >>> import covector as cv
    >>> from covector.scipy.stats import norm
    >>> float(cv.grad(lambda mean: norm.logpdf(1.0, mean, 2.0))(0.0))
    0.25
    """

    methods = ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf")

    def _evaluate(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not any_traced(args, kwargs):
            return getattr(self.scipy, method)(*args, **kwargs)
        inverse = method in ("ppf", "isf")
        names = ("q" if inverse else "x", *self.shapes, "loc", "scale")
        x, *shapes, loc, scale = self._arguments(method, names, args, kwargs)
        with np.errstate(all="ignore"):
            ok = np.logical_and(np.greater(scale, 0), self._valid(*shapes))
            if inverse:
                return self._inverse(method, x, shapes, ok) * scale + loc
            positive = np.where(np.greater(scale, 0), scale, 1.0)
            y = (x - loc) / positive
            return self._bounded(method, y, shapes, ok, scale=positive if method.endswith("pdf") else None)

    def _inverse(self, method: str, q: Any, shapes: Sequence[Any], ok: Any) -> Any:
        shapes = [np.where(ok, s, 1.0) for s in shapes]
        low, high, _ = self._support(*shapes)
        first, last = (low, high) if method == "ppf" else (high, low)
        inside = np.logical_and(np.greater(q, 0), np.less(q, 1))
        value = self._formula(method)(np.where(inside, q, 0.5), *shapes)
        value = np.where(inside, value, np.where(np.equal(q, 0), first, last))
        good = np.logical_and(ok, np.logical_and(np.greater_equal(q, 0), np.less_equal(q, 1)))
        return np.where(good, value, math.nan)

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the density at `x`."""
        return self._evaluate("pdf", (x, *args), kwargs)

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the logarithm of the density at `x`."""
        return self._evaluate("logpdf", (x, *args), kwargs)

    def cdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the probability of values up to `x`."""
        return self._evaluate("cdf", (x, *args), kwargs)

    def logcdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the logarithm of the probability of values up to `x`."""
        return self._evaluate("logcdf", (x, *args), kwargs)

    def sf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the probability of values above `x`."""
        return self._evaluate("sf", (x, *args), kwargs)

    def logsf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the logarithm of the probability of values above `x`."""
        return self._evaluate("logsf", (x, *args), kwargs)

    def ppf(self, q: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the value below which the probability is `q`."""
        return self._evaluate("ppf", (q, *args), kwargs)

    def isf(self, q: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the value above which the probability is `q`."""
        return self._evaluate("isf", (q, *args), kwargs)


class Discrete(_Distribution):
    """A discrete distribution with the methods of SciPy's, differentiable in its continuous parameters.

    Parameters
    ----------
    name, shapes, valid, support, formulas
        As of `Continuous`.

    Notes
    -----
    Where the count and ``loc`` are traced their derivative is zero.

    Examples
    --------
    >>> import covector as cv
    >>> from covector.scipy.stats import poisson
    >>> float(cv.grad(lambda mu: poisson.logpmf(3, mu))(2.0))
    0.5
    """

    methods = ("pmf", "logpmf", "cdf", "logcdf", "sf", "logsf")

    def _evaluate(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not any_traced(args, kwargs):
            return getattr(self.scipy, method)(*args, **kwargs)
        k, *shapes, loc = self._arguments(method, ("k", *self.shapes, "loc"), args, kwargs)
        k = stop_gradient(k - loc)
        with np.errstate(all="ignore"):
            whole = np.floor(k)
            exclude = np.not_equal(whole, k) if method.endswith("pmf") else None
            ok = self._valid(*shapes)
            if exclude is not None:
                return self._bounded(method, k, shapes, ok, exclude=exclude)
            # The distribution function is a step function, right-continuous: it is 0 below the first value only.
            return self._bounded(method, np.where(np.isnan(k), k, whole), shapes, ok)

    def pmf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the probability of `k`."""
        return self._evaluate("pmf", (k, *args), kwargs)

    def logpmf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the logarithm of the probability of `k`."""
        return self._evaluate("logpmf", (k, *args), kwargs)

    def cdf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the probability of values up to `k`."""
        return self._evaluate("cdf", (k, *args), kwargs)

    def logcdf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the logarithm of the probability of values up to `k`."""
        return self._evaluate("logcdf", (k, *args), kwargs)

    def sf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the probability of values above `k`."""
        return self._evaluate("sf", (k, *args), kwargs)

    def logsf(self, k: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the logarithm of the probability of values above `k`."""
        return self._evaluate("logsf", (k, *args), kwargs)
