"""What a function reaches besides its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Environment"]


class Environment:
    """What one function reaches besides its arguments."""

    def __init__(self, fun: Callable[..., Any], fixed: Sequence[Any]) -> None:
        self.table: dict[Any, Any] = {}
        self.active = False
        self.names: list[str] = []

    def read(self, fun: Callable[..., Any], fixed: Sequence[Any]) -> Sequence[Any] | None:
        return ()

    def substitute(self, fun: Any, fixed: Sequence[Any], tracers: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
        return fun, fixed
