"""`vjp`, `grad` and their relatives: reverse mode for users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..core import tree
from ..core.errors import NotDifferentiableError
from ..core.tracer import Tracer
from ..core.values import dtype_of, is_weak, shape_of
from .arguments import bind_arguments, check_argnums, check_callable, check_leaf, fun_name, own, show_tree
from .collective_primitives import bound_trace, psum_p, varies
from .linearization import Linearization, escaped, run_on_tape

__all__ = ["Pullback", "grad", "grad_and_value", "value_and_grad", "value_and_gradient", "vjp"]

_ndarray = np.ndarray


class Pullback(Linearization):
    """The function that `vjp` returns: from a cotangent of the output to a tuple of cotangents of the primals.

    It may be called any number of times, from any thread, and pickled when what it holds can be.
    """

    __slots__ = ()

    def __call__(self, ct: Any, /) -> tuple[Any, ...]:
        aval = self.out_avals[0] if self.out_treedef is tree.LEAF else None
        plain = type(ct) is _ndarray and aval is not None and ct.shape == aval.shape and ct.dtype == aval.dtype
        cts = [ct] if plain else self.check(ct)
        totals = self.pull(cts)
        for axis in self.reduce_axes:
            for x, slot in self.active():
                if varies(totals[slot], axis) and not varies(x, axis):
                    totals[slot] = psum_p(totals[slot], axis=axis)
        return self.cotangents(totals)

    def check(self, ct: Any) -> list[Any]:
        """Return the leaves of the user's cotangent in the dtypes of the output; ValueError if they do not fit."""
        if self.out_treedef == tree.LEAF:
            return [self._check_leaf(ct, 0, ct)]
        try:
            leaves = self.out_treedef.flatten_up_to(ct)
        except ValueError:
            raise self._mismatch(ct, "its tree is another") from None
        return [self._check_leaf(x, i, ct) for i, x in enumerate(leaves)]

    def _check_leaf(self, x: Any, i: int, ct: Any) -> Any:
        aval = self.out_avals[i]
        if aval.dtype.kind not in "fc":
            if x is not None:
                raise self._mismatch(ct, f"{self._leaf(i)} is an integer output, whose cotangent must be None")
            return None
        if is_weak(x) and not aval.shape and not (type(x) is complex and aval.dtype.kind == "f"):
            return aval.dtype.type(x)
        if not isinstance(x, _ndarray | np.generic | Tracer):
            raise self._mismatch(ct, f"{self._leaf(i)} must be an array, got {type(x).__name__}")
        if type(x) is not _ndarray:
            check_leaf(x, f"vjp_fn: the cotangent{tree.paths(self.out_treedef)[i]}")
        if x.shape != aval.shape:
            raise self._mismatch(ct, f"{self._leaf(i)} has shape {x.shape}, expected {aval.shape}")
        if x.dtype != aval.dtype:
            raise self._mismatch(ct, f"{self._leaf(i)} has dtype {x.dtype}, expected {aval.dtype}")
        return x

    def _leaf(self, i: int) -> str:
        path = tree.paths(self.out_treedef)[i]
        return f"leaf {path}" if path else "it"

    def _mismatch(self, ct: Any, why: str) -> ValueError:
        return ValueError(
            f"vjp_fn: the cotangent does not fit the output: {why}.\n"
            f"  expected: {show_tree(self.out_avals, self.out_treedef)}\n"
            f"  given:    {show_tree(*tree.flatten(ct))}"
        )


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False, reduce_axes: Sequence[Any] = ()) -> Any:
    """Compute a function's value and its vector-Jacobian product (reverse mode).

    Parameters
    ----------
    fun : callable
        Takes the primals as positional arguments; keyword arguments use their defaults. Returns a pytree of arrays,
        or with `has_aux` a pair ``(out, aux)``.
    *primals : pytree
        Where to evaluate. Integer and bool leaves inside a primal are constants.
    has_aux : bool, default False
        Whether `fun` returns auxiliary data, which is not differentiated.
    reduce_axes : sequence of axis names, default ()
        Over these axes of an enclosing ``vmap(axis_name=...)`` the cotangent of a primal that is not mapped is summed;
        otherwise it is per example.

    Returns
    -------
    out : pytree
        ``fun(*primals)``.
    vjp_fn : callable
        ``vjp_fn(ct)``, with `ct` of the structure, shapes and dtypes of `out` (None for integer leaves), returns a
        tuple with one cotangent per primal, each with that primal's structure, shapes and dtypes. It may be called
        many times, concurrently, and be pickled.
    aux : pytree
        Only with `has_aux`.

    Raises
    ------
    TypeError
        A primal is an integer or bool array, or something else that has no derivative.
    ValueError
        From `vjp_fn`: the cotangent's tree, shape or dtype is not that of `out`.
    NameError
        A name in `reduce_axes` is not bound.

    Notes
    -----
    The product is the plain transpose ``ct · J``, without conjugation. Cost: a small multiple of one call of `fun`
    per call of `vjp_fn`, and memory for the intermediate values that the derivatives need.

    Examples
    --------
    >>> import numpy as np, covector
    >>> out, vjp_fn = covector.vjp(lambda x, y: (np.sin(x), np.cos(y)), 0.5, 1.0)
    >>> xbar, ybar = vjp_fn((-0.7, 0.3))
    >>> print(round(xbar, 6), round(ybar, 6))
    -0.614308 -0.252441
    """
    if not callable(fun):
        check_callable(fun, "vjp")
    axes: tuple[Any, ...] = ()
    if reduce_axes:
        names = (reduce_axes,) if isinstance(reduce_axes, str) else reduce_axes
        axes = tuple([bound_trace(name, "vjp(reduce_axes=...)") for name in names])
    out, pullback, aux = run_on_tape(
        Pullback,
        "vjp",
        fun,
        primals,
        place=lambda i: f"vjp: primal {i} of {fun_name(fun)}",
        has_aux=has_aux,
        escapes=True,
    )
    pullback.reduce_axes = axes
    if pullback.out_treedef is tree.LEAF:
        value = escaped(out[0])
    else:
        value = tree.unflatten(pullback.out_treedef, [escaped(x) for x in out])
    return (value, pullback, aux) if has_aux else (value, pullback)


