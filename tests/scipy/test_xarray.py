"""A traced array inside an xarray DataArray is a duck array: xarray's operations are differentiated through."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.tracer import Tracer
from helpers import check

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    xr = pytest.importorskip("xarray")

X = np.array([[0.5, -1.2, 2.0], [1.5, 0.3, -0.7]])
PLACE = np.array([10.0, 20.0])
WEIGHT = np.array([1.0, 2.0, 3.0])


def _array(x: Any) -> Any:
    return xr.DataArray(x, dims=("place", "time"), coords={"place": PLACE, "time": [1, 2, 3]})


_WEIGHTS = xr.DataArray(WEIGHT, dims=("time",), coords={"time": [1, 2, 3]})

FORMS: dict[str, Callable[[Any], Any]] = {
    "arithmetic": lambda a: a * a - 2 * a / 3 + 1,
    "power": lambda a: a**2,
    "negative": lambda a: -a,
    "ufunc": lambda a: np.sin(a) + np.exp(a),
    "sum": lambda a: (a * a).sum("time"),
    "sum skipna": lambda a: (a * a).sum("time", skipna=True),
    "mean": lambda a: (a * a).mean("place"),
    "mean skipna=False": lambda a: (a * a).mean("place", skipna=False),
    "std": lambda a: a.std("time"),
    "max": lambda a: a.max("time"),
    "prod": lambda a: a.prod("time"),
    "broadcast by name": lambda a: a * _WEIGHTS,
    "broadcast from the left": lambda a: _WEIGHTS * a,
    "new dimension": lambda a: a.isel(time=0) * _WEIGHTS,
    "isel": lambda a: a.isel(time=1) * a.isel(place=slice(0, 1)),
    "isel with a list": lambda a: a.isel(time=[0, 2]),
    "sel": lambda a: a.sel(place=20.0),
    "getitem": lambda a: a[:, 1:],
    "where": lambda a: a.where(a > 0, 0.5 * a),
    "where NaN": lambda a: a.where(a["time"] > 1).sum("time"),
    "xr.where": lambda a: xr.where(a > 0, a * a, 2.0),
    "transpose": lambda a: a.transpose("time", "place") * a,
    "clip": lambda a: a.clip(-1.0, 1.0),
    "dot": lambda a: a.dot(_WEIGHTS),
    "xr.dot": lambda a: xr.dot(a, a, dim="time"),
    "concat": lambda a: xr.concat([a, a * a], dim="place"),
    "cumsum": lambda a: a.cumsum("time"),
    "diff": lambda a: (a * a).diff("time"),
    "shift": lambda a: a.shift(time=1, fill_value=0.0),
    "coordinates take part": lambda a: a * a["place"],
    "expand_dims": lambda a: a.expand_dims("batch"),
    "stack": lambda a: a.stack(both=("place", "time")),
    "apply_ufunc": lambda a: xr.apply_ufunc(lambda x: np.cos(x), a),
}


@pytest.mark.parametrize("name", FORMS)
def test_values_and_derivatives(name: str) -> None:
    form = FORMS[name]

    def fun(x: Any) -> Any:
        return form(_array(x)).data

    value, _ = cv.vjp(fun, X)
    np.testing.assert_allclose(value, fun(X), rtol=1e-14, atol=1e-14)
    check(fun, X)


def test_data_is_the_traced_array_and_coordinates_are_plain() -> None:
    def fun(x: Any) -> Any:
        a = _array(x) * 2
        assert isinstance(a.data, Tracer)
        assert isinstance(a["place"].values, np.ndarray)
        assert a.dims == ("place", "time")
        return a.data

    cv.vjp(fun, X)


def test_a_traced_array_prints_inside_a_data_array() -> None:
    def fun(x: Any) -> Any:
        assert "place" in repr(_array(x))
        return x

    cv.vjp(fun, X)


def test_values_of_a_traced_array_raise_our_error() -> None:
    with pytest.raises(cv.TracerConversionError, match="drop the derivative"):
        cv.grad(lambda x: _array(x).values.sum())(X)


@pytest.mark.parametrize("reduction", ["sum", "mean", "prod", "std", "max"])
def test_a_reduction_to_a_number(reduction: str) -> None:
    """xarray takes what can be indexed for an array, and a traced number can be."""

    def fun(x: Any) -> Any:
        return getattr(_array(x) ** 2, reduction)().data

    np.testing.assert_allclose(cv.vjp(fun, X)[0], fun(X), rtol=1e-14)
    check(fun, X)


def test_a_loss_is_written_with_xarray_alone() -> None:
    loss = lambda x: ((_array(x) * _WEIGHTS) ** 2).sum().data
    np.testing.assert_allclose(cv.grad(loss)(X), 2 * X * WEIGHT**2, rtol=1e-14)
    np.testing.assert_allclose(cv.vmap(cv.grad(loss))(np.stack([X, -X]))[1], -2 * X * WEIGHT**2, rtol=1e-14)
