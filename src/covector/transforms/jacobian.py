"""Jacobians and Hessians: one tape, pulled back or pushed forward for a whole basis at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..core import tree
from ..core.values import dtype_of, shape_of
from .arguments import bind_arguments, check_argnums, check_callable, fun_name, own_each
from .batching import BatchTrace, BatchTracer
from .jacobian_parts import assemble, basis, check_chunk, check_outputs, chunks, gather_rows, row_bytes, size_of
from .linearization import Linearization, run_on_tape
from .vjp import check_holomorphic

__all__ = ["hessian", "jacfwd", "jacobian", "jacrev", "value_and_jacobian"]


class _Options:
    """How a Jacobian is to be computed."""

    def __init__(
        self,
        transform: str,
        argnums: Any,
        mode: str,
        has_aux: bool,
        chunk_size: Any,
        holomorphic: bool,
        preallocate: bool,
    ) -> None:
        check_argnums(transform, argnums)
        check_chunk(transform, chunk_size)
        self.transform = transform
        self.argnums = argnums
        self.mode = mode
        self.has_aux = has_aux
        self.chunk_size = chunk_size
        self.holomorphic = holomorphic
        self.preallocate = preallocate


def _compute(fun: Any, o: _Options, args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    """Return value, Jacobian and aux."""
    bound, primals, positions = bind_arguments(o.transform, fun, o.argnums, args, kwargs)
    out, lin, aux = run_on_tape(
        Linearization,
        o.transform,
        bound,
        primals,
        place=lambda i: f"{o.transform}: argument {positions[i]} of {fun_name(fun)}",
        has_aux=o.has_aux,
    )
    check_outputs(o.transform, fun, out)
    inputs = [x for x, _ in lin.active()]
    mode = o.mode
    if mode == "auto":
        mode = "fwd" if size_of(inputs) < size_of(out) and not _complex(inputs) else "rev"
    _check_complex(o, mode, fun, inputs, out)
    blocks = (_forward_blocks if mode == "fwd" else _reverse_blocks)(lin, inputs, out, o)
    jac = assemble(lin.out_treedef, out, lin.in_treedefs, lin.in_leaves, blocks, o.argnums)
    return tree.unflatten(lin.out_treedef, own_each(out)), jac, aux


def _complex(leaves: Sequence[Any]) -> bool:
    return any(dtype_of(x).kind == "c" for x in leaves)


def _check_complex(o: _Options, mode: str, fun: Any, inputs: Sequence[Any], out: Sequence[Any]) -> None:
    if o.holomorphic:
        check_holomorphic(o.transform, inputs)
        for y in out:
            if dtype_of(y).kind != "c":
                raise TypeError(
                    f"{o.transform}: holomorphic=True needs complex outputs, {fun_name(fun)} returned {dtype_of(y)}"
                )
    elif _complex(inputs) and (mode == "fwd" or _complex(out)):
        what = "has complex input" if mode == "fwd" else "maps complex to complex"
        raise TypeError(
            f"{o.transform}: {fun_name(fun)} {what}; pass holomorphic=True if it is holomorphic, or differentiate by "
            f"real and imaginary part apart"
        )


def _batched(trace: BatchTrace, x: Any, like: Any) -> Any:
    """Return the chunk's result ``(rows, *shape)`` of a leaf with the shape and dtype of `like`."""
    shape = (trace.size, *shape_of(like))
    if x is None:
        return np.zeros(shape, dtype_of(like))
    if isinstance(x, BatchTracer) and x._trace is trace:
        return x.value
    return np.broadcast_to(x, shape)


def _map_rows(
    o: _Options, linear: Callable[[list[Any]], list[Any]], seeds: list[Any], rows: int, leaves: Sequence[Any]
) -> list[Any]:
    """Apply the linear map to `rows` seeds at once (one by one with chunk_size=1); arrays ``(rows, *leaf.shape)``."""
    if o.chunk_size == 1:
        results = linear([None if s is None else s[0] for s in seeds])
        zeros = [np.zeros(shape_of(x), dtype_of(x)) for x in leaves]
        return [np.expand_dims(z if r is None else r, 0) for r, z in zip(results, zeros, strict=True)]
    trace = BatchTrace(o.transform, rows)
    try:
        results = linear([None if s is None else trace.tracer(s) for s in seeds])
    finally:
        trace.close()
    return [_batched(trace, r, x) for r, x in zip(results, leaves, strict=True)]


