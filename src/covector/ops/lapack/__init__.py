"""Primitives behind `covector.scipy.linalg` that NumPy has no function for; SciPy is loaded when the first one runs.

They load late, with the first use of `covector.scipy.linalg`, because few programs need them.
"""

from . import banded, hermitian, lu, matrix_functions, sylvester, triangular

__all__ = ["banded", "hermitian", "lu", "matrix_functions", "sylvester", "triangular"]
