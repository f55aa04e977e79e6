"""Noncentral chi-square, F and Student distributions: derivatives in the variable and in the noncentrality.

Each is a mixture of central distributions with Poisson or normal weights, whose derivatives are mixtures of the same
kind (Johnson, Kotz & Balakrishnan, Continuous Univariate Distributions 2, chapters 29 to 31).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..families import elementwise
from ..samples import sample
from .common import parameter
from .incomplete_densities import beta_density, gamma_density
from .several import no_derivative
from .ufuncs import sc

__all__: list[str] = []


def _triples(first: Any, middle: Any, last: Any) -> list[Any]:
    """Samples of functions whose middle or other arguments are whole numbers of degrees of freedom."""

    def typed(x: Any, make: Any) -> Any:
        return x if isinstance(x, int) else make(x)

    kinds = [
        lambda x: x,
        lambda x: np.array([x, 1.1 * x]),
        lambda x: np.array([[x]], np.float32),
        lambda x: np.empty(0),
    ]
    return [sample(*[typed(x, make) for x in (first, middle, last)]) for make in kinds]


# --- chi-square -------------------------------------------------------------------------------------------------------


def _ncx2(x: Any, df: Any, nc: Any) -> Any:
    """½ exp(-(√x - √λ)²/2) (x/λ)^(ν/4 - 1/2) exp(-√(λx)) I_{ν/2-1}(√(λx)); the central density where λ = 0."""
    central = np.equal(nc, 0)
    safe = np.where(central, 1, nc)
    root = np.sqrt(x * safe)
    scaled = np.power(x / safe, 0.25 * df - 0.5) * sc.ive(0.5 * df - 1, root)
    density = 0.5 * np.exp(-0.5 * np.square(np.sqrt(x) - np.sqrt(safe))) * scaled
    return np.where(central, 0.5 * gamma_density(0.5 * df, 0.5 * x), density).astype(np.result_type(x, nc))[()]


ncx2_density = elementwise(
    "ncx2_density",
    None,
    (
        lambda out, x, df, nc: 0.5 * (ncx2_density(x, df - 2, nc) - out),
        None,
        lambda out, x, df, nc: 0.5 * (ncx2_density(x, df + 2, nc) - out),
    ),
    impl=lambda x, df, nc: _ncx2(np.asarray(x), df, np.asarray(nc)),
    samples=_triples(1.3, 5, 0.8),
    source="∂f(x; ν, λ)/∂x = (f(x; ν-2, λ) - f(x; ν, λ))/2, ∂f/∂λ = (f(x; ν+2, λ) - f(x; ν, λ))/2",
)
_df = parameter("chndtr", "df")
elementwise(
    "chndtr",
    sc.chndtr,
    (
        lambda out, x, df, nc: ncx2_density(x, df, nc),
        _df,
        lambda out, x, df, nc: -ncx2_density(x, df + 2, nc),
    ),
    keeps_out=False,
    samples=_triples(1.3, 5, 0.8),
)
elementwise(
    "chndtrix",
    sc.chndtrix,
    (
        lambda out, p, df, nc: 1 / ncx2_density(out, df, nc),
        _df,
        lambda out, p, df, nc: ncx2_density(out, df + 2, nc) / ncx2_density(out, df, nc),
    ),
    samples=_triples(0.4, 5, 0.8),
)
elementwise(
    "chndtrinc",
    sc.chndtrinc,
    (
        lambda out, x, df, p: ncx2_density(x, df, out) / ncx2_density(x, df + 2, out),
        _df,
        lambda out, x, df, p: -1 / ncx2_density(x, df + 2, out),
    ),
    samples=_triples(5.0, 4, 0.3),
)

# --- F ----------------------------------------------------------------------------------------------------------------


def _f_mixture(dfn: Any, dfd: Any, nc: Any, f: Any, shift: int) -> Any:
    """exp(-λ/2) yᵃ⁻¹ (1-y)ᵇ⁻¹ / B(a, b) M(a+b, a+shift, λy/2) with a, b half the degrees, y = dfn f/(dfd + dfn f)."""
    a, b = 0.5 * dfn, 0.5 * dfd
    y = dfn * f / (dfd + dfn * f)
    return np.exp(-0.5 * nc) * beta_density(a, b, y) * sc.hyp1f1(a + b, a + shift, 0.5 * nc * y)


def _ncf_by_f(dfn: Any, dfd: Any, nc: Any, f: Any) -> Any:
    total = dfd + dfn * f
    return _f_mixture(dfn, dfd, nc, f, 0) * (dfn / total) * (dfd / total)


def _ncf_by_nc(dfn: Any, dfd: Any, nc: Any, f: Any) -> Any:
    """-½ Σ Poisson(j) yᵃ⁺ʲ (1-y)ᵇ / ((a+j) B(a+j, b)) (DLMF 8.17.20)."""
    total = dfd + dfn * f
    return -_f_mixture(dfn, dfd, nc, f, 1) * (dfn * f / total) * (dfd / total) / dfn


_n, _d = parameter("ncfdtr", "dfn"), parameter("ncfdtr", "dfd")
_QUADRUPLES = [sample(3, 5, *s.args[::2]) for s in _triples(0.8, 0, 1.3)]
elementwise(
    "ncfdtr",
    sc.ncfdtr,
    (_n, _d, lambda out, *args: _ncf_by_nc(*args), lambda out, *args: _ncf_by_f(*args)),
    keeps_out=False,
    samples=_QUADRUPLES,
)
elementwise(
    "ncfdtri",
    sc.ncfdtri,
    (
        _n,
        _d,
        lambda out, m, n, nc, p: -_ncf_by_nc(m, n, nc, out) / _ncf_by_f(m, n, nc, out),
        lambda out, m, n, nc, p: 1 / _ncf_by_f(m, n, nc, out),
    ),
    samples=[sample(3, 5, *s.args[::2]) for s in _triples(0.8, 0, 0.4)],
)
no_derivative(
    "SciPy finds it by a search that stops after a few digits; solve scipy.special.ncfdtr for nc outside the "
    "differentiated function, or give it a rule with covector.custom_jvp",
    sc.ncfdtrinc,
)

# --- Student's t ------------------------------------------------------------------------------------------------------


def _nct(df: Any, nc: Any, t: Any, k: Any) -> Any:
    """E[Wᵏ φ(tW - μ)] with W² a chi-square over its degrees ν: a Gaussian integral of powers (DLMF 12.5.1)."""
    dtype = np.result_type(nc, t)
    nc, t = np.asarray(nc, float), np.asarray(t, float)  # even and odd part cancel: single precision would not do
    s = 0.5 * (df + k)
    beta = 0.5 * (df + t * t)
    z = t * nc / np.sqrt(beta)
    even = np.exp(sc.gammaln(s) - sc.gammaln(0.5 * df)) * sc.hyp1f1(s, 0.5, 0.25 * z * z)
    odd = np.exp(sc.gammaln(s + 0.5) - sc.gammaln(0.5 * df)) * z * sc.hyp1f1(s + 0.5, 1.5, 0.25 * z * z)
    scale = np.power(0.5 * df / beta, 0.5 * df) * np.power(beta, -0.5 * k)
    out = scale * np.exp(-0.5 * nc * nc) / math.sqrt(2 * math.pi) * (even + odd)
    return out.astype(dtype)[()]


nct_moment = elementwise(
    "nct_moment",
    None,
    (
        None,
        lambda out, df, nc, t, k: t * nct_moment(df, nc, t, k + 1) - nc * out,
        lambda out, df, nc, t, k: nc * nct_moment(df, nc, t, k + 1) - t * nct_moment(df, nc, t, k + 2),
        None,
    ),
    impl=_nct,
    samples=[sample(5, s.args[0], s.args[2], 1) for s in _triples(0.7, 0, 1.3)],
    source="derivatives of φ(tW - μ) under the expectation",
)
_df = parameter("nctdtr", "df")
elementwise(
    "nctdtr",
    sc.nctdtr,
    (_df, lambda out, df, nc, t: -nct_moment(df, nc, t, 0), lambda out, df, nc, t: nct_moment(df, nc, t, 1)),
    keeps_out=False,
    samples=[sample(5, *s.args[::2]) for s in _triples(0.7, 0, 1.3)],
)
elementwise(
    "nctdtrit",
    sc.nctdtrit,
    (
        _df,
        lambda out, df, nc, p: nct_moment(df, nc, out, 0) / nct_moment(df, nc, out, 1),
        lambda out, df, nc, p: 1 / nct_moment(df, nc, out, 1),
    ),
    samples=[sample(5, *s.args[::2]) for s in _triples(0.7, 0, 0.4)],
)
elementwise(
    "nctdtrinc",
    sc.nctdtrinc,
    (
        _df,
        lambda out, df, p, t: -1 / nct_moment(df, out, t, 0),
        lambda out, df, p, t: nct_moment(df, out, t, 1) / nct_moment(df, out, t, 0),
    ),
    samples=[sample(5, *s.args[::2]) for s in _triples(0.4, 0, 1.3)],
)

no_derivative(
    "its derivatives contain those of a distribution function with respect to the degrees of freedom, which have no "
    "closed form; solve for them outside the differentiated function, or give it a rule with covector.custom_jvp",
    *(sc.chndtridf, sc.ncfdtridfn, sc.ncfdtridfd, sc.nctdtridf),
)
