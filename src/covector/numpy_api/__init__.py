"""How NumPy's functions reach the primitives; importing this package fills the tables of `covector.core.dispatch`."""

from . import indexing, reductions, structural

__all__ = ["indexing", "reductions", "structural"]
