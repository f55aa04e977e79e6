"""What the derivative of every ufunc should be: high-precision references, and the points to compare at."""

from __future__ import annotations

from . import distributions, elementary, hypergeometric, special
from .points import Domain, points
from .reference import Reference, certain

__all__ = ["REFERENCES", "Domain", "Reference", "certain", "points"]

REFERENCES: dict[str, Reference] = {**elementary.TABLE, **special.TABLE, **hypergeometric.TABLE, **distributions.TABLE}
"""By the name under which users call the function; output i of a ufunc with several outputs is ``name[i]``."""
