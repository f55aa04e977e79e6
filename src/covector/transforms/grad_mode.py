"""`no_grad` and `enable_grad`: values computed inside are constants to the transforms that are running already."""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from typing import Any

from ..core.tracer import newest_level

__all__ = ["blocked_level", "enable_grad", "no_grad"]

# Derivative traces of this level or below record nothing; 0 when none is blocked. Being a context variable it is
# seen by the thread or task that entered the block and by no other.
_blocked: ContextVar[int] = ContextVar("covector_blocked", default=0)
blocked_level = _blocked.get


# What each open block has to restore, innermost last. One variable for all blocks: a context never forgets a variable
# that was set in it, so a variable per block would leak.
_tokens: ContextVar[tuple[Token[int], ...]] = ContextVar("covector_grad_mode_tokens", default=())


class _GradMode(ContextDecorator):
    def _level(self) -> int:
        raise NotImplementedError

    def __enter__(self) -> Any:
        _tokens.set((*_tokens.get(), _blocked.set(self._level())))
        return self

    def __exit__(self, *_: object) -> None:
        *rest, token = _tokens.get()
        _tokens.set(tuple(rest))
        _blocked.reset(token)


class no_grad(_GradMode):
    """Treat values computed in a block as constants.

    A transform that runs when the block is entered sees constants, in forward and in reverse mode. A transform that
    starts inside the block differentiates as usual, so the result of a transform never depends on the context it is
    called from. `vmap` is unaffected. Re-entrant, thread-safe, and usable as a decorator.

    Examples
    --------
    >>> import numpy as np, covector
    >>> def f(x):
    ...     with covector.no_grad():
    ...         c = x ** 2
    ...     return x - c
    >>> covector.grad(f)(3.0)
    np.float64(1.0)
    >>> with covector.no_grad():
    ...     print(covector.grad(np.sin)(0.0))
    1.0
    """

    def _level(self) -> int:
        return newest_level()


class enable_grad(_GradMode):
    """Differentiate again inside a `no_grad` block.

    Examples
    --------
    >>> import covector
    >>> def f(x):
    ...     with covector.no_grad():
    ...         with covector.enable_grad():
    ...             y = x ** 2
    ...     return y
    >>> covector.grad(f)(3.0)
    np.float64(6.0)
    """

    def _level(self) -> int:
        return 0
