"""What no registry can know: names that have nothing to do with derivatives, and what NumPy converts without asking.

A group has one reason for all its names. A name here that has a rule after all is a mistake, which a test reports.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .catalog import Entry

__all__ = ["OUTSIDE", "REPLACED", "limit", "outside", "replaced"]

OUTSIDE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "settings and information of the library",
        (
            *("numpy.get_include", "numpy.get_printoptions", "numpy.getbufsize", "numpy.geterr", "numpy.geterrcall"),
            *("numpy.info", "numpy.printoptions", "numpy.set_printoptions", "numpy.setbufsize", "numpy.seterr"),
            *("numpy.seterrcall", "numpy.show_config", "numpy.show_runtime", "numpy.errstate"),
            "numpy.polynomial.set_default_printstyle",
        ),
    ),
    (
        "runs NumPy's own tests",
        ("numpy.test", "numpy.linalg.test", "numpy.fft.test", "numpy.polynomial.test"),
    ),
    (
        "about dtypes, which are not values",
        (
            *("numpy.dtype", "numpy.finfo", "numpy.iinfo", "numpy.isdtype", "numpy.issubdtype", "numpy.mintypecode"),
            *("numpy.promote_types", "numpy.typename", "numpy.datetime_data", "numpy.ufunc"),
        ),
    ),
    (
        "of plain sizes, indices and shapes",
        (
            *("numpy.broadcast_shapes", "numpy.diag_indices", "numpy.indices", "numpy.mask_indices", "numpy.ndindex"),
            *("numpy.tril_indices", "numpy.triu_indices", "numpy.bartlett", "numpy.blackman", "numpy.hamming"),
            *("numpy.hanning", "numpy.fft.fftfreq", "numpy.fft.rfftfreq"),
        ),
    ),
    (
        "text of plain numbers",
        (
            *("numpy.base_repr", "numpy.binary_repr", "numpy.format_float_positional"),
            "numpy.format_float_scientific",
        ),
    ),
    (
        "removed in NumPy 2.0, where an error message is all that is left of it",
        ("numpy.ndarray.itemset", "numpy.ndarray.newbyteorder", "numpy.ndarray.ptp"),
    ),
    ("reads a file", ("numpy.load", "numpy.fromregex", "numpy.memmap")),
    (
        "a container or iterator of plain arrays",
        (
            *("numpy.ndarray", "numpy.recarray", "numpy.record", "numpy.flatiter", "numpy.nested_iters"),
            "numpy.busdaycalendar",
        ),
    ),
    ("about dates", ("numpy.isnat",)),
    ("an error class", ("numpy.linalg.LinAlgError",)),
    (
        "about memory, which a traced value does not show",
        (
            *(f"numpy.ndarray.{name}" for name in ("base", "ctypes", "data", "flags", "strides")),
            *("numpy.ndarray.getfield", "numpy.ndarray.setfield", "numpy.isfortran"),
        ),
    ),
    (
        "part of NumPy's protocols between array types and of pickling",
        (
            *(f"numpy.ndarray.__array_{name}__" for name in ("finalize", "interface", "priority", "struct", "wrap")),
            *(f"numpy.ndarray.__array_{name}__" for name in ("function", "ufunc")),
            "numpy.ndarray.__array_namespace__",
            *(f"numpy.ndarray.__{name}__" for name in ("class_getitem", "setstate", "delitem", "buffer")),
        ),
    ),
    (
        "nodes and weights of a plain degree",
        (
            *(f"numpy.polynomial.chebyshev.{name}" for name in ("chebpts1", "chebpts2", "chebgauss")),
            "numpy.polynomial.legendre.leggauss",
            "numpy.polynomial.laguerre.laggauss",
            "numpy.polynomial.hermite.hermgauss",
            "numpy.polynomial.hermite_e.hermegauss",
        ),
    ),
)
"""(reason, names): nothing here takes or gives an array of numbers that depends on another."""

_BUILD = "NumPy makes a plain array of it without asking; np.stack([t, u]) builds arrays, as does covector.numpy.array"
_NEVER_ASKS = "NumPy converts its argument to a plain array without asking; "

REPLACED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        _BUILD,
        (
            *("numpy.array", "numpy.asarray", "numpy.asanyarray", "numpy.ascontiguousarray", "numpy.asfortranarray"),
            *("numpy.asarray_chkfinite", "numpy.require", "numpy.fromiter"),
        ),
    ),
    (_NEVER_ASKS + "use arrays: matrices keep no derivative", ("numpy.asmatrix", "numpy.matrix", "numpy.bmat")),
    (_NEVER_ASKS + "use np.broadcast_arrays or np.broadcast_shapes", ("numpy.broadcast",)),
    (_NEVER_ASKS + "iterate over x.ravel(), or np.ndindex(x.shape) and x[i]", ("numpy.nditer", "numpy.ndenumerate")),
    (_NEVER_ASKS + "use coefficients in an array with np.polyval", ("numpy.poly1d",)),
    (
        "it makes arrays of Python objects; write the function with NumPy's, or map it with covector.vmap",
        ("numpy.vectorize", "numpy.frompyfunc"),
    ),
    (
        "a traced value shares no memory; use it as it is, or return it first",
        ("numpy.from_dlpack", "numpy.ndarray.__dlpack__", "numpy.ndarray.__dlpack_device__"),
    ),
    (_NEVER_ASKS + "use np.i0: np.i0(beta * np.sqrt(1 - r**2)) / np.i0(beta)", ("numpy.kaiser",)),
    (
        _NEVER_ASKS + "use np.lib.stride_tricks.sliding_window_view, or indexing",
        ("numpy.lib.stride_tricks.as_strided",),
    ),
    (
        "it would drop the derivative; use np functions of the value itself",
        (
            *("numpy.ndarray.__array__", "numpy.ndarray.__float__", "numpy.ndarray.__complex__"),
            "numpy.ndarray.tostring",
        ),
    ),
)
"""(reason and supported form, names): refused by NumPy's own conversion, not by an entry of the registry."""


