"""Functions whose first derivatives are not held to the general limit, each with its bound in ulp and the reason."""

from __future__ import annotations

__all__ = ["EXCEPTIONS", "NO_REFERENCE"]

BESSEL = (
    "a combination of SciPy's Bessel functions and their relatives, whose own errors grow with argument and order, "
    "and which cancel near the zeros of the derivative"
)
DENSITY = (
    "the exponential of a sum of logarithms of the size of its parameters, or that at SciPy's quantile, "
    "whose own error is magnified"
)
VALUE = "a multiple of a value of SciPy's that has this error itself, or that is computed in its logarithm"
CANCELS = "a difference of SciPy's values, absolutely accurate, which cancels near zeros of the derivative or far out"
PARABOLIC = "SciPy's own parabolic cylinder functions have this error, most of all for negative arguments"

EXCEPTIONS: dict[str, tuple[float, str]] = {
    "scipy.special.airye[0]": (7e4, BESSEL),
    "scipy.special.airye[1]": (3e4, BESSEL),
    "scipy.special.airye[2]": (6e4, BESSEL),
    "scipy.special.airye[3]": (3e4, BESSEL),
    "scipy.special.airy[0]": (300, BESSEL),
    "scipy.special.airy[1]": (200, BESSEL),
    "scipy.special.airy[2]": (20000, BESSEL),
    "scipy.special.airy[3]": (20000, BESSEL),
    "scipy.special.bdtr": (500, DENSITY),
    "scipy.special.bdtrc": (700, DENSITY),
    "scipy.special.bdtri": (7e08, DENSITY),
    "scipy.special.besselpoly": (20000, BESSEL),
    "scipy.special.beta": (6000, VALUE),
    "scipy.special.betainc": (1000, DENSITY),
    "scipy.special.betaincc": (2000, DENSITY),
    "scipy.special.betainccinv": (2000, DENSITY),
    "scipy.special.betaincinv": (40000, DENSITY),
    "scipy.special.binom": (2e07, VALUE),
    "scipy.special.chdtr": (200, DENSITY),
    "scipy.special.chdtrc": (2000, DENSITY),
    "scipy.special.chdtri": (900, DENSITY),
    "scipy.special.ellipeinc": (300, CANCELS),
    "scipy.special.ellipj[0]": (40, VALUE),
    "scipy.special.ellipj[1]": (1000, VALUE),
    "scipy.special.ellipj[2]": (200, VALUE),
    "scipy.special.ellipj[3]": (80, VALUE),
    "scipy.special.elliprd": (700, CANCELS),
    "scipy.special.eval_chebyc": (40, CANCELS),
    "scipy.special.eval_chebys": (1e25, CANCELS),
    "scipy.special.eval_chebyu": (4e25, CANCELS),
    "scipy.special.eval_gegenbauer": (300, CANCELS),
    "scipy.special.eval_jacobi": (200, CANCELS),
    "scipy.special.eval_sh_chebyu": (200, CANCELS),
    "scipy.special.eval_sh_jacobi": (500, CANCELS),
    "scipy.special.eval_sh_legendre": (50, CANCELS),
    "scipy.special.fdtr": (400, DENSITY),
    "scipy.special.fdtrc": (10000, DENSITY),
    "scipy.special.fdtri": (50000, DENSITY),
    "scipy.special.gammainc": (800, DENSITY),
    "scipy.special.gammaincc": (400, DENSITY),
    "scipy.special.gammainccinv": (800, DENSITY),
    "scipy.special.gammaincinv": (2000, DENSITY),
    "scipy.special.gdtr": (600, DENSITY),
    "scipy.special.gdtrc": (600, DENSITY),
    "scipy.special.gdtria": (500, DENSITY),
    "scipy.special.gdtrix": (900, DENSITY),
    "scipy.special.hankel1": (700, BESSEL),
    "scipy.special.hankel1e": (2000, BESSEL),
    "scipy.special.hankel2": (2000, BESSEL),
    "scipy.special.hankel2e": (2000, BESSEL),
    "scipy.special.hyp0f1": (200, VALUE),
    "scipy.special.hyp1f1": (2e09, VALUE),
    "scipy.special.hyp2f1": (60000, VALUE),
    "scipy.special.i0e": (400, BESSEL),
    "scipy.special.i1e": (500, BESSEL),
    "scipy.special.inv_boxcox": (100, VALUE),
    "scipy.special.inv_boxcox1p": (80, VALUE),
    "scipy.special.it2j0y0[1]": (200, BESSEL),
    "scipy.special.it2struve0": (1000, BESSEL),
    "scipy.special.itairy[0]": (200, BESSEL),
    "scipy.special.itairy[1]": (200, BESSEL),
    "scipy.special.itairy[2]": (400, BESSEL),
    "scipy.special.itairy[3]": (300, BESSEL),
    "scipy.special.itj0y0[0]": (40, BESSEL),
    "scipy.special.itj0y0[1]": (90, BESSEL),
    "scipy.special.itmodstruve0": (400, BESSEL),
    "scipy.special.itstruve0": (2000, BESSEL),
    "scipy.special.iv": (40, BESSEL),
    "scipy.special.ive": (20000, BESSEL),
    "scipy.special.j0": (200, BESSEL),
    "scipy.special.j1": (3000, BESSEL),
    "scipy.special.jv": (1000, BESSEL),
    "scipy.special.jve": (600, BESSEL),
    "scipy.special.k0e": (200, BESSEL),
    "scipy.special.k1e": (200, BESSEL),
    "scipy.special.kn": (500, BESSEL),
    "scipy.special.kolmogi": (2000, DENSITY),
    "scipy.special.kolmogorov": (2000, DENSITY),
    "scipy.special.kv": (1000, BESSEL),
    "scipy.special.kve": (2000, BESSEL),
    "scipy.special.log_wright_bessel": (5000, VALUE),
    "scipy.special.modfresnelm[0]": (6000, CANCELS),
    "scipy.special.modfresnelm[1]": (6e05, CANCELS),
    "scipy.special.modfresnelp[0]": (20000, CANCELS),
    "scipy.special.modfresnelp[1]": (4e08, CANCELS),
    "scipy.special.modstruve": (700, BESSEL),
    "scipy.special.nbdtr": (1000, DENSITY),
    "scipy.special.nbdtrc": (300, DENSITY),
    "scipy.special.nbdtri": (6000, DENSITY),
    "scipy.special.ndtri_exp": (20000, VALUE),
    "scipy.special.nrdtrimn": (400, DENSITY),
    "scipy.special.nrdtrisd": (2e12, DENSITY),
    "scipy.special.pbdv[0]": (1e8, PARABOLIC),
    "scipy.special.pbdv[1]": (2e8, PARABOLIC),
    "scipy.special.pbvv[0]": (2e12, PARABOLIC),
    "scipy.special.pbvv[1]": (2e11, PARABOLIC),
    "scipy.special.pbwa[0]": (1e6, PARABOLIC),
    "scipy.special.pbwa[1]": (2e6, PARABOLIC),
    "scipy.special.pdtr": (700, DENSITY),
    "scipy.special.pdtrc": (2000, DENSITY),
    "scipy.special.pdtri": (200, DENSITY),
    "scipy.special.poch": (2000, VALUE),
    "scipy.special.stdtrit": (2e16, DENSITY),
    "scipy.special.struve": (3000, BESSEL),
    "scipy.special.voigt_profile": (3e21, CANCELS),
    "scipy.special.wofz": (2e05, CANCELS),
    "scipy.special.wright_bessel": (400, VALUE),
    "scipy.special.y0": (8000, BESSEL),
    "scipy.special.y1": (300, BESSEL),
    "scipy.special.yn": (2000, BESSEL),
    "scipy.special.yv": (2000, BESSEL),
    "scipy.special.yve": (90, BESSEL),
    "scipy.special.zeta": (300, VALUE),
    "scipy.special.tklmbda": (4e7, VALUE),
}
"""Function → bound for all its arguments and reason."""

