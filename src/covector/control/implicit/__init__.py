"""Implicit differentiation: derivatives of what solves an equation, without a look at how it was solved."""

from .custom_root import custom_root
from .fixed_point import fixed_point
from .linear_solve import linear_solve

__all__ = ["custom_root", "fixed_point", "linear_solve"]
