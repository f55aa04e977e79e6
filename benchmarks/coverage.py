"""What HIPS/autograd, JAX and PyTorch differentiate under the names of NumPy and SciPy, and covector does not.

Each name of the coverage table that covector does not differentiate is called in every library on the same sample; what
comes out with a nonzero derivative is printed. SciPy's functions that are not ufuncs are taken from autograd's own
registry and from `jax.scipy.special`, and looked up in `covector.scipy`.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from covector import coverage
from covector.coverage import CONSTANT, DIFFERENTIABLE, Entry
from covector.coverage.calls import candidates
from covector.coverage.namesakes import tried

_SCALAR_TYPE = "a class of NumPy's, which makes plain numbers; t.astype(dtype) is differentiated"
REASONS = {
    **{
        f"numpy.{name}": _SCALAR_TYPE
        for name in (
            *("float16", "float32", "float64", "complex64", "complex128"),
            *("half", "single", "double", "csingle", "cdouble"),
        )
    },
    "numpy.frompyfunc": "NumPy's makes arrays of Python objects; covector.numpy.vectorize is differentiated",
    "scipy.special.bernoulli": "of a whole number",
    "scipy.integrate.odeint": "a solver that calls a function of the user's at steps of its own choice",
}
"""Name → why covector does not differentiate it."""


_WRAPPED = ("zeta",)
"""Functions of `scipy.special` that only choose between ufuncs, which the table has."""


class Peer(NamedTuple):
    """A library: where it has NumPy's names, and whether a function of float arrays has a nonzero derivative there."""

    name: str
    sections: dict[str, str]
    flows: Callable[[Callable[..., Any], Sequence[Any], Sequence[int]], bool]


def _placed(
    arrays: Sequence[Any], floats: Sequence[int], values: Sequence[Any], convert: Callable[..., Any]
) -> list[Any]:
    full = [convert(x) if i not in floats else x for i, x in enumerate(arrays)]
    for i, value in zip(floats, values, strict=True):
        full[i] = value
    return full


def _leaves(out: Any) -> list[Any]:
    if isinstance(out, dict):
        out = list(out.values())
    return [leaf for part in out for leaf in _leaves(part)] if isinstance(out, list | tuple) else [out]


# --- the libraries ----------------------------------------------------------------------------------------------------


def _autograd() -> Peer:
    import autograd
    import autograd.numpy as anp

    def flows(fun: Callable[..., Any], arrays: Sequence[Any], floats: Sequence[int]) -> bool:
        def total(values: tuple[Any, ...]) -> Any:
            out = _leaves(fun(*_placed(arrays, floats, values, lambda x: x)))
            parts = [anp.sum(anp.real(y * k)) for k, y in enumerate(out, 2) if np.asarray(_value(y)).dtype.kind in "fc"]
            return sum(parts, 0.0 * anp.sum(values[0]))

        def _value(y: Any) -> Any:
            while hasattr(y, "_value"):
                y = y._value
            return y

        gradients = autograd.grad(total)(tuple(np.asarray(arrays[i], float) for i in floats))
        return any(np.any(g != 0) for g in gradients)

    sections = {s: s.replace("numpy", "autograd.numpy") for s in ("numpy", "numpy.linalg", "numpy.fft")}
    return Peer("autograd", sections | {"scipy.special": "autograd.scipy.special"}, flows)


def _jax() -> Peer:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def flows(fun: Callable[..., Any], arrays: Sequence[Any], floats: Sequence[int]) -> bool:
        def total(*values: Any) -> Any:
            out = map(jnp.asarray, _leaves(fun(*_placed(arrays, floats, values, jnp.asarray))))
            parts = [jnp.sum(jnp.real(y * k)) for k, y in enumerate(out, 2) if y.dtype.kind in "fc"]
            return sum(parts, 0.0 * jnp.sum(values[0]))

        gradients = jax.grad(total, tuple(range(len(floats))))(*[jnp.asarray(arrays[i]) for i in floats])
        return any(bool(jnp.any(g != 0)) for g in gradients)

    sections = {s: s.replace("numpy", "jax.numpy") for s in ("numpy", "numpy.linalg", "numpy.fft")}
    return Peer("jax", sections | {"scipy.special": "jax.scipy.special"}, flows)


def _torch() -> Peer:
    import torch

    def flows(fun: Callable[..., Any], arrays: Sequence[Any], floats: Sequence[int]) -> bool:
        values = [torch.tensor(arrays[i], requires_grad=True) for i in floats]
        out = _leaves(fun(*_placed(arrays, floats, values, torch.as_tensor)))
        parts = [(torch.real(y) if y.is_complex() else y).sum() * k for k, y in enumerate(out, 2) if y.requires_grad]
        if not parts:
            return False
        torch.stack(parts).sum().backward()
        return any(v.grad is not None and bool((v.grad != 0).any()) for v in values)

    sections = {"numpy": "torch", "numpy.linalg": "torch.linalg", "numpy.fft": "torch.fft"}
    return Peer("torch", sections | {"scipy.special": "torch.special"}, flows)