def _find(groups: tuple[tuple[str, tuple[str, ...]], ...], full: str) -> str | None:
    return next((reason for reason, names in groups if full in names), None)


def outside(entry: Entry) -> str | None:
    """Return why a name has nothing to do with derivatives, or None."""
    kind: Any = entry.function
    if isinstance(kind, type) and issubclass(kind, np.generic) and _abstract(kind):
        return "an abstract or non-numeric scalar type"
    return _find(OUTSIDE, entry.full)


def replaced(entry: Entry) -> str | None:
    """Return what to use in place of a name that NumPy evaluates without asking us, or None."""
    kind: Any = entry.function
    if isinstance(kind, type) and issubclass(kind, np.generic):
        return "a scalar type makes a plain number; use t.astype(dtype)"
    if entry.section.startswith("numpy.polynomial"):
        return _NEVER_ASKS.rstrip("; ")
    return _find(REPLACED, entry.full)


_LIMITED = (
    (
        ("val2d", "val3d", "grid2d", "grid3d", "valfromroots"),
        "at a single traced point: of an array use covector.numpy.polynomial",
    ),
    (("val",), "with coefficients in one dimension: of more use covector.numpy.polynomial"),
)
"""(endings, limit) for functions of `numpy.polynomial` that ask whether the points are an `ndarray`: a traced array is
none, and NumPy then broadcasts the coefficients in another way, without a word."""


def limit(entry: Entry) -> str:
    """Return the condition under which a function that NumPy lets traced values through is right, or ""."""
    if not entry.section.startswith("numpy.polynomial."):
        return ""
    return next((text for endings, text in _LIMITED if entry.name.endswith(endings)), "")


def _abstract(kind: type[np.generic]) -> bool:
    numeric = issubclass(kind, np.number | np.bool_)
    return not numeric or kind in _ABSTRACT


_ABSTRACT = (
    *(np.number, np.integer, np.signedinteger, np.unsignedinteger, np.inexact, np.floating, np.complexfloating),
    np.timedelta64,
)
