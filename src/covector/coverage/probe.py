"""Find out by calling: a function on sample arrays under jvp, vjp and vmap."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import CovectorError
from ..core.tracer import Tracer
from ..transforms import jvp, vjp, vmap

__all__ = ["Finding", "probe", "traced_leaves"]

_PLACE = re.compile(r"\s*\(?\bat (?:<unknown>|(?:<[^>]*>|\S+):\d+)\)?")
_TRACE = re.compile(r" (?:a value|an array) traced by \w+")


class Finding(NamedTuple):
    """What a sample call showed: per transform the refusal (None: it works), and whether the result was traced."""

    jvp: str | None
    vjp: str | None
    vmap: str | None
    flows: bool


def traced_leaves(out: Any) -> list[Any]:
    """The traced numbers in a result of any form."""
    if isinstance(out, Tracer):
        return [out] if out.dtype.kind in "fc" else []
    if isinstance(out, dict):
        out = tuple(out.values())
    return [leaf for part in out for leaf in traced_leaves(part)] if isinstance(out, tuple | list) else []


def reason_of(error: CovectorError) -> str:
    """The message of an error without the place in the source and the name of the transform."""
    return _TRACE.sub(" a traced value", _PLACE.sub("", str(error)))


def probe(fun: Callable[..., Any], arrays: Sequence[Any], active: Sequence[int]) -> Finding:
    """Call ``fun(*arrays)`` under each transform, differentiated in the `active` arguments and mapped over all.

    Errors other than covector's own come through: they say that the sample does not suit the function.
    """
    places: list[int] = []

    def traced(*xs: Any) -> Any:
        full = list(arrays)
        for i, x in zip(active, xs, strict=True):
            full[i] = x
        leaves = _leaves(fun(*full))
        places[:] = [i for i, leaf in enumerate(leaves) if traced_leaves(leaf)]
        return tuple(leaves[i] for i in places) or np.sum(xs[0])

    given = tuple(arrays[i] for i in active)
    ones = tuple(np.ones_like(x) for x in given)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        forward = _refusal(lambda: jvp(traced, given, ones)) if active else None
        reverse = _refusal(lambda: _pull_back(traced, given)) if active else None
        batch = _refusal(lambda: _map(fun, arrays)) if len(arrays) else None
        flows = forward is None and any(_depends(traced, given, ones, k) for k in range(len(places)))
        if flows:
            _same_values([_leaves(fun(*arrays))[i] for i in places], jvp(traced, given, ones)[0])
    return Finding(forward, reverse, batch, flows)


def _depends(fun: Callable[..., Any], given: Sequence[Any], ones: Sequence[Any], k: int) -> bool:
    """Whether output `k` depends on the arguments; a traced constant does not."""
    try:
        jvp(lambda *xs: fun(*xs)[k], tuple(given), tuple(ones), strict=True)
    except RuntimeError:
        return False
    return True


def _same_values(plain: Sequence[Any], traced: Sequence[Any]) -> None:
    """Raise if a traced call has other values than a plain one: ordinary Python may test for ndarrays."""
    for want, got in zip(plain, traced, strict=True):
        if np.shape(want) != np.shape(got) or not np.allclose(want, got, rtol=1e-5, equal_nan=True):
            raise AssertionError("it gives other values for a traced array than for a plain one")


def _refusal(run: Callable[[], Any]) -> str | None:
    try:
        run()
    except CovectorError as error:
        return reason_of(error)
    return None


def _pull_back(fun: Callable[..., Any], given: Sequence[Any]) -> None:
    out, pull = vjp(fun, *given)
    pull(tuple(np.ones_like(y) for y in out) if isinstance(out, tuple) else np.ones_like(out))


def _map(fun: Callable[..., Any], arrays: Sequence[Any]) -> None:
    def lanes(*xs: Any) -> Any:
        out = fun(*xs)
        return tuple(leaf for leaf in _leaves(out) if isinstance(leaf, Tracer)) or xs[0]

    vmap(lanes)(*[np.stack([x, x]) for x in arrays])


def _leaves(out: Any) -> list[Any]:
    if isinstance(out, dict):
        out = tuple(out.values())
    return [leaf for part in out for leaf in _leaves(part)] if isinstance(out, tuple | list) else [out]
