"""`scipy.special` with derivatives: every name of it is here.

Its ufuncs find their derivatives by themselves, so those and everything else without traced arguments are SciPy's own;
defined here are the plain Python functions that would convert a traced argument to an array.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.dispatch import as_operand
from ..core.errors import NotDifferentiableError, caller
from ..core.tracer import Tracer, concrete
from ..core.values import dtype_of, shape_of
from ..transforms.stop_gradient import stop_gradient
from .adapter import adapts
from .harmonics import sph_harm_y

__all__ = [
    "comb", "factorial", "log_softmax", "logsumexp", "multigammaln", "perm", "polygamma", "softmax", "softplus",
    "sph_harm_y",
]  # fmt: skip

_SPECIAL = "scipy.special"


def _floating(x: Any, function: str) -> Any:
    x = as_operand(x, function)
    return x if dtype_of(x).kind in "fc" else x * 1.0


def _finite(x: Any) -> Any:
    return np.where(np.isfinite(x), x, 0)


@adapts(_SPECIAL)
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """Logarithm of the sum of exponentials, log Σ b exp(a), without overflow.

    Parameters
    ----------
    a : array_like
        Exponents, real or complex.
    axis : None, int or tuple of ints, optional
        Axes of the sum; all by default.
    b : array_like, optional
        Factors of the exponentials, broadcastable to `a`; may be zero or negative.
    keepdims : bool, default False
        Whether the summed axes stay, with length one.
    return_sign : bool, default False
        Whether to return the sign (for complex results the phase) too, and the logarithm of the absolute value.

    Returns
    -------
    res : ndarray or scalar
        NaN where the sum is negative and `return_sign` is false.
    sgn : ndarray or scalar
        If `return_sign` is true.

    Notes
    -----
    The derivative with respect to `a` is the softmax, b exp(a - res); where all exponents are -inf it is 0.

    Examples
    --------
    >>> import numpy as np, covector as cv
    >>> from covector.scipy.special import logsumexp
    >>> cv.grad(logsumexp)(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    a = np.atleast_1d(_floating(a, "scipy.special.logsumexp"))
    with np.errstate(all="ignore"):
        if b is not None:
            b = as_operand(b, "scipy.special.logsumexp")
            shape = np.broadcast_shapes(shape_of(a), shape_of(b))
            a = a if shape_of(a) == shape else np.broadcast_to(a, shape)
            # Whatever the exponent, a factor of zero removes it; where it is moderate the derivative in b stays.
            counted = np.where(np.equal(b, 0), -np.inf, np.real(a))
        else:
            counted = np.real(a)
        shift = stop_gradient(_finite(np.max(counted, axis=axis, keepdims=True, initial=-np.inf)))
        if b is not None:
            harmless = np.less(np.real(a) - shift, 700 if dtype_of(a).itemsize > 4 else 80)
            a = np.where(np.logical_and(np.equal(b, 0), np.logical_not(harmless)), -np.inf, a)
        terms = np.exp(a - shift)
        total = np.sum(terms if b is None else terms * b, axis=axis, keepdims=True)
        zero = np.equal(total, 0)
        safe = np.where(zero, 1, total)
        sign: Any = None
        if return_sign:
            size = np.absolute(safe)
            sign = np.sign(total) if dtype_of(total).kind == "f" else np.where(zero, 0, safe / size)
            safe = size
        out = np.where(zero, -np.inf, np.log(safe)) + shift
    out, sign = _without(out, axis, keepdims), _without(sign, axis, keepdims)
    return (out, sign) if return_sign else out


def _without(x: Any, axis: Any, keepdims: bool) -> Any:
    return x if keepdims or x is None else np.squeeze(x, axis=tuple(range(len(x.shape))) if axis is None else axis)


@adapts(_SPECIAL)
def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / Σ exp(x) without overflow.

    Parameters
    ----------
    x : array_like
        Logarithms of the weights.
    axis : int or tuple of ints, optional
        Axes of the sum; all by default.

    Returns
    -------
    s : ndarray
        Of the shape of `x`, with sum 1 over the axes.

    Examples
    --------
    >>> import numpy as np, covector as cv
    >>> from covector.scipy.special import softmax
    >>> cv.jacrev(softmax)(np.zeros(2))
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    x = _floating(x, "scipy.special.softmax")
    terms = np.exp(x - stop_gradient(np.max(x, axis=axis, keepdims=True)))
    return terms / np.sum(terms, axis=axis, keepdims=True)


@adapts(_SPECIAL)
def log_softmax(x: Any, axis: Any = None) -> Any:
    """log(softmax(x)), accurate also where the softmax is close to 0 or 1.

    Parameters
    ----------
    x : array_like
        Logarithms of the weights.
    axis : int or tuple of ints, optional
        Axes of the sum; all by default.

    Returns
    -------
    s : ndarray
        Of the shape of `x`.

    Examples
    --------
    >>> import numpy as np, covector as cv
    >>> from covector.scipy.special import log_softmax
    >>> cv.grad(lambda x: log_softmax(x)[0])(np.array([0.0, 1000.0]))
    array([ 1., -1.])
    """
    x = _floating(x, "scipy.special.log_softmax")
    with np.errstate(divide="ignore"):
        shifted = x - stop_gradient(_finite(np.max(x, axis=axis, keepdims=True)))
        return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@adapts(_SPECIAL)
def softplus(x: Any, **kwargs: Any) -> Any:
    """log(1 + exp(x)).

    Parameters
    ----------
    x : array_like
        Where to evaluate.
    **kwargs
        Options of ufuncs.

    Returns
    -------
    y : ndarray
        Of the shape of `x`; its derivative is `expit`.

    Examples
    --------
    >>> import covector as cv
    >>> from covector.scipy.special import softplus
    >>> float(cv.grad(softplus)(0.0))
    0.5
    """
    return np.logaddexp(0, x, **kwargs)


@adapts(_SPECIAL)
def multigammaln(a: Any, d: Any) -> Any:
    """Logarithm of the multivariate gamma function, log π^(d(d-1)/4) + Σⱼ log Γ(a - (j-1)/2).

    Parameters
    ----------
    a : array_like
        Real, greater than (d-1)/2.
    d : int
        Dimension of the space of integration.

    Returns
    -------
    res : ndarray
        Of the shape of `a`.

    Examples
    --------
    >>> import covector as cv
    >>> from covector.scipy.special import digamma, multigammaln
    >>> bool(abs(cv.grad(multigammaln)(3.0, 2) - digamma(3.0) - digamma(2.5)) < 1e-14)
    True

    References
    ----------
    R. J. Muirhead, Aspects of Multivariate Statistical Theory, 1982, theorem 2.1.12.
    """
    a = as_operand(a, "scipy.special.multigammaln")
    if isinstance(d, Tracer) or np.ndim(d) or np.floor(d) != d:
        raise ValueError("d should be a positive integer (dimension)")
    value = concrete(a)
    if value is not None and np.any(np.less_equal(value, 0.5 * (d - 1))):
        raise ValueError(f"condition a ({value}) > 0.5 * (d-1) ({0.5 * (d - 1)}) not met")
    gammaln = _special("gammaln")
    return sum(gammaln(a - 0.5 * j) for j in range(int(d))) + d * (d - 1) * 0.25 * math.log(math.pi)


@adapts(_SPECIAL)
def polygamma(n: Any, x: Any) -> Any:
    """Derivative of order `n` of the digamma function.

    Parameters
    ----------
    n : array_like of int
        Orders, not traced.
    x : array_like
        Real arguments.

    Returns
    -------
    y : ndarray
        ψ⁽ⁿ⁾(x); its derivative is ψ⁽ⁿ⁺¹⁾(x).

    Examples
    --------
    >>> import covector as cv
    >>> from covector.scipy.special import polygamma
    >>> bool(abs(cv.grad(lambda x: polygamma(0, x))(1.0) - polygamma(1, 1.0)) < 1e-14)
    True

    References
    ----------
    NIST Digital Library of Mathematical Functions, 5.15 and 25.11.12.
    """
    if isinstance(n, Tracer):
        raise NotDifferentiableError(
            f"scipy.special.polygamma at {caller()}: the order n must not be traced, only x has a derivative; "
            f"pass n as a plain number"
        )
    from ..ops.special.gamma import polygamma as of_order

    n, x = np.asarray(n), _floating(x, "scipy.special.polygamma")
    digamma = _special("psi")(x)
    if not n.any():
        shape = np.broadcast_shapes(n.shape, shape_of(x))
        return digamma if shape_of(digamma) == shape else np.broadcast_to(digamma, shape)
    if n.all():
        return of_order(n if n.ndim else int(n), x)
    return np.where(n == 0, digamma, of_order(np.where(n == 0, 1, n), x))


def _inexact(function: str, exact: bool) -> None:
    if exact:
        raise NotDifferentiableError(
            f"scipy.special.{function}(..., exact=True) of a traced value at {caller()} computes with integers, which "
            f"have no derivative; leave out exact"
        )


def _special(name: str) -> Any:
    return getattr(import_module(_SPECIAL), name)


@adapts(_SPECIAL)
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """Number of combinations of `N` things taken `k` at a time, continued to real arguments.

    Parameters
    ----------
    N, k : array_like
        Numbers of things and of elements taken.
    exact : bool, default False
        Only for arguments that are not traced: whether to compute with integers.
    repetition : bool, default False
        Whether things may be taken repeatedly.

    Returns
    -------
    val : ndarray
        0 where k > N, N < 0 or k < 0.

    Examples
    --------
    >>> import covector as cv
    >>> from covector.scipy.special import comb
    >>> round(float(cv.grad(lambda n: comb(n, 2))(5.0)), 10)
    4.5
    """
    _inexact("comb", exact)
    N, k = as_operand(N, "scipy.special.comb"), as_operand(k, "scipy.special.comb")
    if repetition:
        value = _special("binom")(N + k - 1, k)
        return np.where(np.logical_and(np.equal(k, 0), np.greater_equal(N, 0)), 1.0, value)
    return np.where(_countable(N, k), _special("binom")(N, k), 0.0)


@adapts(_SPECIAL)
def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """Number of permutations of `N` things taken `k` at a time, continued to real arguments.

    Parameters
    ----------
    N, k : array_like
        Numbers of things and of elements taken.
    exact : bool, default False
        Only for arguments that are not traced: whether to compute with integers.

    Returns
    -------
    val : ndarray
        0 where k > N, N < 0 or k < 0.

    Examples
    --------
    >>> import covector as cv
    >>> from covector.scipy.special import perm
    >>> round(float(cv.grad(lambda n: perm(n, 2))(5.0)), 10)
    9.0
    """
    _inexact("perm", exact)
    N, k = as_operand(N, "scipy.special.perm"), as_operand(k, "scipy.special.perm")
    return np.where(_countable(N, k), _special("poch")(N - k + 1, k), 0.0)


def _countable(N: Any, k: Any) -> Any:
    return np.logical_and(np.less_equal(k, N), np.logical_and(np.greater_equal(N, 0), np.greater_equal(k, 0)))


@adapts(_SPECIAL)
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """The factorial, continued to real arguments by Γ(n + 1).

    Parameters
    ----------
    n : array_like
        Where to evaluate.
    exact : bool, default False
        Only for arguments that are not traced: whether to compute with integers.
    extend : {"zero", "complex"}, default "zero"
        Whether the value at negative arguments is 0 or that of the gamma function.

    Returns
    -------
    val : ndarray
        Of the shape of `n`.

    Examples
    --------
    >>> import covector as cv
    >>> from covector.scipy.special import factorial
    >>> round(float(cv.grad(factorial)(1.0)), 10)
    0.4227843351
    """
    _inexact("factorial", exact)
    if extend not in ("zero", "complex"):
        raise ValueError(f"argument `extend` must be either 'zero' or 'complex', received: {extend}")
    n = _floating(n, "scipy.special.factorial")
    value = _special("gamma")(n + 1)
    return value if extend == "complex" else np.where(np.greater_equal(n, 0), value, 0)


if not TYPE_CHECKING:  # else every misspelt name would pass

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_SPECIAL), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *dir(import_module(_SPECIAL))})
