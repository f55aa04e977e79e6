"""SciPy's functions for the array API, differentiated. Run as a program with SCIPY_ARRAY_API=1 in the environment.

It prints, as JSON, how far values and derivatives are off: SciPy reads the variable when it is imported, so this takes
a process of its own.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import fft as scipy_fft
from scipy import integrate, signal, special, stats
from scipy.spatial.transform import Rotation

import covector
import covector.numpy as cnp

__all__ = ["DIRECT", "WRAPPED"]

_rng = np.random.default_rng(7)
X, Y = _rng.normal(size=8), _rng.normal(size=8)
P, Q = np.abs(X) + 0.5, np.abs(Y) + 0.5
A = _rng.normal(size=(3, 6))

Cases = dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]

# As they are, on arrays all of which are traced.
DIRECT: Cases = {
    "special.logsumexp axis": (lambda t: special.logsumexp(t, axis=1), (A,)),
    "special.softmax": (special.softmax, (X,)),
    "special.log_softmax": (lambda t: special.log_softmax(t, axis=0), (A,)),
    "special.gammaln": (special.gammaln, (P,)),
    "special.expit": (special.expit, (X,)),
    "special.xlogy": (special.xlogy, (P, Q)),
    "stats.gmean": (stats.gmean, (P,)),
    "stats.hmean": (stats.hmean, (P,)),
    "stats.moment": (lambda t: stats.moment(t, 3), (X,)),
    "stats.sem": (lambda t: stats.sem(t, axis=1), (A,)),
    "stats.zscore": (lambda t: stats.zscore(t, axis=1), (A,)),
    "stats.zmap": (stats.zmap, (X, Y)),
    "stats.differential_entropy": (stats.differential_entropy, (X,)),
    "stats.kstat": (lambda t: stats.kstat(t, 3), (X,)),
    "stats.skew axis": (lambda t: stats.skew(t, axis=1, bias=False), (A,)),
    "signal.fftconvolve": (signal.fftconvolve, (X, Y)),
    "signal.oaconvolve": (lambda t, u: signal.oaconvolve(t, u[:3], mode="same"), (X, Y)),
    "signal.hilbert": (signal.hilbert, (X,)),
    "signal.envelope": (signal.envelope, (X,)),
    "signal.freqz": (lambda b: signal.freqz(b)[1], (X,)),
    "signal.freqz_zpk": (lambda z: signal.freqz_zpk(z, z * 0.5, 1.0)[1], (P,)),
    "signal.resample": (lambda t: signal.resample(t, 5), (X,)),
    "signal.zpk2tf": (lambda z: signal.zpk2tf(z, z * 0.5, 1.0)[0], (P,)),
    "signal.bilinear_zpk": (lambda z: signal.bilinear_zpk(z, z, 1.0, 2.0)[0], (P,)),
    "signal.vectorstrength": (lambda t: signal.vectorstrength(t, 2.0)[0], (X,)),
    "fft.rfft": (scipy_fft.rfft, (X,)),
    "fft.ifftn": (scipy_fft.ifftn, (A,)),
    "integrate.cumulative_trapezoid": (integrate.cumulative_trapezoid, (X,)),
    "integrate.cumulative_simpson": (lambda t: integrate.cumulative_simpson(t, dx=0.1), (X,)),
    "spatial.transform.Rotation": (lambda t: Rotation.from_rotvec(t).as_matrix(), (X[:3],)),
}

# Inside `covector.numpy.array_api`: traced and plain arrays together, comparisons, indexing of numbers by [()].
WRAPPED: Cases = {
    "special.logsumexp": (special.logsumexp, (X,)),
    "special.logsumexp b": (lambda t: special.logsumexp(t, b=cnp.asarray(P)), (X,)),
    "special.logsumexp return_sign": (lambda t: special.logsumexp(t, b=cnp.asarray(Y), return_sign=True)[0], (X,)),
    "special.betainc": (lambda t: special.betainc(cnp.asarray(2.0), cnp.asarray([3.0]), t), (P / 4,)),
    "special.rel_entr": (special.rel_entr, (P, Q)),
    "stats.skew": (stats.skew, (X,)),
    "stats.kurtosis": (stats.kurtosis, (X,)),
    "stats.variation": (stats.variation, (P,)),
    "stats.entropy": (stats.entropy, (P, Q)),
    "stats.tmean": (lambda t: stats.tmean(t, limits=(-1.0, 1.0)), (X,)),
    "stats.tvar": (lambda t: stats.tvar(t, limits=(-1.0, 1.0)), (X,)),
    "stats.circmean": (stats.circmean, (X,)),
    "stats.iqr": (stats.iqr, (X,)),
    "stats.quantile": (lambda t: stats.quantile(t, cnp.asarray([0.3, 0.7])), (X,)),
    "stats.median_abs_deviation": (stats.median_abs_deviation, (X,)),
    "stats.chisquare": (lambda t: stats.power_divergence(t, ddof=1).statistic, (P,)),
    "stats.ttest_1samp": (lambda t: stats.ttest_1samp(t, 0.1).pvalue, (X,)),
    "stats.ttest_ind": (lambda t: stats.ttest_ind(t, cnp.asarray(Y)).statistic, (X,)),
    "stats.pearsonr": (lambda t, u: stats.pearsonr(t, u).statistic, (X, Y)),
    "stats.jarque_bera": (lambda t: stats.jarque_bera(t).statistic, (X,)),
    "stats.bartlett": (lambda t, u: stats.bartlett(t, u).statistic, (X, Y)),
    "stats.yeojohnson_llf": (lambda t: stats.yeojohnson_llf(1.5, t), (X,)),
    "stats.lmoment": (stats.lmoment, (X,)),
    "stats.directional_stats": (lambda t: stats.directional_stats(t).mean_direction, (A,)),
    "signal.hilbert of parts": (lambda t: signal.hilbert(cnp.concat([t, cnp.asarray(Y)])), (X,)),
    "signal.freqz_sos": (
        lambda t: signal.freqz_sos(cnp.stack([cnp.concat([t, cnp.asarray([1.0, 0.2, 0.1])])]))[1],
        (X[:3],),
    ),
}


def report(fun: Callable[..., Any], arrays: tuple[Any, ...]) -> dict[str, float]:
    """Errors of value, of the forward derivative (against differences) and of the reverse one (against forward)."""

    def scalar(*xs: Any) -> Any:
        out = fun(*xs)
        return np.sum(np.sin(np.real(out))) + np.sum(np.imag(out) ** 2)

    direction = tuple(np.cos(np.arange(x.size, dtype=float)).reshape(x.shape) for x in arrays)
    h = 1e-6
    up, down = (scalar(*[x + s * v for x, v in zip(arrays, direction, strict=True)]) for s in (h, -h))
    value, tangent = covector.jvp(scalar, arrays, direction)
    gradients = covector.grad(scalar, argnums=tuple(range(len(arrays))))(*arrays)
    pulled = sum(np.sum(g * v) for g, v in zip(gradients, direction, strict=True))
    scale = 1.0 + abs(tangent)
    return {
        "value": float(abs(value - scalar(*arrays)) / (1.0 + abs(value))),
        "forward": float(abs(tangent - (up - down) / (2 * h)) / scale),
        "reverse": float(abs(pulled - tangent) / scale),
        "tangent": float(abs(tangent)),
    }


def attempt(fun: Callable[..., Any], arrays: tuple[Any, ...]) -> Any:
    """The report, or what went wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return report(fun, arrays)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    results = {name: attempt(fun, arrays) for name, (fun, arrays) in DIRECT.items()}
    results |= {name: attempt(cnp.array_api(fun), arrays) for name, (fun, arrays) in WRAPPED.items()}
    results |= {f"{name} (wrapped)": attempt(cnp.array_api(fun), arrays) for name, (fun, arrays) in DIRECT.items()}
    print(json.dumps(results))
