"""Whether what a batching rule makes of a program is evaluated with NumPy or becomes part of a recorded program.

Batching rules record programs in either case, so the rules of what is in these programs cannot tell by themselves.
Compiled code has no warnings, and computing what nobody looks at is often the fastest it can do. NumPy warns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["evaluation", "is_evaluated"]

_evaluated: ContextVar[bool] = ContextVar("covector_evaluated", default=False)
is_evaluated = _evaluated.get
"""Whether a batching rule runs whose result will be evaluated at once."""


@contextmanager
def evaluation(now: bool) -> Iterator[None]:
    """Note for a block that its results are evaluated, if they are; else what holds outside holds inside."""
    if not now:
        yield
        return
    token = _evaluated.set(True)
    try:
        yield
    finally:
        _evaluated.reset(token)
