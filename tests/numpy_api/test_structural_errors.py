"""Wrong calls of the shape functions: NumPy's kind of error, or ours with the form that works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.errors import ConcretizationError, NotDifferentiableError, TracerConversionError

ERRORS: list[tuple[str, Callable[[Any], Any], type[Exception], str]] = [
    ("reshape size", lambda x: np.reshape(x, (4, 2)), ValueError, "cannot reshape"),
    ("reshape twice -1", lambda x: np.reshape(x, (-1, -1)), ValueError, "cannot reshape"),
    ("reshape K", lambda x: np.reshape(x, 6, "K"), ValueError, "not permitted"),
    ("reshape order", lambda x: np.reshape(x, 6, "Q"), ValueError, "order"),
    ("reshape float", lambda x: np.reshape(x, (2.0, 3)), TypeError, "integer"),
    ("transpose repeated", lambda x: np.transpose(x, (0, 0)), ValueError, "repeated"),
    ("transpose few", lambda x: np.transpose(x, (0,)), ValueError, "match"),
    ("moveaxis range", lambda x: np.moveaxis(x, 2, 0), np.exceptions.AxisError, "out of bounds"),
    ("moveaxis count", lambda x: np.moveaxis(x, (0, 1), (0,)), ValueError, "same number"),
    ("matrix_transpose", lambda x: np.matrix_transpose(x[0]), ValueError, "2-dimensional"),
    ("squeeze", lambda x: np.squeeze(x, 0), ValueError, "not equal to one"),
    ("broadcast", lambda x: np.broadcast_to(x, (3, 3)), ValueError, "broadcast"),
    ("rot90 axes", lambda x: np.rot90(x, axes=(0, 0)), ValueError, "different"),
    ("concatenate shapes", lambda x: np.concatenate([x, x[:, :1]]), ValueError, "must agree"),
    ("concatenate 0-d", lambda x: np.concatenate([x[0, 0], x[0, 0]]), ValueError, "zero-dimensional"),
    ("concatenate out", lambda x: np.concatenate([x, x], out=np.empty((4, 3))), TracerConversionError, "zeros_like"),
    ("concatenate nested", lambda x: np.concatenate([x[0], [x[0, 0], 1.0]]), TracerConversionError, "np.stack"),
    ("stack shapes", lambda x: np.stack([x, x[0]]), ValueError, "same shape"),
    ("block tuple", lambda x: np.block((x, x)), TypeError, "tuple"),
    ("block depths", lambda x: np.block([[x], x]), ValueError, "depth"),
    ("split uneven", lambda x: np.split(x, 2, axis=1), ValueError, "equal division"),
    ("split zero", lambda x: np.array_split(x, 0), ValueError, "larger than 0"),
    ("repeat negative", lambda x: np.repeat(x, -1), ValueError, "negative"),
    ("repeat float", lambda x: np.repeat(x, 1.5), TypeError, "integers"),
    ("pad mode", lambda x: np.pad(x, 1, mode="empty"), NotDifferentiableError, "reflect"),
    ("pad callable", lambda x: np.pad(x, 1, mode=lambda *a: None), NotDifferentiableError, "reflect"),
    ("pad unknown mode", lambda x: np.pad(x, 1, mode="nothing"), ValueError, "not supported"),
    ("pad option", lambda x: np.pad(x, 1, mode="edge", stat_length=1), ValueError, "unsupported keyword"),
    ("pad negative", lambda x: np.pad(x, -1), ValueError, "negative"),
    ("pad float", lambda x: np.pad(x, 1.5), TypeError, "integral"),
    ("diag 3-d", lambda x: np.diag(x[None]), ValueError, "1- or 2-d"),
    ("diagonal axes", lambda x: np.diagonal(x, 0, 1, 1), ValueError, "same"),
    ("trace out", lambda x: np.trace(x, out=np.empty(())), TracerConversionError, "zeros_like"),
    ("vander 2-d", lambda x: np.vander(x), ValueError, "one-dimensional"),
    ("linspace count", lambda x: np.linspace(x, 1.0, -1), ValueError, "non-negative"),
    ("full_like device", lambda x: np.full_like(x, 1.0, device="gpu"), ValueError, "Device"),
    ("linspace device", lambda x: np.linspace(x, 1.0, device="gpu"), ValueError, "Device"),
    ("geomspace zero", lambda x: np.geomspace(x * 0, 1.0), ValueError, "zero"),
]


@pytest.mark.parametrize(("fun", "error", "match"), [pytest.param(*c[1:], id=c[0]) for c in ERRORS])
def test_errors(fun: Callable[[Any], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        cv.vjp(fun, np.ones((2, 3)))


def test_counts_that_depend_on_the_lane_are_refused() -> None:
    with pytest.raises(ConcretizationError, match="repeats"):
        cv.vmap(lambda x, n: np.repeat(x, n))(np.ones((2, 3)), np.array([1, 2]))
