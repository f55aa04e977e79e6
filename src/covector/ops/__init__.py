"""The primitives, one family per file; importing this package declares them all."""

from . import arithmetic, exponential, indexing, reductions, structural

__all__ = ["arithmetic", "exponential", "indexing", "reductions", "structural"]