_MATHIEU = "mpmath has no Mathieu functions"
_SPHEROIDAL = "mpmath has no spheroidal wave functions"
_NONCENTRAL = "mpmath has no noncentral distributions, and sums of its own need minutes at thirty points"
_SLOW = "mpmath's own function, differentiated numerically, needs minutes at thirty points"
_PARAMETER = "the derivative by the parameter has no closed form, and differences of mpmath's integral need minutes"

NO_REFERENCE: dict[str, str] = {
    **{
        f"scipy.special.mathieu_{name}[{i}]": _MATHIEU
        for name in ("cem", "sem", "modcem1", "modcem2", "modsem1", "modsem2")
        for i in (0, 1)
    },
    **{
        f"scipy.special.{kind}_{name}[{i}]": _SPHEROIDAL
        for kind in ("pro", "obl")
        for name in ("ang1", "rad1")
        for i in (0, 1)
    },
    **{f"scipy.special.{name}": _NONCENTRAL for name in ("chndtr", "chndtrix", "chndtrinc", "ncfdtr", "ncfdtri")},
    **{f"scipy.special.{name}": _NONCENTRAL for name in ("nctdtr", "nctdtrit", "nctdtrinc")},
    **{f"scipy.special.{name}": _SLOW for name in ("ber", "bei", "ker", "kei", "berp", "beip", "kerp", "keip")},
    **{f"scipy.special.kelvin[{i}]": _SLOW for i in range(4)},
    **{f"scipy.special.{name}": _SLOW for name in ("elliprj", "hyperu", "lpmv")},
    **{
        f"scipy.special.{name}:{i}": _PARAMETER
        for name, arguments in {
            "gammainc": (0,),
            "gammaincc": (0,),
            "gammaincinv": (0,),
            "gammainccinv": (0,),
            "betainc": (0, 1),
            "betaincc": (0, 1),
            "betaincinv": (0, 1),
            "betainccinv": (0, 1),
            "chdtr": (0,),
            "chdtrc": (0,),
            "chdtri": (0,),
            "gdtr": (1,),
            "gdtrc": (1,),
            "gdtrix": (0, 1),
            "gdtria": (1, 2),
            "fdtr": (0, 1),
            "fdtrc": (0, 1),
            "fdtri": (0, 1),
            "stdtr": (0,),
            "stdtrit": (0,),
            "expn": (0,),
        }.items()
        for i in arguments
    },
}
"""Function, or function:argument, → why there is nothing to compare with."""
