"""`cond` and `switch`: run one of several functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.buffer import buffer, plain_of
from ..core.primitive import bind
from ..core.tracer import Tracer, own
from ..core.values import aval_of, dtype_of, shape_of
from ..transforms.arguments import check_leaf, fun_name
from ..transforms.batching import BatchTracer
from .branches.branch import branch_p, fitted
from .carries import as_strong
from .programs.bodies import Body, record_body

__all__ = ["cond", "switch"]

_HOW = ("auto", "select", "loop")
_NUMBERS = frozenset((float, int, complex, bool, np.float64, np.int64, np.bool_, np.float32, np.complex128))


def cond(
    pred: Any,
    true_fun: Callable[..., Any],
    false_fun: Callable[..., Any],
    *operands: Any,
    branch: str = "auto",
) -> Any:
    """Call one of two functions.

    Parameters
    ----------
    pred : bool
        A single bool or integer, which may be traced.
    true_fun, false_fun : callable
        ``true_fun(*operands)`` is called if `pred` holds, else ``false_fun(*operands)``. They may close over traced
        values, write to elements of the operands, and must return pytrees of the same structure, shapes and dtypes.
    *operands : pytree
        Arguments of the functions; arrays.
    branch : {"auto", "select", "loop"}, default "auto"
        What happens under `vmap` if `pred` differs from lane to lane. ``"select"``: both functions are evaluated for
        all lanes at once, and each lane keeps one result. ``"loop"``: lane after lane evaluates the function that it
        needs. ``"auto"``: each function is evaluated for the lanes that need it; where that cannot be, as in compiled
        programs, what is less work of the other two.

    Returns
    -------
    pytree
        What the function returned; Python numbers come back as NumPy scalars.

    Raises
    ------
    TypeError
        `pred` is not a single bool or integer, a function cannot be called, or (where both functions are recorded) they
        return different structures, shapes or dtypes.
    ConcretizationError
        Where both functions are recorded: one asks for the value of what it was given.
    ValueError
        `branch` is none of the three.

    Notes
    -----
    Where the value of `pred` is known the function that it asks for is simply called; the other one is not. Where it
    is not (`jit`, `make_graph`, bodies of loops, a mapped `pred`), both functions are recorded once, and only the one
    that is needed is evaluated. The derivative is that of the function taken, in both modes: the other one contributes
    an exact zero, never NaN.

    Operands are passed by value: writing to them changes nothing outside. Large arrays that a function only reads are
    cheaper to close over than to pass.

    Examples
    --------
    >>> import numpy as np, covector
    >>> f = lambda x: covector.cond(x > 0, np.sqrt, np.negative, x)
    >>> f(4.0), covector.grad(f)(4.0), covector.grad(f)(-4.0)
    (np.float64(2.0), np.float64(0.25), np.float64(-1.0))
    >>> covector.vmap(covector.grad(f))(np.array([4.0, -4.0]))
    array([ 0.25, -1.  ])
    """
    _check_number("cond", "pred", pred, "biu", "a bool; write a condition such as x > 0")
    _check("cond", (true_fun, false_fun), ("true_fun", "false_fun"), branch)
    value = _value(pred)
    if value is not None:
        return _called("cond", true_fun if value else false_fun, operands)
    index = (pred if dtype_of(pred).kind == "b" else pred != 0).astype(np.int64)
    names = [f"false_fun {fun_name(false_fun)}", f"true_fun {fun_name(true_fun)}"]
    return _recorded("cond", index, (false_fun, true_fun), names, operands, branch)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any, branch: str = "auto") -> Any:
    """Call one of several functions.

    Parameters
    ----------
    index : int
        A single integer, which may be traced. One that is negative stands for 0, one that is too large for the last.
    branches : sequence of callable
        ``branches[index](*operands)`` is called. All must return pytrees of the same structure, shapes and dtypes.
    *operands : pytree
        Arguments of the functions; arrays.
    branch : {"auto", "select", "loop"}, default "auto"
        What happens under `vmap` if `index` differs from lane to lane, see `cond`.

    Returns
    -------
    pytree
        What the function returned; Python numbers come back as NumPy scalars.

    Raises
    ------
    TypeError
        `index` is not a single integer, a function cannot be called, or (where all functions are recorded) they return
        different structures, shapes or dtypes.
    ConcretizationError
        Where all functions are recorded: one asks for the value of what it was given.
    ValueError
        There are no functions, or `branch` is none of the three.

    Notes
    -----
    As those of `cond`.

    Examples
    --------
    >>> import numpy as np, covector
    >>> f = lambda i, x: covector.switch(i, [np.sin, np.exp, np.square], x)
    >>> covector.vmap(covector.grad(f, 1))(np.array([0, 1, 2, 99]), np.array([0.0, 0.0, 3.0, 4.0]))
    array([1., 1., 6., 8.])
    """
    _check_number("switch", "index", index, "iu", "an integer; for a bool use covector.cond")
    if callable(branches) or not isinstance(branches, Sequence):
        raise TypeError(f"switch: branches must be a list or tuple of functions, got {type(branches).__name__}")
    if not branches:
        raise ValueError("switch: branches is empty; give at least one function")
    names = [f"branches[{i}]" for i in range(len(branches))]
    _check("switch", branches, names, branch)
    value = _value(index)
    if value is not None or len(branches) == 1:
        chosen = 0 if value is None else min(max(int(value), 0), len(branches) - 1)
        return _called("switch", branches[chosen], operands)
    names = [f"{name} {fun_name(f)}" for name, f in zip(names, branches, strict=True)]
    return _recorded("switch", index.astype(np.int64), branches, names, operands, branch)


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_number(name: str, what: str, x: Any, kinds: str, expected: str) -> None:
    check_leaf(x, f"{name}: {what}")
    if shape_of(x) != ():
        raise TypeError(
            f"{name}: {what} must be a single value, got an array of shape {shape_of(x)}; decide for each element with "
            f"np.where, for each example with covector.vmap, or reduce it with np.any or np.all"
        )
    if dtype_of(x).kind not in kinds:
        raise TypeError(f"{name}: {what} has dtype {dtype_of(x)}; expected {expected}")


def _check(name: str, functions: Sequence[Any], places: Sequence[str], branch: str) -> None:
    for f, place in zip(functions, places, strict=True):
        if not callable(f):
            raise TypeError(f"{name}: {place} must be a function, got {type(f).__name__}: {f!r}")
    if branch not in _HOW:
        raise ValueError(f"{name}: branch must be 'auto', 'select' or 'loop', got {branch!r}")


def _value(x: Any) -> Any:
    """The one value of `x`, None where there are several or none yet."""
    x = plain_of(x)
    while isinstance(x, Tracer):
        x._trace  # noqa: B018  # brings a view up to date
        if isinstance(x, BatchTracer):
            return None
        x = x.value
    return x


def _check_leaves(leaves: Sequence[Any], treedef: tree.TreeDef, place: str, of: str = "") -> None:
    for i, x in enumerate(leaves):
        if type(x) in _NUMBERS or isinstance(x, Tracer) or (type(x) is np.ndarray and x.dtype.kind in "biufc"):
            continue
        path = tree.paths(treedef)[i]
        check_leaf(x, f"{place}{path and f' {path}'}{of}")


# --- the known function -----------------------------------------------------------------------------------------------


def _called(name: str, fun: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """Call `fun` on operands of its own."""
    leaves, treedef = tree.flatten(operands)
    _check_leaves(leaves, treedef, f"{name}: operand")
    out, out_treedef = tree.flatten(fun(*tree.unflatten(treedef, map(_own, leaves))))
    _check_leaves(out, out_treedef, f"{name}: output", f" of {fun_name(fun)}")
    return tree.unflatten(out_treedef, map(as_strong, out))


def _own(x: Any) -> Any:
    x = as_strong(x)
    if isinstance(x, Tracer):
        return own(x.clone())
    return buffer(x.copy("K")) if type(x) is np.ndarray else x


# --- all functions, recorded ------------------------------------------------------------------------------------------


def _recorded(
    name: str, index: Any, functions: Sequence[Any], names: Sequence[str], operands: tuple[Any, ...], how: str
) -> Any:
    """Record the functions and bind `branch`."""
    leaves, treedef = tree.flatten(operands)
    _check_leaves(leaves, treedef, f"{name}: operand")
    avals = [aval_of(x)._replace(weak=False) for x in leaves]
    bodies = [
        record_body(lambda *xs, f=f: f(*tree.unflatten(treedef, xs)), avals, name, function=f, apart=True)
        for f in functions
    ]
    for body, place in zip(bodies[1:], names[1:], strict=True):
        _check_agreement(name, bodies[0], names[0], body, place)
    # What two functions close over they share; each has an input of its own for what it reaches by two handles.
    captured: list[Any] = []
    sources: list[list[int]] = []
    for body in bodies:
        own = list(range(len(leaves)))
        for x in body.captured:
            new = [(i, y) for i, y in enumerate(captured) if len(leaves) + i not in own]
            at = next((i for i, y in new if _is_same(x, y)), len(captured))
            if at == len(captured):
                captured.append(x)
            own.append(len(leaves) + at)
        sources.append(own)
    given = dict(enumerate([*avals, *[aval_of(x)._replace(weak=False) for x in captured]]))
    places = range(len(bodies[0].avals))
    graphs = [fitted(body.graph, own, places, given, body.avals) for body, own in zip(bodies, sources, strict=True)]
    out = bind(branch_p, [index, *map(as_strong, leaves), *captured], {"branches": tuple(graphs), "how": how})
    return tree.unflatten(bodies[0].treedef, out)


def _is_same(x: Tracer, y: Tracer) -> bool:
    """Whether two handles hold the same value."""
    if x._trace is not y._trace:
        return False
    pairs = ((getattr(x, name), getattr(y, name)) for name in x._state)
    return all(a is b or (isinstance(a, frozenset) and a == b) for a, b in pairs)  # equal sets need not be one object


def _check_agreement(name: str, first: Body, its_name: str, other: Body, other_name: str) -> None:
    if first.treedef != other.treedef:
        raise TypeError(
            f"{name}: all functions must return the same structure, but {its_name} returns {_shown(first)} and "
            f"{other_name} returns {_shown(other)}"
        )
    for i, (a, b) in enumerate(zip(first.avals, other.avals, strict=True)):
        if a != b:
            path = tree.paths(first.treedef)[i]
            fix = (
                "convert one of them with .astype (a Python number as 0.0 instead of 0)"
                if a.shape == b.shape
                else "give both the same shape"
            )
            raise TypeError(
                f"{name}: all functions must return the same shapes and dtypes, but output {path and f'{path} '}is {a} "
                f"from {its_name} and {b} from {other_name}; {fix}"
            )


def _shown(body: Body) -> str:
    return repr(tree.unflatten(body.treedef, body.avals))
