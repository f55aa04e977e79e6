"""Distribution functions of chi-square, gamma, Poisson, binomial, F, Student's t and the normal distribution.

They are incomplete gamma and beta functions in other variables (DLMF 8.8.13, 8.17.1; the definitions are those of
SciPy's reference). An inverse has the derivatives of the implicit function theorem. Counts (successes, trials, events)
are rounded down by SciPy, so nothing depends on them smoothly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..families import elementwise
from ..samples import sample
from .common import parameter, with_parameters
from .incomplete_beta import student_slope
from .several import in_double, no_derivative
from .ufuncs import sc

__all__ = ["beta_density", "gamma_density"]

_UNIT = (0.1, 0.9)
_POSITIVE = (0.3, 4.0)


def gamma_density(a: Any, x: Any) -> Any:
    """xᵃ⁻¹ e⁻ˣ / Γ(a) (DLMF 8.8.13)."""
    return np.exp(sc.xlogy(a - 1, x) - x - sc.gammaln(a))


def beta_density(a: Any, b: Any, x: Any) -> Any:
    """xᵃ⁻¹ (1-x)ᵇ⁻¹ / B(a, b) (DLMF 8.17.1)."""
    return np.exp(sc.xlogy(a - 1, x) + sc.xlog1py(b - 1, -x) - sc.betaln(a, b))


def _samples(*parameters: Any, of: tuple[float, float]) -> list[Any]:
    return with_parameters(*parameters, low=of[0], high=of[1])


# --- chi-square -------------------------------------------------------------------------------------------------------


def _chi2(v: Any, x: Any) -> Any:
    return 0.5 * gamma_density(0.5 * v, 0.5 * x)


_v = parameter("chdtr", "v")
elementwise("chdtr", sc.chdtr, (_v, lambda out, v, x: _chi2(v, x)), keeps_out=False, samples=_samples(3, of=_POSITIVE))
elementwise(
    "chdtrc", sc.chdtrc, (_v, lambda out, v, x: -_chi2(v, x)), keeps_out=False, samples=_samples(3, of=_POSITIVE)
)
elementwise("chdtri", sc.chdtri, (_v, lambda out, v, p: -1 / _chi2(v, out)), samples=_samples(3, of=_UNIT))

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
_b = parameter("gdtr", "b")
elementwise(
    "gdtr",
    sc.gdtr,
    (lambda out, a, b, x: x * gamma_density(b, a * x), _b, lambda out, a, b, x: a * gamma_density(b, a * x)),
    keeps_out=False,
    samples=_GAMMA,
)
elementwise(
    "gdtrc",
    sc.gdtrc,
    (lambda out, a, b, x: -x * gamma_density(b, a * x), _b, lambda out, a, b, x: -a * gamma_density(b, a * x)),
    keeps_out=False,
    samples=_GAMMA,
)
elementwise(
    "gdtrix",
    sc.gdtrix,
    (lambda out, a, b, p: -out / a, _b, lambda out, a, b, p: 1 / (a * gamma_density(b, a * out))),
    samples=_GAMMA_INVERSE,
)
elementwise(
    "gdtria",
    sc.gdtria,
    (lambda out, p, b, x: 1 / (x * gamma_density(b, out * x)), _b, lambda out, p, b, x: -out / x),
    samples=[sample(s.args[2], s.args[1], s.args[0]) for s in _GAMMA_INVERSE],
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

# --- F ----------------------------------------------------------------------------------------------------------------


def _f(dfn: Any, dfd: Any, x: Any) -> Any:
    """The density: I_w(dfn/2, dfd/2) at w = dfn x / (dfd + dfn x)."""
    total = dfd + dfn * x
    return beta_density(0.5 * dfn, 0.5 * dfd, dfn * x / total) * (dfn / total) * (dfd / total)


_n, _d = parameter("fdtr", "dfn"), parameter("fdtr", "dfd")
elementwise(
    "fdtr", sc.fdtr, (_n, _d, lambda out, m, n, x: _f(m, n, x)), keeps_out=False, samples=_samples(3, 5, of=_POSITIVE)
)
elementwise(
    "fdtrc",
    sc.fdtrc,
    (_n, _d, lambda out, m, n, x: -_f(m, n, x)),
    keeps_out=False,
    samples=_samples(3, 5, of=_POSITIVE),
)
elementwise("fdtri", sc.fdtri, (_n, _d, lambda out, m, n, p: 1 / _f(m, n, out)), samples=_samples(3, 5, of=_UNIT))

# --- Student's t ------------------------------------------------------------------------------------------------------


def _student(df: Any, t: Any) -> Any:
    """The density (1 + t²/ν)^(-(ν+1)/2) / (√ν B(1/2, ν/2))."""
    df = 1.0 * df
    return np.exp(-0.5 * (df + 1) * np.log1p(t * t / df) - sc.betaln(0.5, 0.5 * df)) / np.sqrt(df)


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

# --- normal: mean and deviation at which a probability is reached -----------------------------------------------------


def _normal(z: Any) -> Any:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


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
        lambda out, p, std, x: -std / _normal((x - out) / std),
        lambda out, p, std, x: -(x - out) / std,
        1,
    ),
    samples=_NORMAL,
    source="x = mean + std Φ⁻¹(p)",
)
elementwise(
    "nrdtrisd",
    sc.nrdtrisd,
    (
        lambda out, mn, p, x: -out / (x - mn),
        lambda out, mn, p, x: -np.square(out) / ((x - mn) * _normal((x - mn) / out)),
        lambda out, mn, p, x: out / (x - mn),
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
    "its derivatives contain those of an incomplete gamma or beta function with respect to a parameter, which have no "
    "closed form; solve for the parameter outside the differentiated function, or give it a rule with "
    "covector.custom_jvp",
    *(sc.chdtriv, sc.gdtrib, sc.pdtrik, sc.bdtrik, sc.bdtrin, sc.nbdtrik, sc.nbdtrin),
    *(sc.btdtria, sc.btdtrib, sc.fdtridfd, sc.stdtridf),
)
