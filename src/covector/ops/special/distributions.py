"""Distribution functions of chi-square, gamma, Poisson, binomial, F, Student's t and the normal distribution.

They are incomplete gamma and beta functions in other variables (DLMF 8.8.13, 8.17.1; the definitions are those of
SciPy's reference). An inverse has the derivatives of the implicit function theorem. Counts (successes, trials, events)
are rounded down by SciPy, so nothing depends on them smoothly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.values import dtype_of
from ..families import elementwise
from ..samples import sample
from .common import with_parameters
from .incomplete_beta import beta_slope, student_slope
from .incomplete_densities import beta_density, f_density, gamma_density, scaled_gamma_density
from .incomplete_gamma import gamma_slope
from .normal import quantile_slope
from .several import in_double, no_derivative
from .ufuncs import sc

__all__: list[str] = []

_UNIT = (0.1, 0.9)
_POSITIVE = (0.3, 4.0)


def _samples(*parameters: Any, of: tuple[float, float]) -> list[Any]:
    return with_parameters(*parameters, low=of[0], high=of[1])


def _solved(*args: float) -> list[Any]:
    """Samples of the parameter at which a probability is reached, around arguments for which there is one."""
    double = [np.array([x, 1.02 * x]) for x in args]
    single = [x.astype(np.float32) for x in double]
    apart = [*double[:-1], double[-1][:, None]]
    empty = [np.empty(0)] * len(args)
    return [sample(*args), sample(*single), sample(*apart, label="broadcast"), sample(*empty)]


def _negative(slopes: tuple[Any, ...]) -> tuple[Any, ...]:
    """The derivatives of the complement."""
    return tuple(slope and (lambda out, *args, slope=slope: -slope(out, *args)) for slope in slopes)


# --- chi-square -------------------------------------------------------------------------------------------------------


def _chi2(v: Any, x: Any) -> Any:
    return 0.5 * gamma_density(0.5 * v, 0.5 * x)


def _chi2_by_v(v: Any, x: Any) -> Any:
    return 0.5 * gamma_slope(1, 0.5 * v, 0.5 * x)


_CHI2 = (lambda out, v, x: _chi2_by_v(v, x), lambda out, v, x: _chi2(v, x))
elementwise("chdtr", sc.chdtr, _CHI2, keeps_out=False, samples=_samples(3, of=_POSITIVE))
elementwise("chdtrc", sc.chdtrc, _negative(_CHI2), keeps_out=False, samples=_samples(3, of=_POSITIVE))
elementwise(
    "chdtri",
    sc.chdtri,
    (lambda out, v, p: -_chi2_by_v(v, out) / _chi2(v, out), lambda out, v, p: -1 / _chi2(v, out)),
    samples=_samples(3, of=_UNIT),
)
elementwise(
    "chdtriv",
    sc.chdtriv,
    (lambda out, p, x: 1 / _chi2_by_v(out, x), lambda out, p, x: -_chi2(out, x) / _chi2_by_v(out, x)),
    samples=_solved(0.4, 1.5),
)

# --- gamma ------------------------------------------------------------------------------------------------------------

_GAMMA = [
    *[sample(s.args[1], s.args[0], s.args[1]) for s in with_parameters(2, low=0.5, high=2.0)[:4]],
    sample(np.array([0.5, 2.0]), 3, np.array([[0.3], [1.5]]), label="broadcast"),
]
_GAMMA_INVERSE = [
    sample(0.7, 2, 0.4),
    sample(np.array([0.5, 2.0], np.float32), 3, np.array([0.3, 0.6], np.float32)),
    sample(np.array([0.5, 2.0]), 3, np.array([[0.3], [0.8]]), label="broadcast"),
    sample(np.empty(0), 3, np.empty(0)),
]
_DENSITY = (
    lambda out, a, b, x: x * scaled_gamma_density(b, a, x),
    lambda out, a, b, x: gamma_slope(1, b, a * x),
    lambda out, a, b, x: a * scaled_gamma_density(b, a, x),
)
elementwise("gdtr", sc.gdtr, _DENSITY, keeps_out=False, samples=_GAMMA)
elementwise("gdtrc", sc.gdtrc, _negative(_DENSITY), keeps_out=False, samples=_GAMMA)
elementwise(
    "gdtrix",
    sc.gdtrix,
    (
        lambda out, a, b, p: -out / a,
        lambda out, a, b, p: -gamma_slope(1, b, a * out) / (a * scaled_gamma_density(b, a, out)),
        lambda out, a, b, p: 1 / (a * scaled_gamma_density(b, a, out)),
    ),
    samples=_GAMMA_INVERSE,
)
elementwise(
    "gdtria",
    sc.gdtria,
    (
        lambda out, p, b, x: 1 / (x * scaled_gamma_density(b, out, x)),
        lambda out, p, b, x: -gamma_slope(1, b, out * x) / (x * scaled_gamma_density(b, out, x)),
        lambda out, p, b, x: -out / x,
    ),
    samples=[sample(s.args[2], s.args[1], s.args[0]) for s in _GAMMA_INVERSE],
)
elementwise(
    "gdtrib",
    sc.gdtrib,
    (
        lambda out, a, p, x: -x * scaled_gamma_density(out, a, x) / gamma_slope(1, out, a * x),
        lambda out, a, p, x: 1 / gamma_slope(1, out, a * x),
        lambda out, a, p, x: -a * scaled_gamma_density(out, a, x) / gamma_slope(1, out, a * x),
    ),
    samples=_solved(0.7, 0.4, 1.5),
)

# --- Poisson ----------------------------------------------------------------------------------------------------------


def _poisson(k: Any, m: Any) -> Any:
    return gamma_density(np.floor(k) + 1, m)


elementwise(
    "pdtr", sc.pdtr, (None, lambda out, k, m: -_poisson(k, m)), keeps_out=False, samples=_samples(2, of=_POSITIVE)
)
elementwise(
    "pdtrc", sc.pdtrc, (None, lambda out, k, m: _poisson(k, m)), keeps_out=False, samples=_samples(2, of=_POSITIVE)
)
elementwise("pdtri", sc.pdtri, (None, lambda out, k, y: -1 / _poisson(k, out)), samples=_samples(2, of=_UNIT))

# --- binomial and negative binomial -----------------------------------------------------------------------------------


def _binomial(k: Any, n: Any, p: Any) -> Any:
    k = np.floor(k)
    return beta_density(k + 1, n - k, p)


def _negative_binomial(k: Any, n: Any, p: Any) -> Any:
    return beta_density(n, np.floor(k) + 1, p)


_COUNTS = _samples(2, 5, of=_UNIT)
elementwise(
    "bdtr",
    sc.bdtr,
    impl=in_double(sc.bdtr, 1),
    partials=(None, None, lambda out, k, n, p: -_binomial(k, n, p)),
    keeps_out=False,
    samples=_COUNTS,
)
elementwise(
    "bdtrc",
    sc.bdtrc,
    impl=in_double(sc.bdtrc, 1),
    partials=(None, None, lambda out, k, n, p: _binomial(k, n, p)),
    keeps_out=False,
    samples=_COUNTS,
)
elementwise(
    "bdtri",
    sc.bdtri,
    impl=in_double(sc.bdtri, 1),
    partials=(None, None, lambda out, k, n, y: -1 / _binomial(k, n, out)),
    samples=_COUNTS,
)
elementwise(
    "nbdtr", sc.nbdtr, (None, None, lambda out, k, n, p: _negative_binomial(k, n, p)), keeps_out=False, samples=_COUNTS
)
elementwise(
    "nbdtrc",
    sc.nbdtrc,
    (None, None, lambda out, k, n, p: -_negative_binomial(k, n, p)),
    keeps_out=False,
    samples=_COUNTS,
)
elementwise("nbdtri", sc.nbdtri, (None, None, lambda out, k, n, y: 1 / _negative_binomial(k, n, out)), samples=_COUNTS)

# --- beta: parameters at which a probability is reached ---------------------------------------------------------------

elementwise(
    "btdtria",
    sc.btdtria,
    (
        lambda out, p, b, x: 1 / beta_slope(1, 0, out, b, x),
        lambda out, p, b, x: -beta_slope(0, 1, out, b, x) / beta_slope(1, 0, out, b, x),
        lambda out, p, b, x: -beta_density(out, b, x) / beta_slope(1, 0, out, b, x),
    ),
    samples=_solved(0.4, 1.5, 0.3),
)
elementwise(
    "btdtrib",
    sc.btdtrib,
    (
        lambda out, a, p, x: -beta_slope(1, 0, a, out, x) / beta_slope(0, 1, a, out, x),
        lambda out, a, p, x: 1 / beta_slope(0, 1, a, out, x),
        lambda out, a, p, x: -beta_density(a, out, x) / beta_slope(0, 1, a, out, x),
    ),
    samples=_solved(1.5, 0.4, 0.3),
)

# --- F ----------------------------------------------------------------------------------------------------------------


def _by_shape(first: bool, m: Any, n: Any, x: Any) -> Any:
    """∂I_w(m/2, n/2)/∂m or ∂n at w = mx/(n + mx): by 1 - w where that is the smaller, which 1 - w would round."""
    a, b, total = 0.5 * m, 0.5 * n, n + m * x
    upper = np.greater(m * x, n)
    below = beta_slope(int(first), int(not first), a, b, np.where(upper, 0.5, m * x / total))
    above = beta_slope(int(not first), int(first), b, a, np.where(upper, n / total, 0.5))
    return 0.5 * np.where(upper, -above, below)


def _f_by_first(m: Any, n: Any, x: Any) -> Any:
    """Through the parameter and through w, of which x f is the density times w (1 - w)."""
    return _by_shape(True, m, n, x) + f_density(m, n, x) * x / m


def _f_by_second(m: Any, n: Any, x: Any) -> Any:
    return _by_shape(False, m, n, x) - f_density(m, n, x) * x / n


def _reached(out: Any, slope: Any) -> Any:
    """`slope`, or 0 where no parameter reaches the probability and SciPy returns the end of its search."""
    return np.where(np.less(out, 1e99), slope, 0)


_F = (
    lambda out, m, n, x: _f_by_first(m, n, x),
    lambda out, m, n, x: _f_by_second(m, n, x),
    lambda out, m, n, x: f_density(m, n, x),
)
elementwise("fdtr", sc.fdtr, _F, keeps_out=False, samples=_samples(3, 5, of=_POSITIVE))
elementwise("fdtrc", sc.fdtrc, _negative(_F), keeps_out=False, samples=_samples(3, 5, of=_POSITIVE))
elementwise(
    "fdtri",
    sc.fdtri,
    (
        lambda out, m, n, p: -_f_by_first(m, n, out) / f_density(m, n, out),
        lambda out, m, n, p: -_f_by_second(m, n, out) / f_density(m, n, out),
        lambda out, m, n, p: 1 / f_density(m, n, out),
    ),
    samples=_samples(3, 5, of=_UNIT),
)
elementwise(
    "fdtridfd",
    sc.fdtridfd,
    (
        lambda out, m, p, x: _reached(out, -_f_by_first(m, out, x) / _f_by_second(m, out, x)),
        lambda out, m, p, x: _reached(out, 1 / _f_by_second(m, out, x)),
        lambda out, m, p, x: _reached(out, -f_density(m, out, x) / _f_by_second(m, out, x)),
    ),
    samples=_solved(3.5, 0.34, 0.6),
)

# --- Student's t ------------------------------------------------------------------------------------------------------


def _student(df: Any, t: Any) -> Any:
    """The density (1 + t²/ν)^(-(ν+1)/2) / (√ν B(1/2, ν/2))."""
    df = 1.0 * df
    return np.exp(-0.5 * (df + 1) * np.log1p(t * t / df) - sc.betaln(dtype_of(df).type(0.5), 0.5 * df)) / np.sqrt(df)


elementwise(
    "stdtr",
    sc.stdtr,
    (lambda out, df, t: student_slope(df, t), lambda out, df, t: _student(df, t)),
    keeps_out=False,
    samples=_samples(3, of=(-3.0, 3.0)),
)
elementwise(
    "stdtrit",
    sc.stdtrit,
    (lambda out, df, p: -student_slope(df, out) / _student(df, out), lambda out, df, p: 1 / _student(df, out)),
    samples=_samples(3, of=_UNIT),
)
elementwise(
    "stdtridf",
    sc.stdtridf,
    (lambda out, p, t: 1 / student_slope(out, t), lambda out, p, t: -_student(out, t) / student_slope(out, t)),
    samples=_solved(0.8, 1.2),
)

# --- normal: mean and deviation at which a probability is reached -----------------------------------------------------

_NORMAL = [
    sample(0.3, 1.2, 0.7),
    sample(np.array([0.2, 0.9]), np.array([[1.0], [2.0]]), 0.5, label="broadcast"),
    sample(*[np.array([0.3, 0.8], np.float32)] * 3),
    sample(*[np.empty(0)] * 3),
]
elementwise(
    "nrdtrimn",
    sc.nrdtrimn,
    (
        lambda out, p, std, x: -std * quantile_slope(sc.ndtri(p), p),
        lambda out, p, std, x: -sc.ndtri(p),
        1,
    ),
    keeps_out=False,
    samples=_NORMAL,
    source="x = mean + std Φ⁻¹(p)",
)
elementwise(
    "nrdtrisd",
    sc.nrdtrisd,
    (
        lambda out, mn, p, x: -1 / sc.ndtri(p),
        lambda out, mn, p, x: -(x - mn) * quantile_slope(sc.ndtri(p), p) / np.square(sc.ndtri(p)),
        lambda out, mn, p, x: 1 / sc.ndtri(p),
    ),
    samples=[
        sample(0.3, 0.7, 1.2),
        sample(np.array([0.2, 0.9]), np.array([[0.8], [0.6]]), 1.5, label="broadcast"),
        sample(np.array([0.1, 0.2], np.float32), np.array([0.7, 0.8], np.float32), np.array([1.0, 2.0], np.float32)),
        sample(*[np.empty(0)] * 3),
    ],
    source="x = mean + std Φ⁻¹(p)",
)

no_derivative(
    "it is the number of events or trials at which a probability is reached, and no derivative rule is given for that; "
    "solve for it outside the differentiated function, or give it a rule with covector.custom_jvp",
    *(sc.pdtrik, sc.bdtrik, sc.bdtrin, sc.nbdtrik, sc.nbdtrin),
)
