"""Arithmetic of basic indices against NumPy's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covector.compiler.passes.places import compose, disjoint, index_of, selected_shape, selection, within

SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)


@st.composite
def indices(draw: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    out: list[Any] = []
    for n in shape:
        a, b = draw(st.integers(-n, n)), draw(st.integers(-n, n))
        step = draw(st.sampled_from([1, 1, 2, -1, -2, 3]))
        choices: list[Any] = [slice(None), slice(a, b, step), slice(None, None, step)]
        out.append(draw(st.sampled_from([*choices, min(a, n - 1)] if n else choices)))
    while draw(st.integers(0, 3)) == 3:
        out.insert(draw(st.integers(0, len(out))), None)
    if draw(st.booleans()):
        while out and isinstance(out[-1], slice) and out[-1] == slice(None):
            out.pop()
    return tuple(out)


@given(st.data())
def test_selections_take_what_numpy_takes(data: Any) -> None:
    shape = data.draw(SHAPES)
    x = np.arange(np.prod(shape)).reshape(shape)
    index = data.draw(indices(shape))
    sel = selection(index, shape)
    assert selected_shape(sel) == x[index].shape
    np.testing.assert_array_equal(x[index_of(sel, shape)], x[index])
    assert index_of(selection(index_of(sel, shape), shape), shape) == index_of(sel, shape)


@given(st.data())
def test_compositions(data: Any) -> None:
    shape = data.draw(SHAPES)
    x = np.arange(np.prod(shape)).reshape(shape)
    inner = data.draw(indices(shape))
    outer = data.draw(indices(x[inner].shape))
    sel = compose(selection(inner, shape), selection(outer, x[inner].shape))
    if sel is None:
        assert None in inner
    else:
        np.testing.assert_array_equal(x[index_of(sel, shape)], x[inner][outer])


@given(st.data())
def test_comparisons(data: Any) -> None:
    shape = data.draw(SHAPES)
    x = np.arange(np.prod(shape)).reshape(shape)
    first, second = data.draw(indices(shape)), data.draw(indices(shape))
    a, b = selection(first, shape), selection(second, shape)
    common = np.intersect1d(x[first], x[second]).size
    if disjoint(a, b):
        assert not common
    place = within(a, b)
    if place is not None:
        np.testing.assert_array_equal(x[first][index_of(place, x[first].shape)], x[second])
    elif len(shape) == 1 and x[second].size:
        assert common < x[second].size


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [
        (slice(0, 3), slice(3, 6), True),
        (slice(0, None, 2), slice(1, None, 2), True),
        (slice(0, None, 2), slice(1, None, 3), False),
        (slice(None, None, -1), 4, False),
        (2, 3, True),
        (slice(1, 1), slice(None), True),
    ],
)
def test_disjoint(first: Any, second: Any, apart: bool) -> None:
    assert disjoint(selection((first,), (7,)), selection((second,), (7,))) is apart
