"""BLAS and LAPACK routines, called by compiled code and by address."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest

from covector.compiler.linalg import blas
from covector.compiler.native import llvm

INTEGER = {32: (np.int32, "i32"), 64: (np.int64, "i64")}

# C = A B for row-major matrices is what Fortran calls C' = B' A'. The letter N, one and zero are constants.
PRODUCT = """
@letter = private constant i8 78
@one = private constant double 1.0
@zero = private constant double 0.0
declare void @cv_dgemm(ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr, ptr)
define void @product(ptr %a, ptr %b, ptr %c, {i} %m0, {i} %k0, {i} %n0) {{
  %m = alloca {i}
  %k = alloca {i}
  %n = alloca {i}
  store {i} %m0, ptr %m
  store {i} %k0, ptr %k
  store {i} %n0, ptr %n
  call void @cv_dgemm(ptr @letter, ptr @letter, ptr %n, ptr %m, ptr %k, ptr @one, ptr %b, ptr %n, ptr %a, ptr %k,
                      ptr @zero, ptr %c, ptr %n)
  ret void
}}
"""


def pointers(*values: object) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(v.ctypes.data) for v in values]  # type: ignore[attr-defined]


def test_compiled_code_multiplies_matrices() -> None:
    rng = np.random.default_rng(0)
    dtype, name = INTEGER[blas.integer()]
    blas.install(["dgemm"])
    code = llvm.compile_ir(PRODUCT.format(i=name), ["product"])
    width = np.ctypeslib.as_ctypes_type(dtype)
    product = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, *[width] * 3)(code.address("product"))
    a, b, c = rng.normal(size=(3, 4)), rng.normal(size=(4, 5)), np.full((3, 5), np.nan)
    product(*pointers(a, b, c), 3, 4, 5)
    np.testing.assert_allclose(c, a @ b, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "dtype"), [("spotrf", np.float32), ("dpotrf", np.float64), ("cpotrf", "c8"), ("zpotrf", "c16")]
)
def test_lapack_factorises(name: str, dtype: object) -> None:
    rng = np.random.default_rng(1)
    integer = INTEGER[blas.integer()][0]
    half = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    matrix = (half @ half.conj().T + 4 * np.eye(4)).astype("c16")
    matrix = np.asfortranarray((matrix if np.dtype(dtype).kind == "c" else matrix.real).astype(dtype))  # type: ignore
    given = matrix.copy()
    n, info, letter = np.array(4, integer), np.array(7, integer), np.frombuffer(b"L", np.int8)
    routine = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 5)(blas.address(name))
    routine(*pointers(letter, n, matrix, n, info))
    assert info == 0
    np.testing.assert_allclose(np.tril(matrix), np.linalg.cholesky(given), rtol=1e-5 if name[0] in "sc" else 1e-13)


@pytest.mark.parametrize(("name", "dtype", "result"), [("ddot", "f8", ctypes.c_double), ("sdot", "f4", ctypes.c_float)])
def test_functions_return_real_values(name: str, dtype: str, result: type) -> None:
    n, one = (np.array(k, INTEGER[blas.integer()][0]) for k in (3, 1))
    x, y = np.array([1, 2, 3], dtype), np.array([4, 5, 6], dtype)
    function = ctypes.CFUNCTYPE(result, *[ctypes.c_void_p] * 5)(blas.address(name))
    assert function(*pointers(n, x, one, y, one)) == 32.0


def test_everything_that_compiled_code_may_want_is_there() -> None:
    for name in ("gemm", "gemv", "trsm", "potrf", "potrs", "getrf", "getrs", "trtrs", "geqrf", "gesdd"):
        for kind in "sdcz":
            blas.install([f"{kind}{name}"])
            assert llvm.has_symbol(f"cv_{kind}{name}")
    blas.install(["dsyrk", "zherk", "dsyevd", "zheevd", "dorgqr", "zungqr"])


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(KeyError, match="SciPy exports no BLAS or LAPACK routine 'dgemmm'"):
        blas.install(["dgemmm"])
    with pytest.raises(TypeError, match="zdotu returns a complex number"):
        blas.address("zdotu")


def test_loading_leaves_scipy_as_it_is() -> None:
    program = """
import sys
import covector
assert not [m for m in sys.modules if m.split(".")[0] in ("scipy", "llvmlite")]
from covector.compiler.linalg import blas
first = blas.address("dgemm"), blas.address("dgetrf")
assert "scipy.linalg" not in sys.modules  # which takes long
import scipy.linalg
assert scipy.linalg.cython_blas.__name__ == "scipy.linalg.cython_blas"
assert scipy.linalg.cython_lapack.__pyx_capi__
from scipy.linalg.cython_blas import __pyx_capi__
import numpy as np
assert np.allclose(scipy.linalg.solve(2 * np.eye(3), np.ones(3)), 0.5)
import scipy.special, scipy.sparse.linalg, scipy.optimize
blas.address.cache_clear(); blas._exports.cache_clear()
assert (blas.address("dgemm"), blas.address("dgetrf")) == first
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
