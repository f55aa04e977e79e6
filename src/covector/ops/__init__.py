"""The primitives, one family per file; importing this package declares them all."""

from . import arithmetic, contraction, exponential, indexing, reductions, structural

__all__ = ["arithmetic", "contraction", "exponential", "indexing", "reductions", "structural"]