_MAKERS = {"autograd": _autograd, "jax": _jax, "torch": _torch}


# --- the comparison ---------------------------------------------------------------------------------------------------


def _differentiates(peer: Peer, entry: Entry) -> bool | None:
    """Whether a library has a nonzero derivative of its function of this name; None if no sample call suits it."""
    function = getattr(importlib.import_module(peer.sections[entry.section]), entry.name)
    answered = None
    for fun, arrays in candidates(entry):
        floats = [i for i, x in enumerate(arrays) if np.asarray(x).dtype.kind in "fc"]
        if not floats:
            continue
        try:
            if peer.flows(lambda *xs, fun=fun: fun(function, *xs), arrays, floats):
                return True
            answered = False
        except Exception:  # whatever a library raises at arguments that it does not take
            continue
    return answered


def _missing(peers: Sequence[Peer]) -> Iterator[tuple[str, str, bool | None]]:
    """Yield (library, name, whether it differentiates) for the names of the table that covector does not."""
    for row in coverage.table():
        entries = {e.name: e for e in coverage.entries(row.section)}
        entry = entries[row.name]
        if row.verdict == DIFFERENTIABLE or tried(entry)[0]:
            continue
        for peer in peers:
            home = peer.sections.get(row.section)
            if home is not None and callable(getattr(importlib.import_module(home), row.name, None)):
                verdict = _differentiates(peer, entry)
                # What has no derivative by nature and takes no sample is about sizes, dtypes, integers or files.
                yield peer.name, entry.full, False if verdict is None and row.verdict == CONSTANT else verdict


def _of_autograd() -> Iterator[str]:
    """Names of SciPy's functions in autograd's registry of derivatives."""
    import scipy
    from autograd.core import primitive_vjps

    for module in ("special", "linalg", "signal", "integrate", *(f"stats.{d}" for d in _distributions())):
        found = importlib.import_module(f"autograd.scipy.{module}")
        theirs: Any = scipy
        for part in module.split("."):
            theirs = getattr(theirs, part)
        for name, value in vars(found).items():
            # Its modules also show what they import from each other.
            if hasattr(value, "fun") and value in primitive_vjps and hasattr(theirs, name):
                yield f"scipy.{module}.{name}"


def _distributions() -> list[str]:
    import autograd.scipy.stats as stats

    return [name for name, value in vars(stats).items() if type(value).__name__ == "module"]


def _of_jax() -> Iterator[str]:
    import jax.scipy.special
    import scipy.special

    for name in dir(jax.scipy.special):
        value = getattr(scipy.special, name, None)
        if not name.startswith("_") and value is not None and not isinstance(value, np.ufunc):
            yield f"scipy.special.{name}"


def _in_covector(full: str) -> bool:
    """Whether `covector.scipy` has a function of its own under this name."""
    import scipy.special

    *path, name = full.split(".")[1:]
    if path == ["special"] and (name in _WRAPPED or isinstance(getattr(scipy.special, name, None), np.ufunc)):
        return True  # in the table
    try:
        ours: Any = importlib.import_module(f"covector.scipy.{path[0]}")
        theirs: Any = importlib.import_module(f"scipy.{path[0]}")
    except ImportError:
        return False
    for part in path[1:]:
        ours, theirs = getattr(ours, part, None), getattr(theirs, part, None)
        if ours is theirs or name not in dir(type(ours)):
            return False
    return len(path) > 1 or getattr(ours, name, None) is not getattr(theirs, name, None)


def main() -> int:
    """Print what a library differentiates and covector does not; 1 if there is such a function without a reason."""
    warnings.simplefilter("ignore")  # of functions that are on their way out
    np.seterr(all="ignore")
    there = [name for name in _MAKERS if importlib.util.find_spec(name) is not None]
    peers = [_MAKERS[name]() for name in there]
    for name in set(_MAKERS) - set(there):
        print(f"{name} is not installed, and left out")
    found = list(_missing(peers))
    lacks = {(name, full) for name, full, verdict in found if verdict}
    unasked = {full for _, full, verdict in found if verdict is None}
    if "autograd" in there:
        lacks |= {("autograd", full) for full in _of_autograd() if not _in_covector(full)}
    if "jax" in there:
        lacks |= {("jax", full) for full in _of_jax() if not _in_covector(full)}
    print(f"{len(found)} names that covector does not differentiate are in {', '.join(there)} too.")
    print(f"No sample call suits {len(unasked)} that covector refuses: {', '.join(sorted(unasked))}.\n")
    open_ = 0
    for full in sorted({full for _, full in lacks}):
        reason = REASONS.get(full, "")
        open_ += not reason
        print(f"{full}: differentiated by {', '.join(n for n in there if (n, full) in lacks)}; {reason or 'MISSING'}")
    print(f"{open_} without a reason")
    return 1 if open_ else 0