def _reverse_blocks(lin: Linearization, inputs: list[Any], out: list[Any], o: _Options) -> list[list[Any]]:
    """Rows of the Jacobian by pulling back one-hot cotangents."""
    slots = [s for _, s in lin.active()]
    # For real input and complex output the pullback of 1 gives Re J and that of -i gives Im J.
    split = not o.holomorphic and _complex(out)

    def pull(cts: list[Any]) -> list[Any]:
        totals = lin.pull(cts)
        return [totals[s] for s in slots]

    def rows(start: int, stop: int) -> list[Any]:
        seeds = basis(out, start, stop)
        real = _map_rows(o, pull, seeds, stop - start, inputs)
        if not split:
            return real
        turned = [None if s is None or s.dtype.kind != "c" else (-1j * s).astype(s.dtype) for s in seeds]
        return [r + 1j * i for r, i in zip(real, _map_rows(o, pull, turned, stop - start, inputs), strict=True)]

    return gather_rows(rows, out, inputs, chunks(size_of(out), o.chunk_size, row_bytes([*inputs, *out])), o.preallocate)


def _forward_blocks(lin: Linearization, inputs: list[Any], out: list[Any], o: _Options) -> list[list[Any]]:
    """Columns of the Jacobian by pushing forward one-hot tangents."""

    def columns(start: int, stop: int) -> list[Any]:
        return _map_rows(o, lin.push, basis(inputs, start, stop), stop - start, out)

    parts = chunks(size_of(inputs), o.chunk_size, row_bytes([*inputs, *out]))
    by_input = gather_rows(columns, inputs, out, parts, o.preallocate)
    return [[_swap(by_input[j][i], len(shape_of(x))) for j, x in enumerate(inputs)] for i in range(len(out))]


def _swap(block: Any, count: int) -> Any:
    """Move the first `count` axes to the end."""
    return np.transpose(block, (*range(count, block.ndim), *range(count))) if count else block


