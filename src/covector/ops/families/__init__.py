"""Builders: from the few rules that make a primitive what it is to all of its slots.

=============  ===========================================  ================================================
builder        what the author writes                       examples
=============  ===========================================  ================================================
elementwise    ∂out/∂xᵢ as `partials`                       sin, add, power
linear         the transpose                                reshape, sum, fft
multilinear    one transpose per argument                   matmul, einsum
weighted       ∂out/∂x with the shape of x, summed by axis  max, prod
general        the jvp, one linear term per argument        cholesky, eigh
constant       nothing                                      floor, argmax, less
=============  ===========================================  ================================================

Forward and reverse mode come from the same entry, so they cannot drift apart.
"""

from .constant import constant
from .elementwise import batch_elementwise, elementwise, elementwise_aval, like, masked_product, product
from .general import general, transpose_term
from .linear import linear, multilinear
from .weighted import batch_reduction, keep_axes, reduced_aval, weighted

__all__ = [
    "batch_elementwise",
    "batch_reduction",
    "constant",
    "elementwise",
    "elementwise_aval",
    "general",
    "keep_axes",
    "like",
    "linear",
    "masked_product",
    "multilinear",
    "product",
    "reduced_aval",
    "transpose_term",
    "weighted",
]