def _scalar_output(transform: str, fun: Any, out: list[Any], lin: Linearization, holomorphic: bool) -> Any:
    """Check that the output is one real number (complex with `holomorphic`) and return it."""
    if lin.out_treedef is not tree.LEAF and lin.out_treedef != tree.LEAF:
        raise TypeError(
            f"{transform}: {fun_name(fun)} must return one scalar, got {show_tree(out, lin.out_treedef)}; "
            f"use jacrev for more outputs, or has_aux=True to return other things beside the scalar"
        )
    (x,) = out
    if type(x) is np.float64 and not holomorphic:
        return x
    shape, kind = shape_of(x), dtype_of(x).kind
    if shape:
        hint = "; take [0] or .squeeze() to make it a scalar" if x.size == 1 else "; sum it, or use jacrev"
        raise TypeError(f"{transform}: {fun_name(fun)} must return a scalar, got an array of shape {shape}{hint}")
    if kind not in "fc":
        raise NotDifferentiableError(
            f"{transform}: {fun_name(fun)} returned a value of dtype {dtype_of(x)}, which is constant; "
            f"expected a floating-point scalar"
        )
    if kind == "c" and not holomorphic:
        raise TypeError(
            f"{transform}: {fun_name(fun)} returned a complex value; pass holomorphic=True for a holomorphic function, "
            f"or return a real value such as np.abs(z)**2"
        )
    if kind == "f" and holomorphic:
        raise TypeError(f"{transform}: holomorphic=True needs a complex output, {fun_name(fun)} returned {dtype_of(x)}")
    return x


def check_holomorphic(transform: str, leaves: Sequence[Any]) -> None:
    """Raise TypeError if holomorphic=True meets a real input."""
    for x in leaves:
        if dtype_of(x).kind == "f":
            raise TypeError(f"{transform}: holomorphic=True needs complex inputs, got one of dtype {dtype_of(x)}")


