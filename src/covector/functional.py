"""The API of torch.autograd.functional for NumPy functions: derivatives of a call rather than new functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .core import tree
from .core.errors import CovectorError
from .core.values import dtype_of, shape_of
from .transforms.arguments import check_callable, fun_name
from .transforms.jacobian import jacfwd, jacrev
from .transforms.jvp import finish_tangents
from .transforms.jvp import jvp as _jvp
from .transforms.linearization import Linearization, escaped, run_on_tape
from .transforms.stop_gradient import stop_gradient
from .transforms.vjp import grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Arrays = Any


class InvalidVectorError(CovectorError, RuntimeError, ValueError):
    """The vector `v` is missing or does not fit (torch raises RuntimeError here, NumPy users expect ValueError)."""


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, tuple | list) else (x,)


def _same_form(values: Sequence[Any], like: Any) -> Any:
    return tuple(values) if isinstance(like, tuple | list) else values[0]


def _detach(x: Any, create_graph: bool) -> Any:
    return x if create_graph else tree.map(_plain, stop_gradient(x))


def _plain(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) and not x.flags.writeable else x


def _run(name: str, func: Any, inputs: Any, strict: bool) -> tuple[Linearization, Any, tuple[Any, ...]]:
    """Evaluate on a tape; return it, the output in its own form, and the output as a tuple."""
    check_callable(func, f"functional.{name}")
    args = _as_tuple(inputs)
    transform = f"functional.{name}"
    out, lin, _ = run_on_tape(
        Linearization, transform, func, args, place=lambda i: f"{transform}: input {i} of {fun_name(func)}"
    )
    value = tree.unflatten(lin.out_treedef, [escaped(x) for x in out])
    if not isinstance(value, tuple | list):
        outputs: tuple[Any, ...] = (value,)
    else:
        outputs = tuple(value)
    if len(outputs) != len(out):
        raise TypeError(f"functional.{name}: {fun_name(func)} must return an array or a tuple of arrays")
    if strict:
        _require_dependence(name, func, lin)
    return lin, value, outputs


def _require_dependence(name: str, func: Any, lin: Linearization) -> None:
    reached = {s for s in lin.out_slots if s}
    for slot in range(len(lin.tape) - 1, -1, -1):
        node = lin.tape[slot]
        if node is None:
            continue
        primitive, _, _, out, parents = node
        outputs = range(slot, slot + (len(out) if primitive.multiple else 1))
        if any(s in reached for s in outputs):
            reached.update(p for p in parents if p)
    for i, slots in enumerate(lin.in_slots):
        if not any(s in reached for s in slots):
            raise RuntimeError(
                f"functional.{name}: with strict=True, no output of {fun_name(func)} depends on input {i}; "
                f"with strict=False its derivative is zeros"
            )


def _vector(name: str, v: Any, like: Sequence[Any], what: str) -> list[Any]:
    """Return `v` as one array per element of `like`, checked; ones for a single element when absent."""
    if v is None:
        if len(like) == 1 and int(np.prod(shape_of(like[0]))) == 1:
            return [np.ones(shape_of(like[0]), dtype_of(like[0]))[()]]
        sizes = ", ".join(str(shape_of(x)) for x in like)
        raise InvalidVectorError(
            f"functional.{name}: v may only be left out when the {what} has a single element; here it has "
            f"{len(like)} part(s) of size {sizes}"
        )
    given = _as_tuple(v)
    if len(given) != len(like):
        raise InvalidVectorError(f"functional.{name}: v has {len(given)} part(s), the {what} has {len(like)}")
    for i, (a, b) in enumerate(zip(given, like, strict=True)):
        if shape_of(a) != shape_of(b):
            raise InvalidVectorError(
                f"functional.{name}: v[{i}] has size {shape_of(a)}, expected {shape_of(b)}, that of the {what}"
            )
    return [
        a if hasattr(a, "dtype") and a.dtype == dtype_of(b) else _cast(name, i, a, b)
        for i, (a, b) in enumerate(zip(given, like, strict=True))
    ]


def _cast(name: str, i: int, a: Any, b: Any) -> Any:
    if isinstance(a, float | int) and not hasattr(a, "dtype"):
        return dtype_of(b).type(a)
    raise InvalidVectorError(f"functional.{name}: v[{i}] has dtype {dtype_of(a)}, expected {dtype_of(b)}")


def vjp(
    func: Callable[..., Any], inputs: Arrays, v: Arrays = None, create_graph: bool = False, strict: bool = False
) -> Any:
    """Compute the product of a vector with the Jacobian of `func` at `inputs`.

    Parameters
    ----------
    func : callable
        Takes one argument per input; returns an array or a tuple of arrays.
    inputs : array or tuple of arrays
        Where to evaluate.
    v : array or tuple of arrays, optional
        The vector, of the structure and sizes of the output; 1 when absent and the output has a single element.
    create_graph : bool, default False
        Whether output and result stay differentiable for an enclosing transform; otherwise they are constants to it.
    strict : bool, default False
        Raise if there is an input on which no output depends; otherwise its result is zeros.

    Returns
    -------
    func_output : array or tuple of arrays
        ``func(*inputs)``.
    vjp : array or tuple of arrays
        In the form of `inputs`.

    Raises
    ------
    RuntimeError
        `v` is missing or of the wrong size (also a ValueError), or `strict` finds an unused input.

    Examples
    --------
    >>> import numpy as np
    >>> from covector import functional
    >>> functional.vjp(lambda x, y: 2 * x + 3 * y, (np.ones(2), np.ones(2)), np.ones(2))
    (array([5., 5.]), (array([2., 2.]), array([3., 3.])))
    """
    lin, value, outputs = _run("vjp", func, inputs, strict)
    cts = lin.cotangents(lin.pull(_vector("vjp", v, outputs, "output")))
    return _detach(value, create_graph), _detach(_same_form(cts, inputs), create_graph)


def jvp(
    func: Callable[..., Any], inputs: Arrays, v: Arrays = None, create_graph: bool = False, strict: bool = False
) -> Any:
    """Compute the product of the Jacobian of `func` at `inputs` with a vector.

    Parameters
    ----------
    func, inputs, create_graph, strict
        As in `vjp`.
    v : array or tuple of arrays, optional
        The vector, of the structure and sizes of the inputs; 1 when absent and the input has a single element.

    Returns
    -------
    func_output : array or tuple of arrays
        ``func(*inputs)``.
    jvp : array or tuple of arrays
        In the form of the output.

    Raises
    ------
    RuntimeError
        As in `vjp`.

    Examples
    --------
    >>> import numpy as np
    >>> from covector import functional
    >>> functional.jvp(np.sin, np.zeros(2), np.array([1.0, 2.0]))
    (array([0., 0.]), array([1., 2.]))
    """
    lin, value, outputs = _run("jvp", func, inputs, strict)
    tangents = lin.push(_vector("jvp", v, _as_tuple(inputs), "input"))
    result = finish_tangents(tangents, outputs)
    return _detach(value, create_graph), _detach(_same_form(result, value), create_graph)


def jacobian(
    func: Callable[..., Any],
    inputs: Arrays,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Compute the Jacobian of `func` at `inputs`.

    Parameters
    ----------
    func, inputs, create_graph, strict
        As in `vjp`.
    vectorize : bool, default False
        Accepted for compatibility with torch; rows are always computed in batches.
    strategy : {"reverse-mode", "forward-mode"}, default "reverse-mode"
        Which mode to use.

    Returns
    -------
    array, tuple of arrays, or tuple of tuples
        ``J[i][j]`` for output i and input j; a level is left out where output or input is not a tuple.

    Raises
    ------
    RuntimeError
        `strict` finds an unused input.
    ValueError
        `strategy` is none of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from covector import functional
    >>> functional.jacobian(np.exp, np.zeros(2))
    array([[1., 0.],
           [0., 1.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"functional.jacobian: strategy must be 'reverse-mode' or 'forward-mode', got {strategy!r}")
    if strict:
        _run("jacobian", func, inputs, strict)
    args = _as_tuple(inputs)
    argnums: Any = tuple(range(len(args))) if isinstance(inputs, tuple | list) else 0
    transform = jacrev if strategy == "reverse-mode" else jacfwd
    return _detach(transform(func, argnums)(*args), create_graph)


def hessian(
    func: Callable[..., Any],
    inputs: Arrays,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Compute the Hessian of a function with a single-element output.

    Parameters
    ----------
    func, inputs, create_graph, strict, vectorize
        As in `jacobian`.
    outer_jacobian_strategy : {"reverse-mode", "forward-mode"}, default "reverse-mode"
        Mode of the outer derivative.

    Returns
    -------
    array or tuple of tuples of arrays
        ``H[i][j]`` for inputs i and j; a single array when `inputs` is one.

    Raises
    ------
    RuntimeError
        `strict` finds an input on which the output or the gradient does not depend.

    Examples
    --------
    >>> import numpy as np
    >>> from covector import functional
    >>> functional.hessian(lambda x: np.sum(x ** 3), np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    gradient = _gradient("hessian", func, inputs, strict)
    return jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)


def _gradient(name: str, func: Any, inputs: Any, strict: bool) -> Callable[..., Any]:
    """The gradient function of a func with a single-element output, in the form of `inputs`."""
    _, _, outputs = _run(name, func, inputs, strict)
    if len(outputs) != 1 or int(np.prod(shape_of(outputs[0]))) != 1:
        sizes = ", ".join(str(shape_of(y)) for y in outputs)
        raise RuntimeError(f"functional.{name}: {fun_name(func)} must return a single element, got size(s) {sizes}")

    def scalar(*xs: Any) -> Any:
        (y,) = _as_tuple(func(*xs))
        return y.reshape(()) if shape_of(y) else y

    args = _as_tuple(inputs)
    return grad(scalar, tuple(range(len(args))) if isinstance(inputs, tuple | list) else 0)


def vhp(
    func: Callable[..., Any], inputs: Arrays, v: Arrays = None, create_graph: bool = False, strict: bool = False
) -> Any:
    """Compute the product of a vector with the Hessian of a function with a single-element output.

    Parameters
    ----------
    func, inputs, create_graph, strict
        As in `vjp`.
    v : array or tuple of arrays, optional
        The vector, of the structure and sizes of the inputs; 1 when absent and the input has a single element.

    Returns
    -------
    func_output : array
        ``func(*inputs)``.
    vhp : array or tuple of arrays
        In the form of `inputs`.

    Raises
    ------
    RuntimeError
        As in `vjp`; also if the output has more than one element.

    Examples
    --------
    >>> import numpy as np
    >>> from covector import functional
    >>> functional.vhp(lambda x: np.sum(x ** 3), np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    (np.float64(9.0), array([6., 0.]))
    """
    gradient = _gradient("vhp", func, inputs, strict)
    value = func(*map(np.copy, _as_tuple(inputs)))  # which may write into them
    _, result = vjp(
        gradient, inputs, _same_form(_vector("vhp", v, _as_tuple(inputs), "input"), inputs), create_graph, strict
    )
    return _detach(value, create_graph), result


def hvp(
    func: Callable[..., Any], inputs: Arrays, v: Arrays = None, create_graph: bool = False, strict: bool = False
) -> Any:
    """Compute the product of the Hessian of a function with a single-element output with a vector.

    Parameters
    ----------
    func, inputs, v, create_graph, strict
        As in `vhp`.

    Returns
    -------
    func_output : array
        ``func(*inputs)``.
    hvp : array or tuple of arrays
        In the form of `inputs`.

    Raises
    ------
    RuntimeError
        As in `vhp`.

    Examples
    --------
    >>> import numpy as np
    >>> from covector import functional
    >>> functional.hvp(lambda x: np.sum(x ** 3), np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    (np.float64(9.0), array([6., 0.]))
    """
    gradient = _gradient("hvp", func, inputs, strict)
    value = func(*map(np.copy, _as_tuple(inputs)))  # which may write into them
    if strict:
        _run("hvp", gradient, inputs, strict)
    tangents = tuple(_vector("hvp", v, _as_tuple(inputs), "input"))
    _, result = _jvp(gradient, _as_tuple(inputs), tangents)
    return _detach(value, create_graph), _detach(result, create_graph)
