"""The Dirichlet and multivariate normal distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.errors import NotDifferentiableError, caller
from ...core.tracer import concrete
from ...core.values import shape_of
from ...ops.special.ufuncs import sc
from .distribution import Adapter, any_traced, number

__all__ = ["dirichlet", "multivariate_normal"]


class _Multivariate(Adapter):
    """A distribution of vectors; `names` are its parameters in order."""

    name = ""
    names: tuple[str, ...] = ()
    methods = ("pdf", "logpdf", "entropy")

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the density at `x`."""
        if not (any_traced((x, *args), kwargs)):
            return self.scipy.pdf(x, *args, **kwargs)
        return np.exp(self._logpdf("pdf", x, *args, **kwargs))

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the logarithm of the density at `x`."""
        if not (any_traced((x, *args), kwargs)):
            return self.scipy.logpdf(x, *args, **kwargs)
        return self._logpdf("logpdf", x, *args, **kwargs)

    def entropy(self, *args: Any, **kwargs: Any) -> Any:
        """Return the differential entropy."""
        if not any_traced(args, kwargs):
            return self.scipy.entropy(*args, **kwargs)
        return self._entropy(*args, **kwargs)

    def _logpdf(self, method: str, x: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def _entropy(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class _Dirichlet(_Multivariate):
    """The Dirichlet distribution, differentiable in the point `x` and in `alpha`.

    Examples
    --------
    >>> import numpy as np, covector as cv
    >>> from covector.scipy.stats import dirichlet
    >>> x = np.array([0.2, 0.8])
    >>> cv.grad(lambda alpha: dirichlet.logpdf(x, alpha))(np.array([1.0, 1.0])).round(4)
    array([-0.6094,  0.7769])
    """

    name = "dirichlet"

    def _logpdf(self, method: str, x: Any, alpha: Any) -> Any:
        function = f"scipy.stats.dirichlet.{method}"
        x, alpha = number(x, function), number(alpha, function)
        if len(shape_of(alpha)) != 1:
            raise ValueError(f"{function}: alpha must be one-dimensional, got shape {shape_of(alpha)}")
        count = shape_of(alpha)[0]
        rows = shape_of(x)[0] if shape_of(x) else 0
        if rows not in (count, count - 1) or not rows:
            raise ValueError(
                f"{function}: the first axis of x must have the length of alpha, {count}, or one less; "
                f"got x of shape {shape_of(x)}"
            )
        if rows == count - 1:
            x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
        self._check(function, concrete(x), concrete(alpha))
        alpha = alpha.reshape((count,) + (1,) * (len(shape_of(x)) - 1))
        with np.errstate(all="ignore"):
            log_beta = np.sum(sc.gammaln(alpha)) - sc.gammaln(np.sum(alpha))
            return np.sum(sc.xlogy(alpha - 1, x), axis=0) - log_beta

    def _entropy(self, alpha: Any) -> Any:
        alpha = number(alpha, "scipy.stats.dirichlet.entropy")
        total = np.sum(alpha)
        log_beta = np.sum(sc.gammaln(alpha)) - sc.gammaln(total)
        count = shape_of(alpha)[0]
        return log_beta + (total - count) * sc.psi(total) - np.sum((alpha - 1) * sc.psi(alpha))

    @staticmethod
    def _check(function: str, x: Any, alpha: Any) -> None:
        """Refuse what SciPy refuses, where the values are known."""
        if alpha is not None and not np.min(alpha) > 0:
            raise ValueError(f"{function}: all parameters must be greater than 0")
        if x is None:
            return
        if np.min(x) < 0 or np.max(x) > 1:
            raise ValueError(f"{function}: each entry of x must be between 0 and 1")
        if alpha is not None and np.ndim(alpha) == 1:
            zero = np.equal(x, 0) & np.reshape(np.less(alpha, 1), (-1,) + (1,) * (np.ndim(x) - 1))
            if np.ndim(x) and len(x) == len(alpha) and zero.any():
                raise ValueError(f"{function}: each entry of x must be greater than zero if its alpha is less than one")
            if len(x) == len(alpha) and np.any(np.abs(np.sum(x, 0) - 1) > 1e-9):
                raise ValueError(f"{function}: the columns of x must sum to 1")


class _MultivariateNormal(_Multivariate):
    """The multivariate normal distribution, differentiable in the point `x`, `mean` and `cov`.

    The covariance must be positive definite; its Cholesky factor is used, which reads the lower triangle, so the
    derivative with respect to the other triangle is zero.

    Examples
    --------
    >>> import numpy as np, covector as cv
    >>> from covector.scipy.stats import multivariate_normal
    >>> x = np.array([1.0, 2.0])
    >>> cv.grad(lambda mean: multivariate_normal.logpdf(x, mean, 4.0))(np.zeros(2))
    array([0.25, 0.5 ])
    """

    name = "multivariate_normal"

    def _logpdf(self, method: str, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        function = f"scipy.stats.multivariate_normal.{method}"
        if allow_singular:
            raise NotDifferentiableError(
                f"{function}(..., allow_singular=True) of a traced value at {caller()} is not supported, because the "
                f"rank of the covariance is not a smooth function of it; add a small multiple of the identity instead"
            )
        x, mean, cov = _parameters(function, x, mean, cov)
        dim = shape_of(mean)[0]
        factor = np.linalg.cholesky(cov)
        shape = np.broadcast_shapes(shape_of(x), (dim,))
        deviation = np.broadcast_to(x - mean, shape).reshape((math.prod(shape[:-1]), dim))
        white = np.linalg.solve(factor, deviation.T)
        log_det = 2 * np.sum(np.log(np.diagonal(factor)))
        value = -0.5 * (dim * math.log(2 * math.pi) + log_det + np.sum(white * white, axis=0))
        # Like SciPy's, the result of a single point, or of a single column of numbers, is a number.
        return value[0] if shape[:-1] in ((), (1,)) else value.reshape(shape[:-1])

    def _entropy(self, mean: Any = None, cov: Any = 1) -> Any:
        _, mean, cov = _parameters("scipy.stats.multivariate_normal.entropy", 0.0, mean, cov)
        dim = shape_of(mean)[0]
        log_det = 2 * np.sum(np.log(np.diagonal(np.linalg.cholesky(cov))))
        return 0.5 * (dim * (math.log(2 * math.pi) + 1) + log_det)


def _parameters(function: str, x: Any, mean: Any, cov: Any) -> tuple[Any, Any, Any]:
    """`x` of shape (…, d), `mean` of shape (d,) and `cov` of shape (d, d), as SciPy infers them."""
    x, cov = number(x, function), number(1 if cov is None else cov, function)
    mean = None if mean is None else number(mean, function)
    if mean is not None and shape_of(mean):
        dim = math.prod(shape_of(mean))
    elif len(shape_of(cov)) > 1:
        dim = shape_of(cov)[0]
    else:
        dim = 1
    mean = np.zeros(dim) if mean is None else np.reshape(mean, (dim,))
    rank = len(shape_of(cov))
    if rank < 2:
        cov = cov * np.eye(dim)
    if shape_of(cov) != (dim, dim):
        raise ValueError(f"{function}: cov must have shape ({dim}, {dim}) or fewer axes, got {shape_of(cov)}")
    if not shape_of(x):
        x = np.reshape(x, (1,))
    elif len(shape_of(x)) == 1:
        x = x[:, None] if dim == 1 else x
    return x, mean, cov


dirichlet = _Dirichlet()
multivariate_normal = _MultivariateNormal()