def value_and_gradient(
    transform: str, fun: Any, argnums: Any, has_aux: bool, holomorphic: bool, args: Any, kwargs: Any
) -> tuple[Any, Any, Any]:
    """Return value, gradient (a tuple for a sequence of argnums) and aux of a scalar function at a point."""
    if len(args) == 1 and not kwargs and (argnums == 0):
        positions: tuple[int, ...] = (0,)
        bound, primals = fun, args
    else:
        bound, primals, positions = bind_arguments(transform, fun, argnums, args, kwargs)
    out, lin, aux = run_on_tape(
        Linearization,
        transform,
        bound,
        primals,
        place=lambda i: f"{transform}: argument {positions[i]} of {fun_name(fun)}",
        has_aux=has_aux,
    )
    value = _scalar_output(transform, fun, out, lin, holomorphic)
    if holomorphic:
        check_holomorphic(transform, [x for x, _ in lin.active()])
    cts = lin.cotangents(lin.pull([dtype_of(value).type(1)], consume=True))
    return own(value), cts[0] if isinstance(argnums, int) else cts, aux


def grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """Make the gradient function of a scalar-valued function.

    Parameters
    ----------
    fun : callable
        Returns a real scalar (shape ``()``), or with `has_aux` a pair ``(scalar, aux)``.
    argnums : int or sequence of int, default 0
        The positional argument(s) to differentiate; each may be a pytree. Negative numbers count from the end.
    has_aux : bool, default False
        Whether `fun` returns auxiliary data as well.
    holomorphic : bool, default False
        Promise that `fun` is holomorphic; inputs and output must then be complex.

    Returns
    -------
    callable
        Takes the arguments of `fun` and returns the gradient with the structure, shapes and dtypes of the argument (a
        tuple for a sequence of argnums), or ``(gradient, aux)``.

    Raises
    ------
    TypeError
        The output is not a scalar, or is complex without `holomorphic`; an argument is an integer array.

    Notes
    -----
    For a real function of complex input the result is ``∂f/∂x − i ∂f/∂y``; conjugate it to descend. Cost: a small
    multiple of one call of `fun`, whatever the number of inputs.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.grad(lambda x: np.sum(x ** 2))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    check_callable(fun, "grad")
    check_argnums("grad", argnums)

    @wraps(fun)
    def grad_fun(*args: Any, **kwargs: Any) -> Any:
        _, gradient, aux = value_and_gradient("grad", fun, argnums, has_aux, holomorphic, args, kwargs)
        return (gradient, aux) if has_aux else gradient

    return grad_fun


def value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns value and gradient of a scalar-valued function, value first.

    Parameters
    ----------
    fun, argnums, has_aux, holomorphic
        As in `grad`.

    Returns
    -------
    callable
        Returns ``(value, gradient)``, or ``((value, aux), gradient)`` with `has_aux`.

    Raises
    ------
    TypeError
        As in `grad`.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.value_and_grad(np.sin)(0.0)
    (np.float64(0.0), np.float64(1.0))
    """
    check_callable(fun, "value_and_grad")
    check_argnums("value_and_grad", argnums)

    @wraps(fun)
    def value_and_grad_fun(*args: Any, **kwargs: Any) -> Any:
        value, gradient, aux = value_and_gradient("value_and_grad", fun, argnums, has_aux, holomorphic, args, kwargs)
        return ((value, aux) if has_aux else value), gradient

    return value_and_grad_fun


def grad_and_value(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """Make a function that returns gradient and value of a scalar-valued function, gradient first (torch's order).

    Parameters
    ----------
    fun, argnums, has_aux, holomorphic
        As in `grad`.

    Returns
    -------
    callable
        Returns ``(gradient, value)``, or ``(gradient, (value, aux))`` with `has_aux`.

    Raises
    ------
    TypeError
        As in `grad`.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.grad_and_value(np.sin)(0.0)
    (np.float64(1.0), np.float64(0.0))
    """
    check_callable(fun, "grad_and_value")
    both = value_and_grad(fun, argnums, has_aux, holomorphic)

    @wraps(fun)
    def grad_and_value_fun(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return gradient, value

    return grad_and_value_fun
