"""How NumPy's functions reach the primitives; importing this package fills the tables of `covector.core.dispatch`."""

from . import contraction, creation, indexing, joining, reductions, selecting, structural

__all__ = ["contraction", "creation", "indexing", "joining", "reductions", "selecting", "structural"]
