"""From when on a loop is worth it."""

__all__ = ["LEAST_COUNT", "LEAST_LENGTH", "MANY", "MAX_LAG"]

LEAST_COUNT = 8
"""Iterations from which on a loop is worth it."""

LEAST_LENGTH = 64
"""Equations from which on a loop is worth it for its own sake."""

MAX_LAG = 4
"""How many iterations back what an iteration reads may have been made."""

MANY = 16
"""Arguments from which on a concatenation may come from a loop."""
