"""Hermitian eigenvalues by the LAPACK driver that SciPy takes, whose signs of the vectors differ from NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.values import Aval
from ..eigenvalues import diagonal, differences, hermitian_change, hermitian_samples, over_gaps_p
from ..families import general
from ..linalg import leading_axes, mH, real_dtype
from ..samples import draw, sample
from .common import each_matrix

__all__ = ["driver_eigh_p"]


def _eigh(a: Any, *, lower: bool, driver: str) -> tuple[Any, Any]:
    if not a.size:
        return np.zeros(a.shape[:-1], real_dtype(a.dtype)), np.zeros(a.shape, a.dtype)
    from scipy.linalg import eigh

    return each_matrix(lambda x: eigh(x, lower=lower, driver=driver, check_finite=False), a)


def _eigh_jvp(t: Any, out: Any, a: Any, *, lower: bool, driver: str) -> tuple[Any, Any]:
    w, v = out
    change = mH(v) @ hermitian_change(t, lower) @ v
    return np.real(diagonal(change)), v @ over_gaps_p(change, *differences(w))


# The signs of SciPy's default driver "evr" jump between neighbouring matrices, which differences would see.
_STEADY = {"lower": True, "driver": "evd"}

driver_eigh_p = general(
    "driver_eigh",
    _eigh,
    jvps=(_eigh_jvp,),
    aval=lambda a, **_: (Aval(a.shape[:-1], real_dtype(a.dtype)), Aval(a.shape, a.dtype)),
    batch=leading_axes(lambda: driver_eigh_p),
    multiple=True,
    keeps=False,
    samples=[
        *hermitian_samples(False, **_STEADY),
        *hermitian_samples(False, lower=False, driver="ev")[:1],
        sample(draw((1, 1)), label="1x1", **_STEADY),
    ],
    source="Giles 2008, section 3.1; phases such that vᴴ dv = 0",
)