def jacrev(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | str | None = None,
    holomorphic: bool = False,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """Make the Jacobian function of `fun` by reverse mode.

    Parameters
    ----------
    fun : callable
        Returns a pytree of arrays, or with `has_aux` a pair ``(out, aux)``.
    argnums : int or tuple of int, default 0
        The positional argument(s) to differentiate; each may be a pytree.
    has_aux : bool, default False
        Whether `fun` returns auxiliary data as well.
    chunk_size : int, "auto" or None, default None
        How many rows to compute at a time: all (None), one by one in a loop that does not batch (1), a number (the
        last chunk may be smaller), or as many as fit a memory budget ("auto").
    holomorphic : bool, default False
        Promise that `fun` is holomorphic; inputs and outputs must then be complex.
    _preallocate_and_copy : bool, default False
        Write each chunk straight into the result, which saves the memory of joining chunks.

    Returns
    -------
    callable
        Takes the arguments of `fun` and returns its Jacobian: the tree of the output, in each leaf the tree of the
        argument (a tuple of these for a sequence of argnums), each leaf of shape ``out_leaf.shape + in_leaf.shape``
        and dtype ``np.result_type(out_leaf, in_leaf)``; or ``(jacobian, aux)``.

    Raises
    ------
    ValueError
        `chunk_size` is none of the above, or `argnums` is out of range.
    TypeError
        An argument or output is of integer dtype; complex to complex without `holomorphic`.

    Notes
    -----
    Cost: one call of `fun` and, per output element, a small multiple of it, in batches. Prefer `jacfwd` when there
    are fewer inputs than outputs.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.jacrev(np.sin)(np.zeros(2))
    array([[1., 0.],
           [0., 1.]])
    """
    check_callable(fun, "jacrev")
    return _jacobian_function(
        fun, _Options("jacrev", argnums, "rev", has_aux, chunk_size, holomorphic, _preallocate_and_copy)
    )


def _jacobian_function(fun: Callable[..., Any], o: _Options) -> Callable[..., Any]:
    @wraps(fun)
    def jacobian_fun(*args: Any, **kwargs: Any) -> Any:
        _, jac, aux = _compute(fun, o, args, kwargs)
        return (jac, aux) if o.has_aux else jac

    return jacobian_fun


def jacfwd(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | str | None = None,
    randomness: str = "error",
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """Make the Jacobian function of `fun` by forward mode.

    Parameters
    ----------
    fun, argnums, has_aux, holomorphic
        As in `jacrev`.
    chunk_size : int, "auto" or None, default None
        How many columns to compute at a time, as in `jacrev`.
    randomness : {"error", "same", "different"}, default "error"
        Accepted for compatibility with torch.func; NumPy's random numbers are drawn once, whatever its value.

    Returns
    -------
    callable
        As from `jacrev`, with equal results.

    Raises
    ------
    ValueError
        `chunk_size`, `randomness` or `argnums` is out of range.
    TypeError
        An argument or output is of integer dtype; a complex argument without `holomorphic`.

    Notes
    -----
    Cost: one call of `fun` and, per input element, a small multiple of it, in batches. Prefer `jacrev` when there
    are fewer outputs than inputs.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.jacfwd(lambda t: np.array([1.0, 2.0]) * t ** 2)(3.0)
    array([ 6., 12.])
    """
    check_callable(fun, "jacfwd")
    if randomness not in ("error", "same", "different"):
        raise ValueError(f"jacfwd: randomness must be 'error', 'same' or 'different', got {randomness!r}")
    return _jacobian_function(fun, _Options("jacfwd", argnums, "fwd", has_aux, chunk_size, holomorphic, False))


def jacobian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    mode: str = "auto",
    has_aux: bool = False,
    chunk_size: int | str | None = None,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """Make the Jacobian function of `fun` by the cheaper mode.

    Parameters
    ----------
    fun, argnums, has_aux, chunk_size, holomorphic
        As in `jacrev`.
    mode : {"auto", "fwd", "rev"}, default "auto"
        Forward or reverse mode; "auto" takes forward mode when there are fewer inputs than outputs.

    Returns
    -------
    callable
        As from `jacrev`.

    Raises
    ------
    ValueError
        `mode` is none of the above; else as in `jacrev`.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.jacobian(lambda x: x[:1] * x[1:])(np.array([2.0, 3.0]))
    array([[3., 2.]])
    """
    check_callable(fun, "jacobian")
    return _jacobian_function(
        fun, _Options("jacobian", argnums, _mode("jacobian", mode), has_aux, chunk_size, holomorphic, False)
    )


def _mode(transform: str, mode: str) -> str:
    if mode not in ("auto", "fwd", "rev"):
        raise ValueError(f"{transform}: mode must be 'auto', 'fwd' or 'rev', got {mode!r}")
    return mode


def value_and_jacobian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    mode: str = "auto",
    has_aux: bool = False,
    chunk_size: int | str | None = None,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns value and Jacobian of `fun` from one evaluation.

    Parameters
    ----------
    fun, argnums, mode, has_aux, chunk_size, holomorphic
        As in `jacobian`.

    Returns
    -------
    callable
        Returns ``(value, jacobian)``, or ``((value, aux), jacobian)`` with `has_aux`.

    Raises
    ------
    ValueError, TypeError
        As in `jacobian`.

    Examples
    --------
    >>> import covector
    >>> covector.value_and_jacobian(lambda x: x ** 2)(3.0)
    (np.float64(9.0), np.float64(6.0))
    """
    check_callable(fun, "value_and_jacobian")
    o = _Options(
        "value_and_jacobian", argnums, _mode("value_and_jacobian", mode), has_aux, chunk_size, holomorphic, False
    )

    @wraps(fun)
    def value_and_jacobian_fun(*args: Any, **kwargs: Any) -> Any:
        value, jac, aux = _compute(fun, o, args, kwargs)
        return ((value, aux) if has_aux else value), jac

    return value_and_jacobian_fun


def hessian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | str | None = None,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """Make the Hessian function of `fun`: forward over reverse mode.

    Parameters
    ----------
    fun, argnums, has_aux, holomorphic
        As in `jacrev`.
    chunk_size : int, "auto" or None, default None
        How many columns to compute at a time, as in `jacfwd`.

    Returns
    -------
    callable
        Returns the tree of the output, in each leaf the tree of the argument, in each of its leaves the tree of the
        argument again; or ``(hessian, aux)``.

    Raises
    ------
    ValueError, TypeError
        As in `jacrev`.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    check_callable(fun, "hessian")
    inner = jacrev(fun, argnums, has_aux=has_aux, holomorphic=holomorphic)
    return jacfwd(inner, argnums, has_aux=has_aux, chunk_size=chunk_size, holomorphic=holomorphic)
