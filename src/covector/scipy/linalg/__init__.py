"""`scipy.linalg` for traced values: equations, factorizations, functions of matrices, matrices of a pattern.

Every function has SciPy's name and signature, and takes stacks of matrices along leading axes. Where SciPy reads one
triangle of a matrix, the other one has derivative zero. Hints such as ``overwrite_a`` are accepted; traced values are
never overwritten.
"""

from ...ops import lapack as _primitives
from .banded import solve_banded, solveh_banded
from .equations import cho_solve, lu_solve, solve, solve_triangular
from .factorizations import cho_factor, cholesky, lu, lu_factor, qr
from .functions import det, expm, expm_frechet, inv, logm, norm, pinv, sqrtm
from .patterns import block_diag, circulant, hankel, toeplitz
from .spectral import eigh, eigvalsh, svd, svdvals
from .sylvester import solve_continuous_lyapunov, solve_discrete_lyapunov, solve_lyapunov, solve_sylvester

__all__ = [
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "circulant",
    "det",
    "eigh",
    "eigvalsh",
    "expm",
    "expm_frechet",
    "hankel",
    "inv",
    "logm",
    "lu",
    "lu_factor",
    "lu_solve",
    "norm",
    "pinv",
    "qr",
    "solve",
    "solve_banded",
    "solve_continuous_lyapunov",
    "solve_discrete_lyapunov",
    "solve_lyapunov",
    "solve_sylvester",
    "solve_triangular",
    "solveh_banded",
    "sqrtm",
    "svd",
    "svdvals",
    "toeplitz",
]
