"""Histograms: counts are plain values; with traced weights they are sums, linear in the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.surface import TracedArray, TracedValue
from ..core.values import dtype_of
from ..ops.indexing import gather_p, scatter_p
from .plain import plain, plain_if_possible
from .register import implements
from .structural import as_array


def _fixed(x: Any, function: str) -> Any:
    """The plain value of an argument that may also be an int, a string, None or a sequence of these."""
    if isinstance(x, TracedValue):
        return plain(x, function)
    if isinstance(x, tuple | list):
        return type(x)(_fixed(y, function) for y in x)
    return x


def _bins_of(samples: Sequence[Any], edges: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Which samples fall into the grid of bins, and the index of the bin of each along each axis."""
    inside = np.ones(len(samples[0]), bool)
    indices = []
    for x, edge in zip(samples, edges, strict=True):
        index = np.searchsorted(edge, x, side="right") - 1
        index[x == edge[-1]] -= 1  # the last bin contains its right edge
        inside &= (index >= 0) & (index < len(edge) - 1)
        indices.append(index)
    kept = np.flatnonzero(inside)
    return kept, [i[kept] for i in indices]


def _sum_by_bin(weights: Any, samples: Sequence[Any], edges: Sequence[Any]) -> Any:
    kept, indices = _bins_of(samples, edges)
    chosen = gather_p(weights.reshape((weights.size,)), kept, unique=True)
    return scatter_p(chosen, *indices, shape=tuple(len(e) - 1 for e in edges), unique=False)


def _normalized(counts: Any, edges: Sequence[Any]) -> Any:
    total = np.sum(counts)
    for i, edge in enumerate(edges):
        counts = counts / np.diff(edge).reshape((-1,) + (1,) * (len(edges) - 1 - i))
    return counts / total


@implements(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    given, a = a, plain(a, "np.histogram")
    edges: Any = np.histogram_bin_edges(
        a,
        _fixed(bins, "np.histogram"),
        _fixed(range, "np.histogram"),
        _fixed(weights, "np.histogram") if isinstance(bins, str) else None,
    )
    if isinstance(weights, TracedArray):
        if weights.shape != a.shape:
            raise ValueError("weights should have the same shape as a.")
        counts = _sum_by_bin(weights, [a.ravel()], [edges])
    else:
        counts = np.histogram(a, _fixed(bins, "np.histogram"), _fixed(range, "np.histogram"), None, weights)[0]
    edges = histogram_bin_edges(given, bins, range, weights if isinstance(bins, str) else None)
    return (_normalized(counts, [edges]) if density else counts), edges


@implements(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    if isinstance(bins, TracedArray) and bins.ndim == 1:
        return bins
    name = "np.histogram_bin_edges"
    bins, weights = _fixed(bins, name), _fixed(weights, name)
    values = plain(a, name) if isinstance(bins, str) else plain_if_possible(a)
    # Under vmap there are no values, and the number of bins and a dtype are all that NumPy needs to know.
    values = np.zeros(1, dtype_of(a)) if values is None else values
    ends: Any = None if range is None else [plain_if_possible(end) for end in range]
    ends = None if ends is None or any(end is None for end in ends) else ends
    known = np.histogram_bin_edges(values, bins, ends, weights)
    if np.ndim(bins) or not np.size(a):
        return known
    first, last = (np.min(a), np.max(a)) if range is None else range
    wider = 0.5 * np.equal(first, last)
    return np.linspace(first - wider, last + wider, len(known), dtype=known.dtype)


@implements(np.histogramdd)
def histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    name = "np.histogramdd"
    if isinstance(sample, (TracedArray, np.ndarray)):
        points = np.atleast_2d(plain(sample, name).T).T
    else:
        points = np.stack([plain(x, name) for x in sample], axis=-1)
    plain_weights = None if isinstance(weights, TracedArray) else weights
    edges: Any
    counts, edges = np.histogramdd(points, _fixed(bins, name), range, None, plain_weights)
    if isinstance(weights, TracedArray):
        counts = _sum_by_bin(weights.astype(float), list(points.T), edges)
    if isinstance(bins, tuple | list):
        edges = tuple(b if isinstance(b, TracedArray) and b.ndim == 1 else e for b, e in zip(bins, edges, strict=True))
    return (_normalized(counts, edges) if density else counts), edges


@implements(np.histogram2d)
def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    if len(x) != len(y):
        raise ValueError("x and y must have the same length.")
    try:
        count = len(bins)
    except TypeError:
        count = 1
    if count not in (1, 2):
        bins = [bins, bins]
    elif isinstance(bins, TracedArray):
        bins = [bins[i] for i in (0, 1)[:count]]
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]


@implements(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    x = plain(x, "np.bincount, whose length depends on values,")
    if not isinstance(weights, TracedArray):
        return np.bincount(x, weights, minlength)
    length = len(np.bincount(x, None, minlength))
    if weights.shape != x.shape:
        raise ValueError("The weights and list don't have the same length.")
    if weights.dtype.kind == "c":
        raise TypeError(
            "Cannot cast array data from dtype('complex128') to dtype('float64') according to the rule 'safe'"
        )
    return scatter_p(as_array(weights, "np.bincount").astype(float), x, shape=(length,), unique=False)
