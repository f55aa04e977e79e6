"""`scan`, a loop over the first axis of arrays that carries a state along, and `map`, the same without a state."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.errors import ConcretizationError
from ..core.primitive import PRIMITIVES
from ..core.tracer import Tracer
from ..core.values import Aval, dtype_of, shape_of
from ..transforms.arguments import check_leaf, fun_name, output_leaves
from ..transforms.vmap import vmap
from .carries import Carry, Stacks, check_functions, check_unroll
from .loops.checkpointing import check_checkpoint
from .programs.bodies import Body, record_body, structured
from .steps import INDEX, bind_steps

__all__ = ["map", "scan"]


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    *,
    checkpoint: Any = None,
) -> tuple[Any, Any]:
    """Loop over the first axis of arrays, carry a state along, and stack what each step returns.

    Parameters
    ----------
    f : callable
        ``f(carry, x) -> (carry, y)``. The new carry has the structure, shapes and dtypes of the old one.
    init : pytree
        The first carry. Python numbers become NumPy scalars.
    xs : pytree, optional
        Arrays of which each step is given one element along the first axis; None gives each step None.
    length : int, optional
        The number of steps, needed where `xs` has no leaves.
    reverse : bool, default False
        Go through `xs` from the last element to the first; the results are stacked in the order of `xs` all the same.
    unroll : int or bool, default 1
        Checked and otherwise ignored: the compiler decides how many steps it writes out. The results do not depend on
        it.
    checkpoint : None, "sqrt" or int, optional
        What reverse mode keeps of the steps: everything it needs (None), or some of the carries, from which it
        computes the others again.

    Returns
    -------
    carry : pytree
        The last carry.
    ys : pytree
        The results of all steps, stacked along a new first axis; None where they are None.

    Raises
    ------
    TypeError
        `f` does not return a pair, or the carry changes its structure, a shape or a dtype; the message names the leaf.
    ValueError
        The leaves of `xs` disagree about the number of steps, or nothing says how many there are.
    ConcretizationError
        `f` is recorded (see Notes) and asks for the value of a number.

    Notes
    -----
    Called from plain Python, and under transforms, this is a Python loop. In a function that is recorded (`jit`,
    `make_graph`, `eval_shape`), under a transform of these, and with `checkpoint`, `f` is called once, on values
    of which only shape and dtype are known, and the loop is one operation of the program, compiled to a loop of
    machine code.

    `f` may write to its carry (``carry[i] = v``), which stays in place and never changes `init`.

    Shapes: an element of a leaf of `xs` of shape ``(n, ...)`` has shape ``(...)``; a result of shape ``(...)``
    is stacked to ``(n, ...)``.

    Cost: reverse mode stores, per step, what the derivative of `f` needs; with `checkpoint` less of it.

    Examples
    --------
    >>> import numpy as np, covector
    >>> def step(total, x):
    ...     total = 0.5 * total + x
    ...     return total, total
    >>> covector.scan(step, 0.0, np.array([1.0, 2.0, 4.0]))
    (np.float64(5.25), array([1.  , 2.5 , 5.25]))
    >>> covector.grad(lambda xs: covector.scan(step, 0.0, xs)[0])(np.array([1.0, 2.0, 4.0]))
    array([0.25, 0.5 , 1.  ])
    """
    check_functions("scan", f=f)
    check_unroll("scan", unroll)
    return _scan("scan", f, init, xs, length, reverse, checkpoint)


def map(f: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """Apply a function to each element along the first axis of arrays, one after the other.

    Parameters
    ----------
    f : callable
        Takes one element of each leaf of `xs`, in their structure, and returns a pytree of arrays.
    xs : pytree
        Arrays of the same length.
    batch_size : int, optional
        Apply `f` to this many elements at a time, by `vmap`.

    Returns
    -------
    pytree
        The results, stacked along a new first axis.

    Raises
    ------
    TypeError
        `f` returns something that is not an array.
    ValueError
        The leaves of `xs` have different lengths, or `batch_size` is not positive.

    See Also
    --------
    vmap : The same for all elements at once, which is faster and needs memory for all of them.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.map(lambda x: x @ x, np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([ 5., 25.])
    """
    check_functions("map", f=f)

    def step(_: None, x: Any) -> tuple[None, Any]:
        return None, f(x)

    step.__qualname__ = fun_name(f)
    if batch_size is None:
        return _scan("map", step, None, xs, None, False, None)[1]
    size = _positive("map", "batch_size", batch_size)
    leaves, treedef = tree.flatten(xs)
    n = _length("map", leaves, treedef, None)
    whole = n - n % size
    parts = []
    if whole or not n:
        blocks = [np.reshape(x[:whole], (whole // size, size, *shape_of(x)[1:])) for x in leaves]
        lanes = vmap(f, axis_size=size)
        ys = _scan("map", lambda _, x: (None, lanes(x)), None, tree.unflatten(treedef, blocks), None, False, None)[1]
        parts.append(tree.map(lambda y: np.reshape(y, (whole, *shape_of(y)[2:])), ys))
    if whole < n:
        parts.append(vmap(f, axis_size=n - whole)(tree.unflatten(treedef, [x[whole:] for x in leaves])))
    return parts[0] if len(parts) == 1 else tree.map(lambda *ys: np.concatenate(ys), *parts)


def _scan(name: str, f: Any, init: Any, xs: Any, length: Any, reverse: bool, checkpoint: Any) -> tuple[Any, Any]:
    checkpoint = check_checkpoint(name, checkpoint)
    leaves, treedef = tree.flatten(xs)
    n = _length(name, leaves, treedef, length)
    carry = Carry(name, "init", init)
    if structured() or checkpoint is not None:
        return _as_program(name, f, carry, (leaves, treedef), n, bool(reverse), checkpoint)
    if not n:
        return _without_steps(name, f, carry, (leaves, treedef))
    state = carry.start()
    stacks = Stacks(name, n)
    single = treedef is tree.LEAF
    for i in reversed(range(n)) if reverse else range(n):
        x = _element(leaves[0], i) if single else tree.unflatten(treedef, [_element(s, i) for s in leaves])
        out = list(_pair(name, f, f(carry.whole(state), x)))
        stacks.put(i, f, out.pop())
        state = carry.step(f, out, state)
    return carry.whole(state), stacks.whole()


def _without_steps(name: str, f: Any, carry: Carry, xs: tuple[list[Any], tree.TreeDef]) -> tuple[Any, Any]:
    try:
        body, results = _record(name, f, carry, xs)
    except ConcretizationError as error:
        raise ConcretizationError(
            f"{error} (there are no steps, so {name} records the function to find out what shapes its results have)"
        ) from error
    avals = body.avals[len(carry.leaves) :]
    return carry.whole(carry.start()), tree.unflatten(results, [np.zeros((0, *a.shape), a.dtype) for a in avals])


def _element(sequence: Any, i: int) -> Any:
    """Element `i` along the first axis, which may be written to."""
    if isinstance(sequence, Tracer):
        return PRIMITIVES["slice"](sequence, index=(i,))
    x = sequence[i]
    return x.copy() if isinstance(x, np.ndarray) else x


def _pair(name: str, f: Any, out: Any) -> Any:
    if not (isinstance(out, tuple | list) and len(out) == 2):
        got = f"a {type(out).__name__} of {len(out)}" if isinstance(out, tuple | list) else type(out).__name__
        raise TypeError(f"{name}: {fun_name(f)} must return a pair (carry, y), got {got}; y may be None")
    return out


def _record(name: str, f: Any, carry: Carry, xs: tuple[list[Any], tree.TreeDef]) -> tuple[Body, tree.TreeDef]:
    """Record one step; return it, and the structure of its results."""
    leaves, treedef = xs
    count = len(carry.leaves)
    found: list[tree.TreeDef] = []

    def step(_: Any, *given: Any) -> Any:
        out = f(carry.whole(given[:count]), tree.unflatten(treedef, given[count:]))
        new, y = _pair(name, f, out)
        results, y_treedef = output_leaves(y, name, f)
        found.append(y_treedef)
        return carry.check(f, new), results

    elements = [Aval(shape_of(x)[1:], dtype_of(x)) for x in leaves]
    return record_body(step, [INDEX, *carry.avals, *elements], name, function=f), found[0]


def _as_program(
    name: str, f: Any, carry: Carry, xs: tuple[list[Any], tree.TreeDef], length: int, reverse: bool, checkpoint: Any
) -> tuple[Any, Any]:
    body, results = _record(name, f, carry, xs)
    count = len(carry.leaves)
    out = bind_steps(body, carry.leaves, xs[0], checkpoint, length=length, reverse=reverse)
    return carry.whole(out[:count]), tree.unflatten(results, out[count:])


def _positive(name: str, argument: str, value: Any) -> int:
    try:
        n = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {argument} must be a positive int, got {value!r}") from None
    if n < 1 or isinstance(value, bool):
        raise ValueError(f"{name}: {argument} must be a positive int, got {value!r}")
    return n


def _length(name: str, leaves: Sequence[Any], treedef: tree.TreeDef, length: Any) -> int:
    """The number of steps; ValueError unless the sequences agree about it."""
    paths = tree.paths(treedef)
    for path, x in zip(paths, leaves, strict=True):
        if not isinstance(x, Tracer):
            check_leaf(x, f"{name}: xs{path}")
        if not shape_of(x):
            raise ValueError(
                f"{name}: xs{path} is a number, which has no axis to go along; give an array of one element per step, "
                f"np.array(values) for a list of numbers"
            )
    if length is not None:
        try:
            length = operator.index(length)
        except TypeError:
            raise TypeError(
                f"{name}: length must be an int that is known when the loop starts, got {length!r}; where the number "
                f"of steps depends on values, use covector.fori_loop or covector.while_loop"
            ) from None
        if length < 0:
            raise ValueError(f"{name}: length must not be negative, got {length}")
    found = {shape_of(x)[0] for x in leaves} | ({length} if length is not None else set())
    if not found:
        raise ValueError(f"{name}: xs has no arrays, so nothing says how many steps there are; give length=n")
    if len(found) > 1:
        lines = [f"  xs{path}: {shape_of(x)[0]}" for path, x in zip(paths, leaves, strict=True)]
        if length is not None:
            lines.append(f"  length: {length}")
        raise ValueError(f"{name}: the lengths of the first axes disagree:\n" + "\n".join(lines))
    return int(found.pop())
