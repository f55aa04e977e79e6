"""From when on a loop is worth it."""

__all__ = ["LEAST_COUNT", "LEAST_LENGTH", "MANY"]

LEAST_COUNT = 8
"""Iterations from which on a loop is worth it."""

LEAST_LENGTH = 64
"""Equations from which on a loop is worth it for its own sake."""

MANY = 16
"""Arguments from which on a concatenation may come from a loop."""
