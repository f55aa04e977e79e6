"""The way of a call that meets the same kind of arguments as the one before, in as few steps as possible.

For each specialisation a Python function is written that checks types, dtypes and shapes one after the other, reads
what is hidden, calls the machine code and puts the results into place. It gives up at the first thing that is not as
expected, and then the call takes the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optree

from ...core import tree
from ...core.values import dtype_of
from .closures import Environment
from .results import ARRAY, PYTHON
from .signature import Arguments
from .specialise import MISMATCH
from .variants import Found, Variants

__all__ = ["fast_call"]

_ndarray = np.ndarray
_MOST = 200
"""So many leaves are written out one by one; more take the general way."""


class _Writer:
    """The lines of the function and the constants in it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {"MISMATCH": MISMATCH, "ndarray": _ndarray, "asarray": np.asarray}

    def constant(self, x: Any) -> str:
        name = f"k{len(self.constants)}"
        self.constants[name] = x
        return name

    def require(self, condition: str) -> None:
        self.lines.append(f"if not ({condition}): return MISMATCH")

    def function(self) -> Callable[..., Any]:
        body = "".join(f"        {line}\n" for line in self.lines)
        text = (
            f"def call(args, kwargs):\n    try:\n{body}    except (KeyError, OverflowError):\n        return MISMATCH\n"
        )
        exec(text, self.constants)
        return self.constants["call"]


def fast_call(variants: Variants, found: Found, given: Arguments) -> Callable[..., Any] | None:
    """Make a function ``(args, kwargs) -> output`` that returns `MISMATCH` for arguments of another kind.

    None where the general way is as good.
    """
    environment, spec = found
    if spec.watched is not None or spec.written or given.treedef.num_leaves > _MOST:
        return None
    w = _Writer()
    leaves, fixed = _write_arguments(w, given)
    native = spec.executable.direct()
    names, checks = [], []
    for name, x in zip(leaves, given.leaves, strict=True):
        check, value = _check(w, name, x, native is not None)
        names.append(value)
        # An array of no dimensions and a number are the same to machine code, and not to NumPy.
        if native is not None and type(x) is _ndarray and x.ndim and x.dtype.isnative:
            checks.append(check)  # the machine code looks for itself; only when it refuses, one must know why
        else:
            w.require(check)
    if environment.active or fixed:
        read = environment.reader if type(environment) is Environment else environment.read
        w.constants.update(read=read, fun=variants.fun)
        w.lines.append(f"hidden = read(fun, ({''.join(f'{name}, ' for name in fixed)}))")
        w.require("type(hidden) is not int")
        if environment.names:
            names.append("*hidden")
            # What another transform follows takes the general way.
            w.require(" and ".join([f"type(hidden[{i}]) is ndarray" for i in range(len(environment.names))]))
    outs = _write_call(w, spec, names, checks, native)
    w.constants.update(hits=variants.hits)
    w.lines.append("hits[0] += 1")
    _write_result(w, spec, outs)
    return w.function()


def _write_arguments(w: _Writer, given: Arguments) -> tuple[list[str], list[str]]:
    """Write what takes the arguments apart; return the variables with leaves and with static values."""
    args, kwargs = given.trees
    w.require(f"len(args) == {len(args)}")
    w.require(f"tuple(kwargs) == {w.constant(tuple(kwargs))}" if kwargs else "not kwargs")
    places: list[Any] = [*range(len(args)), *kwargs]
    sources = {p: f"args[{p}]" if isinstance(p, int) else f"kwargs[{p!r}]" for p in places}
    fixed = [f"f{i}" for i in range(len(given.static_places))]
    w.lines.extend(f"{name} = {sources[p]}" for name, p in zip(fixed, given.static_places, strict=True))
    dynamic = [(x, sources[p]) for p, x in zip(places, (*args, *kwargs.values()), strict=True)]
    dynamic = [d for p, d in zip(places, dynamic, strict=True) if p not in given.static_places]
    if all(_is_simple(x) for x, _ in dynamic):
        names: list[str] = []
        for x, source in dynamic:
            _write_parts(w, x, source, names)
    else:
        names = _write_flattening(w, given)
    leaves = set(given.places)
    fixed += [name for i, name in enumerate(names) if i not in leaves]
    return [names[i] for i in given.places], fixed


def _is_simple(x: Any) -> bool:
    """Whether `x` consists of tuples, lists, dicts and leaves alone."""
    if type(x) in (tuple, list):
        return all(map(_is_simple, x))
    if type(x) is dict:
        return all(map(_is_simple, x.values())) and all(type(key) in (str, int) for key in x)
    return x is None or tree.flatten(x)[1] == tree.LEAF


