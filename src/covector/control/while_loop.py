"""`while_loop`: steps as long as a condition on the state holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import tree
from ..core.errors import ConcretizationError
from ..core.tracer import Tracer
from ..core.values import aval_of, dtype_of, shape_of
from ..transforms.arguments import fun_name
from .carries import Carry, check_functions
from .loops.checkpointing import check_checkpoint
from .programs.bodies import record_body, structured
from .steps import INDEX, bind_steps

__all__ = ["while_loop"]


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any, *, checkpoint: Any = None
) -> Any:
    """Apply a function to a state again and again, as long as a condition on the state holds.

    Parameters
    ----------
    cond_fun : callable
        ``cond_fun(val)`` returns one bool; the loop ends as soon as it is false.
    body_fun : callable
        ``body_fun(val) -> val``, of the same structure, shapes and dtypes.
    init_val : pytree
        The first state. Python numbers become NumPy scalars.
    checkpoint : None, "sqrt" or int, optional
        What reverse mode keeps of the steps, see `scan`.

    Returns
    -------
    pytree
        The first state for which the condition does not hold.

    Raises
    ------
    TypeError
        `cond_fun` does not return one bool, or the state changes its structure, a shape or a dtype.
    ConcretizationError
        A function is recorded (see Notes) and asks for the value of a number.

    Notes
    -----
    Called from plain Python, and under transforms, this is a Python loop. In a function that is recorded (`jit`,
    `make_graph`), where the condition differs between the examples of a `vmap`, and with `checkpoint`, both functions
    are called once, on values of which only shape and dtype are known, and the loop is one operation.

    Reverse mode works, compiled too: what the derivative of a step needs is stored for as many steps as there are.

    Under `vmap` examples that are done wait for the others: they keep their state, and what the functions would make of
    it (an overflow, NaN) is never computed.

    Examples
    --------
    >>> import numpy as np, covector
    >>> def root(a):  # Newton's method for x² = a
    ...     return covector.while_loop(lambda x: np.abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a)
    >>> root(2.0).round(6)
    np.float64(1.414214)
    >>> covector.vmap(covector.grad(root))(np.array([0.25, 4.0])).round(6)
    array([1.  , 0.25])
    """
    checkpoint = check_checkpoint("while_loop", checkpoint)
    check_functions("while_loop", cond_fun=cond_fun, body_fun=body_fun)
    carry = Carry("while_loop", "init_val", init_val)
    if structured() or checkpoint is not None:
        return _as_program(cond_fun, body_fun, carry, checkpoint)
    state = carry.start()
    while True:
        going = _going(cond_fun, cond_fun(carry.whole(state)))
        if going is None:
            carry.leaves = state
            return _as_program(cond_fun, body_fun, carry, checkpoint)
        if not going:
            return carry.whole(state)
        state = carry.step(body_fun, [body_fun(carry.whole(state))], state)


def _going(cond_fun: Any, answer: Any) -> bool | None:
    """What the condition says; None where there is not one answer for all."""
    answer = _check_answer(cond_fun, answer)
    try:
        return bool(answer)
    except ConcretizationError:
        return None


def _check_answer(cond_fun: Any, answer: Any) -> Any:
    if type(answer) is bool or type(answer) is np.bool_:
        return answer
    if not isinstance(answer, np.ndarray | np.generic | Tracer | int | float | complex):
        structure = tree.structure(answer)
        got = type(answer).__name__ if structure == tree.LEAF else f"a tree of {structure.num_leaves} leaves"
    elif shape_of(answer) == () and dtype_of(answer).kind == "b":
        return answer
    else:
        got = repr(aval_of(answer))
    raise TypeError(
        f"while_loop: {fun_name(cond_fun)} must return one bool, got {got}; use np.any(...) or np.all(...) for "
        f"several, and x != 0 for a number"
    )


def _as_program(cond_fun: Any, body_fun: Any, carry: Carry, checkpoint: Any) -> Any:
    def condition(_: Any, *leaves: Any) -> Any:
        return _check_answer(cond_fun, cond_fun(carry.whole(leaves)))

    def step(_: Any, *leaves: Any) -> Any:
        return carry.check(body_fun, body_fun(carry.whole(leaves)))

    avals = [INDEX, *carry.avals]
    cond = record_body(condition, avals, "while_loop", function=cond_fun)
    body = record_body(step, avals, "while_loop", function=body_fun)
    return carry.whole(bind_steps(body, carry.leaves, (), checkpoint, length=None, cond=cond))
