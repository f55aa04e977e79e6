"""What the loops and branches mean: Python loops, through which every transform works operation by operation."""

from __future__ import annotations

from typing import Any

import numpy as np

import covector as cv
import covector.numpy as cnp
from covector import tree
from covector.control.carries import fresh

__all__ = ["OURS", "PLAIN"]


def _fresh(x: Any) -> Any:
    return tree.map(fresh, x)


def _element(xs: Any, i: int) -> Any:
    return tree.map(lambda x: fresh(x[i]), xs)


def _stacked(ys: list[Any]) -> Any:
    return tree.map(lambda *y: np.stack(y), *ys)


class Plain:
    """Loops and branches in plain Python."""

    @staticmethod
    def leaf(y: Any) -> Any:
        return tree.leaves(y)[0]

    @staticmethod
    def scan(f: Any, init: Any, xs: Any, length: Any = None, reverse: bool = False, **_: Any) -> Any:
        leaves = tree.leaves(xs)
        n = len(leaves[0]) if leaves else length
        carry, ys = _fresh(init), {}
        for i in reversed(range(n)) if reverse else range(n):
            carry, y = f(carry, _element(xs, i))
            carry, ys[i] = _fresh(carry), _fresh(y)
        if not n:
            one = tree.map(lambda x: np.zeros(x.shape[1:], x.dtype)[()], xs)
            y = f(_fresh(init), one)[1]
            return carry, tree.map(lambda x: np.zeros((0, *np.shape(x)), x.dtype), y)
        return carry, _stacked([ys[i] for i in range(n)])

    @staticmethod
    def fori_loop(lower: Any, upper: Any, f: Any, carry: Any, **_: Any) -> Any:
        carry = _fresh(carry)
        for i in range(int(lower), int(upper)):
            carry = _fresh(f(np.int64(i), carry))
        return carry

    @staticmethod
    def while_loop(cond: Any, f: Any, carry: Any, **_: Any) -> Any:
        carry = _fresh(carry)
        for _ in range(100):
            if not cond(carry):
                return carry
            carry = _fresh(f(carry))
        raise RuntimeError("the loop does not end")

    @staticmethod
    def cond(pred: Any, f: Any, g: Any, *args: Any, **_: Any) -> Any:
        return _fresh(f(*_fresh(args)) if pred else g(*_fresh(args)))

    @staticmethod
    def switch(i: Any, fs: Any, *args: Any) -> Any:
        return _fresh(fs[min(max(int(i), 0), len(fs) - 1)](*_fresh(args)))

    @staticmethod
    def map(f: Any, xs: Any, **_: Any) -> Any:
        return np.stack([f(fresh(x)) for x in xs])

    @staticmethod
    def associative_scan(f: Any, xs: Any, reverse: bool = False) -> Any:
        n = len(tree.leaves(xs)[0])
        out: list[Any] = []
        for i in reversed(range(n)) if reverse else range(n):
            x = tree.map(lambda x, i=i: x[i], xs)
            out.append(f(out[-1], x) if out else x)
        return _stacked(out[::-1] if reverse else out)

    @staticmethod
    def jit(f: Any) -> Any:
        return f

    checkpoint = jit

    @staticmethod
    def vmap(f: Any) -> Any:
        return lambda xs: np.stack([f(fresh(x)) for x in xs])

    grad = staticmethod(cv.grad)
    array, take = staticmethod(cnp.array), staticmethod(cnp.take)


class Ours:
    """Those of covector."""

    leaf = staticmethod(Plain.leaf)
    array, take = staticmethod(cnp.array), staticmethod(cnp.take)
    scan, fori_loop, while_loop, cond, switch = map(
        staticmethod, (cv.scan, cv.fori_loop, cv.while_loop, cv.cond, cv.switch)
    )
    map, associative_scan, jit, checkpoint, vmap, grad = map(
        staticmethod, (cv.map, cv.associative_scan, cv.jit, cv.checkpoint, cv.vmap, cv.grad)
    )


PLAIN, OURS = Plain(), Ours()