def _write_parts(w: _Writer, x: Any, source: str, names: list[str]) -> None:
    """Write what takes one argument of the structure of `x` apart; this is several times as fast as optree."""
    if x is None:
        w.require(f"{source} is None")
        return
    if type(x) not in (tuple, list, dict):
        names.append(f"x{len(names)}")
        w.lines.append(f"{names[-1]} = {source}")
        return
    node = f"n{len(w.lines)}"
    w.lines.append(f"{node} = {source}")
    if type(x) is dict:
        w.require(f"type({node}) is dict and tuple({node}) == {w.constant(tuple(x))}")
        for key, part in x.items():
            _write_parts(w, part, f"{node}[{key!r}]", names)
        return
    w.require(f"type({node}) is {type(x).__name__} and len({node}) == {len(x)}")
    for i, part in enumerate(x):
        _write_parts(w, part, f"{node}[{i}]", names)


def _write_flattening(w: _Writer, given: Arguments) -> list[str]:
    numbers = [p for p in given.static_places if isinstance(p, int)]
    words = [p for p in given.static_places if not isinstance(p, int)]
    if numbers:
        w.lines.append("args = list(args)")
        w.lines.extend(f"args[{i}] = None" for i in numbers)
        w.lines.append("args = tuple(args)")
    if words:
        w.lines.append("kwargs = dict(kwargs)")
        w.lines.extend(f"kwargs[{name!r}] = None" for name in words)
    w.constants.update(flatten=optree.tree_flatten, expected=given.treedef)
    w.lines.append("leaves, structure = flatten((args, kwargs), None, namespace='covector')")
    w.require("structure == expected")
    names = [f"x{i}" for i in range(given.treedef.num_leaves)]
    w.lines.append(f"{''.join(f'{name}, ' for name in names)} = leaves" if names else "pass")
    return names


def _check(w: _Writer, name: str, x: Any, as_it_is: bool) -> tuple[str, str]:
    """The condition that the leaf `name` is of the kind of `x`, and the expression of what to compute with.

    Machine code reads floats `as_it_is`; whoever else computes wants arrays.
    """
    if type(x) is _ndarray:
        shape = f"{name}.shape == {x.shape!r}" if x.ndim else f"not {name}.ndim"
        check = f"type({name}) is ndarray and {name}.dtype is {w.constant(x.dtype)} and {shape}"
        return check, name if x.dtype.isnative else f"{name}.astype({w.constant(x.dtype.newbyteorder('='))})"
    plain = as_it_is and type(x) in (float, np.float64)
    value = name if plain else f"asarray({name}, {w.constant(dtype_of(x))})"
    return f"type({name}) is {w.constant(type(x))}", value


def _write_call(w: _Writer, spec: Any, names: list[str], checks: list[str], native: Any) -> list[str]:
    """Write the call; return the expressions of the outputs, the answer to the guards left out."""
    w.constants.update(code=spec.executable)
    outs = [f"y{i}" for i in range(spec.executable.count)]
    general = [f"{''.join(f'{y}, ' for y in outs)} = code({', '.join(names)})" if outs else f"code({', '.join(names)})"]
    if spec.guarded is not None:
        general = ["try:", f"    {general[0]}", "except Exception:", "    return MISMATCH"]
    if native is None:
        w.lines += general
    else:
        function, makers = native
        w.constants.update(native=function)
        for y, (make, shape, dtype) in zip(outs, makers, strict=True):
            w.lines.append(f"{y} = {w.constant(make)}({shape!r}, {w.constant(dtype)})")
        w.lines.append(f"if native({', '.join([*names, *outs])}):")
        w.lines += [f"    if not ({check}): return MISMATCH" for check in checks]
        w.lines += [f"    {line}" for line in general]
    if spec.guarded is not None:
        w.require(outs.pop())
    return outs


def _write_result(w: _Writer, spec: Any, outs: list[str]) -> None:
    names = []
    for y, kind in zip(outs, spec.kinds, strict=True):
        names.append(y if kind == ARRAY else f"{y}.item()" if kind == PYTHON else f"{y}[()]")
    shown = _Expression.of(tree.unflatten(spec.treedef, [_Expression(name) for name in names]))
    if shown is None:
        w.constants.update(unflatten=optree.tree_unflatten, treedef=spec.treedef)
        shown = f"unflatten(treedef, [{', '.join(names)}])"
    w.lines.append(f"return {shown}")


class _Expression:
    """Stands for an output leaf while the expression of the whole output is written."""

    def __init__(self, text: str) -> None:
        self.text = text

    @staticmethod
    def of(x: Any) -> str | None:
        """The expression of a tree of such leaves; None for trees of other than tuples, lists and dicts."""
        if isinstance(x, _Expression):
            return x.text
        if x is None:
            return "None"
        if type(x) is dict and all(type(key) in (str, int) for key in x):
            parts = [_Expression.of(v) for v in x.values()]
            if None in parts:
                return None
            return "{" + ", ".join(f"{key!r}: {part}" for key, part in zip(x, parts, strict=True)) + "}"
        if type(x) not in (tuple, list):
            return None
        parts = [_Expression.of(v) for v in x]
        if None in parts:
            return None
        listed = "".join(f"{part}, " for part in parts)
        return f"({listed})" if type(x) is tuple else f"[{listed}]"
