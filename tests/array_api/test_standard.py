"""`covector.numpy` complies with the array API standard, for plain and for traced arrays."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

import covector
import covector.numpy as cnp
from array_api.standard import CALLS, CONSTANT_CALLS, CONSTANTS, SIGNATURES
from helpers import assert_same_as_numpy, check

LINES = [line for line in SIGNATURES.split("\n") if line]
if not hasattr(np, "__array_namespace_info__"):
    pytest.skip("NumPy 2.0 does not have all of the standard", allow_module_level=True)
DTYPES = tuple(np.__array_namespace_info__().dtypes())


def lookup(name: str) -> Any:
    out: Any = cnp
    for part in name.split("."):
        out = getattr(out, part)
    return out


LINES_OF = {line.split("(")[0]: line for line in LINES}


@pytest.mark.parametrize("line", LINES)
def test_every_function_takes_what_the_standard_says(line: str) -> None:
    name, signature = re.fullmatch(r"([\w.]+)(\(.*\))", line).groups()  # type: ignore[union-attr]
    function = lookup(name)
    assert callable(function)
    wanted = inspect.signature(eval(f"lambda {signature[1:-1]}: None")).parameters.values()
    only = [0 for p in wanted if p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)]
    either = {p.name: 0 for p in wanted if p.kind is p.POSITIONAL_OR_KEYWORD}
    keywords = {p.name: 0 for p in wanted if p.kind is p.KEYWORD_ONLY}
    if isinstance(function, np.ufunc):
        assert function.nin == len(only) and not either
        assert keywords.keys() <= {"axis"}  # vecdot and matmul are generalized ufuncs
        return
    own = inspect.signature(function)
    own.bind(*only, **either, **keywords)
    own.bind(*only, *either.values(), **keywords)


def test_the_table_is_complete() -> None:
    assert len(LINES) == 171
    covered = {name for name, _, _ in CALLS + CONSTANT_CALLS}
    elsewhere = {"__array_namespace_info__", "finfo", "iinfo", "from_dlpack"}
    assert covered | elsewhere == set(LINES_OF)


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants(name: str) -> None:
    assert getattr(cnp, name) is getattr(np, name)


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes(name: str) -> None:
    assert np.dtype(getattr(cnp, name)).name == name
    assert cnp.isdtype(np.dtype(name), getattr(cnp, name))


def values(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list) else [x]


@pytest.mark.parametrize(
    ("name", "call", "arrays"), CALLS + CONSTANT_CALLS, ids=[n for n, _, _ in CALLS + CONSTANT_CALLS]
)
def test_plain_arrays_give_plain_arrays_equal_to_those_of_numpy(name: str, call: Any, arrays: Any) -> None:
    if name == "fft.fftfreq":  # NumPy's takes no dtype yet
        want = [np.fft.fftfreq(4, d=arrays[0][0])]
    else:
        want = values(call(np, *arrays))
    for a, b in zip(values(call(cnp, *arrays)), want, strict=True):
        assert isinstance(a, np.ndarray | np.generic)
        assert_same_as_numpy(a, b)


@pytest.mark.parametrize(("name", "call", "arrays"), CALLS, ids=[name for name, _, _ in CALLS])
def test_derivatives(name: str, call: Any, arrays: Any) -> None:
    def same(*xs: Any) -> Any:
        return [x for x in values(call(cnp, *xs)) if x.dtype.kind in "fc"]

    if name == "arange":  # the number of elements depends on values, which vmap cannot allow
        x = arrays[0]
        _, tangent = covector.jvp(same, (x,), (np.ones_like(x),))
        difference = (same_plain(call, x + 1e-6) - same_plain(call, x - 1e-6)) / 2e-6
        np.testing.assert_allclose(tangent[0], difference, rtol=1e-8)
        ct = np.linspace(1.0, 2.0, len(difference))
        (grad,) = covector.vjp(same, x)[1]([ct])
        np.testing.assert_allclose(np.sum(grad), ct @ tangent[0], rtol=1e-12)
    else:
        check(same, *arrays, order=1)


def same_plain(call: Any, x: Any) -> Any:
    return call(cnp, x)


@pytest.mark.parametrize(("name", "call", "arrays"), CONSTANT_CALLS, ids=[name for name, _, _ in CONSTANT_CALLS])
def test_functions_without_derivative_of_traced_arrays(name: str, call: Any, arrays: Any) -> None:
    def fun(t: Any) -> Any:
        xs = [x * t if x.dtype.kind == "f" else cnp.asarray(x, copy=True) for x in arrays]
        return t, values(call(cnp, *xs))

    _, _, aux = covector.vjp(fun, 1.0, has_aux=True)
    for a, b in zip(aux, values(call(cnp, *arrays)), strict=True):
        assert_same_as_numpy(a, b)


# --- what NumPy itself does not have ----------------------------------------------------------------------------------


def test_descending_order() -> None:
    x = np.array([2.0, 1.0, 2.0, 3.0])
    assert cnp.sort(x, descending=True).tolist() == [3.0, 2.0, 2.0, 1.0]
    assert cnp.argsort(x, descending=True).tolist() == [3, 0, 2, 1]  # stable: equal elements keep their order
    assert cnp.argsort(x[None], axis=None, descending=True).tolist() == [3, 0, 2, 1]
    weights = np.arange(4.0)
    gradient = covector.grad(lambda x: cnp.sum(weights * cnp.sort(x, descending=True)))(np.array([2.0, 1.0, 5.0, 3.0]))
    assert gradient.tolist() == [2.0, 3.0, 0.0, 1.0]


def test_limits_of_dtypes_arrays_and_traced_values() -> None:
    x = np.ones(2, np.float32)
    assert cnp.finfo(x).eps == cnp.finfo(np.float32).eps == cnp.finfo(x.dtype).eps == np.finfo(np.float32).eps
    assert cnp.iinfo(np.arange(2, dtype=np.int8)).max == cnp.iinfo("int8").max == 127
    value = covector.grad(lambda t: t * float(cnp.finfo(t).smallest_normal > 0))(1.0)
    assert value == 1.0


def test_clip_with_one_bound() -> None:
    x = np.array([-1.0, 2.0])
    assert cnp.clip(x, 0.0).tolist() == cnp.clip(x, min=0.0).tolist() == [0.0, 2.0]
    assert cnp.clip(x, max=0.0).tolist() == [-1.0, 0.0]
    assert cnp.clip(x) is not x and cnp.clip(x).tolist() == x.tolist()
    assert covector.grad(lambda x: cnp.sum(cnp.clip(x, 0.0)))(x).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="forbidden"):
        cnp.clip(x, 0.0, min=1.0)


def test_count_nonzero_has_a_dtype() -> None:
    assert cnp.count_nonzero(np.array([1, 0, 2])).dtype == np.intp
    assert cnp.count_nonzero([[1, 0], [2, 3]], axis=0).tolist() == [2, 1]


def test_frequencies_in_a_given_dtype() -> None:
    assert cnp.fft.fftfreq(4, dtype=cnp.float32).dtype == np.float32
    assert cnp.fft.rfftfreq(4, d=0.5).tolist() == np.fft.rfftfreq(4, 0.5).tolist()


def test_take_along_the_last_axis_by_default() -> None:
    x = np.array([[3.0, 1.0], [2.0, 4.0]])
    assert_same_as_numpy(cnp.take_along_axis(x, cnp.argsort(x)), np.sort(x))


# --- the array object -------------------------------------------------------------------------------------------------


def test_traced_arrays_name_their_namespace() -> None:
    def fun(t: Any) -> Any:
        for version in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            assert t.__array_namespace__(api_version=version) is cnp
        with pytest.raises(ValueError, match="1999"):
            t.__array_namespace__(api_version="1999.12")
        assert t.device == "cpu" and t.to_device("cpu") is t
        with pytest.raises(ValueError, match="cpu"):
            t.to_device("gpu")
        assert t.ndim == 2 and t.size == 6 and t.shape == (2, 3) and t.dtype == np.float64
        assert t.T.shape == t.mT.shape == (3, 2)
        return t

    covector.vjp(fun, np.ones((2, 3)))
    covector.vmap(fun)(np.ones((1, 2, 3)))
    assert cnp.__array_api_version__ == "2024.12"


def test_traced_arrays_do_not_leave_through_dlpack() -> None:
    with pytest.raises(covector.TracerConversionError, match="derivative"):
        covector.grad(lambda x: cnp.sum(cnp.from_dlpack(x)))(np.ones(2))
    assert cnp.from_dlpack(np.arange(3.0)).tolist() == [0.0, 1.0, 2.0]


def test_namespace_info() -> None:
    info = cnp.__array_namespace_info__()
    assert info.default_device() == "cpu" and "cpu" in info.devices()
    assert info.dtypes(kind="real floating").keys() == {"float32", "float64"}
    assert info.default_dtypes()["real floating"] == np.float64
    assert info.capabilities()["boolean indexing"] is True
