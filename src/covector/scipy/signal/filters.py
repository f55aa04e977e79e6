"""Recursive filters."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.tracer import concrete
from ...core.values import dtype_of
from ...numpy_api.axes import normalize_axis
from ...numpy_api.structural import as_array
from ...ops.complex_parts import astype
from ...ops.filtering import all_pole_p, convolve_axes_p
from ..adapter import adapts, together

__all__ = ["lfilter", "sosfilt"]


def _real_or_complex(x: Any, function: str) -> Any:
    x = as_array(x, f"scipy.signal.{function}")
    return x if dtype_of(x).kind in "fc" else astype(x, np.dtype(float))


def _longer(x: Any, n: int) -> Any:
    """Extend the last axis of `x` with zeros to length `n`."""
    missing = n - x.shape[-1]
    if not missing:
        return x
    return np.concatenate([x, np.zeros((*x.shape[:-1], missing), dtype_of(x))], axis=-1)


def _filter(b: Any, a: Any, x: Any, zi: Any) -> tuple[Any, Any]:
    """Filter along the last axis; a[0] is one, and `zi` the state, of the length of the longer of `a` and `b` less 1.

    With y and the state zf behind the end, a ∗ y = b ∗ x + zi up to the end and zf = b ∗ x + zi − a ∗ y behind it.
    """
    n = x.shape[-1]
    order = max(a.shape[-1], b.shape[-1])
    a, b = _longer(a, order), _longer(b, order)
    driven = _convolved(b, x)
    if zi is not None:
        driven = driven + _longer(zi, n + order - 1)
    y = all_pole_p(a, driven[..., :n]) if order > 1 else driven
    rest = None if zi is None else (driven - _convolved(a, y))[..., n:]
    return y, rest


def _convolved(b: Any, x: Any) -> Any:
    return convolve_axes_p(b, x, mode="full", rank=1, method="direct")


@adapts("scipy.signal")
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter along one axis with a rational transfer function, as `scipy.signal.lfilter`.

    Parameters
    ----------
    b, a : array
        Coefficients of numerator and denominator, vectors.
    x : array
        The signal.
    axis : int, default -1
        The axis to filter along.
    zi : array, optional
        Initial state: as `x`, with ``max(len(a), len(b)) - 1`` elements along `axis`, or of length one along others.

    Returns
    -------
    array
        The filtered signal; with `zi` a pair with the final state.

    Notes
    -----
    From a ∗ y = b ∗ x follows a ∗ dy = db ∗ x + b ∗ dx − da ∗ y, so that the tangent is a filtered signal; the
    cotangent is one filtered backwards.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> cv.grad(lambda a: signal.lfilter(np.ones(1), a, np.array([1.0, 0.0, 0.0]))[2])(np.array([1.0, -0.5]))
    array([-0.75, -1.  ])
    """
    b, a = (np.atleast_1d(_real_or_complex(v, "lfilter")) for v in (b, a))
    if b.ndim != 1 or not b.size or a.ndim != 1 or not a.size:
        raise ValueError(f"lfilter: b and a must be non-empty vectors, got shapes {b.shape} and {a.shape}")
    x = _real_or_complex(x, "lfilter")
    if not x.ndim:
        raise ValueError("x must be at least 1-D")
    axis = normalize_axis(axis, x.ndim)
    b, a, x = together(b, a, x)
    b, a = b / a[0], a / a[0]
    x = np.moveaxis(x, axis, -1)
    if zi is None:
        return np.moveaxis(_filter(b, a, x, None)[0], -1, axis)
    zi = np.moveaxis(_real_or_complex(zi, "lfilter"), axis, -1) if np.ndim(zi) == x.ndim else as_array(zi, "lfilter")
    order = max(a.size, b.size) - 1
    fits = zi.ndim == x.ndim and zi.shape[-1] == order
    if not fits or any(n not in (1, m) for n, m in zip(zi.shape[:-1], x.shape[:-1], strict=True)):
        raise ValueError(f"Unexpected shape for parameter zi: expected {(*x.shape[:-1], order)} with axis {axis} last")
    b, a, x, zi = together(b, a, x, zi)
    y, rest = _filter(b, a, x, np.broadcast_to(zi, (*x.shape[:-1], order)))
    return np.moveaxis(y, -1, axis), np.moveaxis(rest, -1, axis)


@adapts("scipy.signal")
def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter along one axis with a chain of second-order sections, as `scipy.signal.sosfilt`.

    Parameters
    ----------
    sos : array
        One row of coefficients b and a, with a[0] = 1, per section.
    x : array
        The signal.
    axis : int, default -1
        The axis to filter along.
    zi : array, optional
        Initial states, one per section: as `x`, with two elements along `axis`.

    Returns
    -------
    array
        The filtered signal; with `zi` a pair with the final states.

    Notes
    -----
    The derivatives of `lfilter`, section by section. The coefficients a[0], which must be 1, are constants.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> sos = np.array([[1.0, 0.0, 0.0, 1.0, -0.5, 0.0]])
    >>> cv.grad(lambda x: signal.sosfilt(sos, x)[2])(np.ones(3))
    array([0.25, 0.5 , 1.  ])
    """
    sos, x = together(*(_real_or_complex(v, "sosfilt") for v in (sos, x)))
    if sos.ndim != 2 or sos.shape[1] != 6:
        raise ValueError(f"sosfilt: sos must have shape (n_sections, 6), got {sos.shape}")
    if not x.ndim:
        raise ValueError("x must be at least 1-D")
    leading = concrete(sos[:, 3])
    if leading is not None and not np.all(leading == 1):
        raise ValueError("sos[:, 3] should be all ones")
    axis = normalize_axis(axis, x.ndim)
    sections = sos.shape[0]
    states: list[Any] = [None] * sections
    if zi is not None:
        zi = _real_or_complex(zi, "sosfilt")
        expected = (sections, *x.shape[:axis], 2, *x.shape[axis + 1 :])
        if zi.shape != expected:
            raise ValueError(
                f"Invalid zi shape. With axis={axis!r}, zi must have shape {expected!r}, got {zi.shape!r}."
            )
        sos, x, zi = together(sos, x, zi)
        states = [np.moveaxis(zi[i], axis, -1) for i in range(sections)]
    y = np.moveaxis(x, axis, -1)
    one = np.ones(1, dtype_of(sos))
    for i in range(sections):
        a = np.concatenate([one, sos[i, 4:]])
        y, states[i] = _filter(sos[i, :3], a, y, states[i])
    out = np.moveaxis(y, -1, axis)
    return out if zi is None else (out, np.stack([np.moveaxis(z, -1, axis) for z in states]))
