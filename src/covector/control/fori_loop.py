"""`fori_loop`: a number of steps that count."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import ConcretizationError
from ..core.tracer import Tracer
from ..core.values import dtype_of, shape_of
from .carries import Carry, check_functions, check_unroll
from .loops.checkpointing import check_checkpoint
from .programs.bodies import record_body, structured
from .steps import INDEX, bind_steps

__all__ = ["fori_loop"]


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable[[Any, Any], Any],
    init_val: Any,
    *,
    unroll: int | bool | None = None,
    checkpoint: Any = None,
) -> Any:
    """Apply a function to a state once for each integer of a range.

    Parameters
    ----------
    lower : int
        The first integer; it may be traced, and depend on values.
    upper : int
        The end of the range, which is not part of it.
    body_fun : callable
        ``body_fun(i, val) -> val``, of the same structure, shapes and dtypes; `i` is an int64.
    init_val : pytree
        The first state. Python numbers become NumPy scalars.
    unroll : int or bool, optional
        Checked and otherwise ignored: the compiler decides how many steps it writes out. The results do not depend on
        it.
    checkpoint : None, "sqrt" or int, optional
        What reverse mode keeps of the steps, see `scan`.

    Returns
    -------
    pytree
        The last state; `init_val` if the range is empty.

    Raises
    ------
    TypeError
        The bounds are not integers, or the state changes its structure, a shape or a dtype.
    ConcretizationError
        `body_fun` is recorded (see Notes) and asks for the value of a number.

    Notes
    -----
    Called from plain Python, and under transforms, this is a Python loop. In a function that is recorded (`jit`,
    `make_graph`, `eval_shape`), where the bounds differ between the examples of a `vmap`, and with `checkpoint`,
    `body_fun` is called once, on values of which only shape and dtype are known, and the loop is one operation.

    `body_fun` may write to its state (``val[i] = v``), which stays in place and never changes `init_val`.

    Examples
    --------
    >>> import numpy as np, covector
    >>> def power(x, n):
    ...     return covector.fori_loop(0, n, lambda i, y: y * x, 1.0)
    >>> power(2.0, 10)
    np.float64(1024.0)
    >>> covector.grad(power)(2.0, 10)
    np.float64(5120.0)
    >>> covector.vmap(power, in_axes=(None, 0))(2.0, np.arange(4))
    array([1., 2., 4., 8.])
    """
    checkpoint = check_checkpoint("fori_loop", checkpoint)
    check_functions("fori_loop", body_fun=body_fun)
    if unroll is not None:
        check_unroll("fori_loop", unroll)
    bounds = _bound("lower", lower), _bound("upper", upper)
    carry = Carry("fori_loop", "init_val", init_val)
    known = all(type(b) is int for b in bounds)
    if structured() or checkpoint is not None or not known:
        return _as_program(*bounds, body_fun, carry, checkpoint)
    state = carry.start()
    for i in range(*bounds):
        state = carry.step(body_fun, [body_fun(np.int64(i), carry.whole(state))], state)
    return carry.whole(state)


def _bound(argument: str, x: Any) -> Any:
    """The bound as a Python int, or as an int64 where its value is not known."""
    if isinstance(x, bool | np.bool_) or shape_of(x) or (hasattr(x, "dtype") and dtype_of(x).kind not in "iu"):
        what = f"an array of shape {shape_of(x)}" if shape_of(x) else repr(x)
        raise TypeError(f"fori_loop: {argument} must be an integer, got {what}")
    if isinstance(x, Tracer):
        try:
            return operator.index(x)
        except ConcretizationError:
            return x.astype(np.int64)
    try:
        return operator.index(x)
    except TypeError:
        raise TypeError(f"fori_loop: {argument} must be an integer, got {x!r}") from None


def _as_program(lower: Any, upper: Any, body_fun: Any, carry: Carry, checkpoint: Any) -> Any:
    def step(index: Any, *leaves: Any) -> Any:
        i = index if type(lower) is int and not lower else index + lower
        return carry.check(body_fun, body_fun(i, carry.whole(leaves)))

    avals = [INDEX, *carry.avals]
    body = record_body(step, avals, "fori_loop", function=body_fun)
    if type(lower) is int and type(upper) is int:
        return carry.whole(bind_steps(body, carry.leaves, (), checkpoint, length=max(0, upper - lower)))
    count = upper if type(lower) is int and not lower else upper - lower
    cond = record_body(lambda index, *_: index < count, avals, "fori_loop", function=body_fun)
    return carry.whole(bind_steps(body, carry.leaves, (), checkpoint, length=None, cond=cond))
