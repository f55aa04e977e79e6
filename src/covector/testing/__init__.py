"""Checks of derivatives against differences, of the modes against each other, and of batches against loops."""

from .check import check_grads

__all__ = ["check_grads"]
