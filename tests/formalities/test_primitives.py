"""Every primitive keeps what its declaration promises: slots, samples, and what its derivative may read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from compositions.cases import Case, cases, differentiable
from covector.core.dispatch import REFUSED, UFUNCS
from covector.core.errors import NotDifferentiableError
from covector.core.primitive import PRIMITIVES, Primitive, Refuse, load_late_rules
from covector.core.tracer import Tracer
from covector.core.values import aval_of, dtype_of, is_weak, shape_of

load_late_rules()

# Calls of user functions and exchanges between lanes need a surrounding transform: tested in tests/contract.
UNSAMPLED = {"call", "collective"}
SAMPLED = [pytest.param(p, id=name) for name, p in sorted(PRIMITIVES.items()) if p.family not in UNSAMPLED]
SMOOTH = [p for p in SAMPLED if not p.values[0].constant]

# Factors and remainders of other rules' formulas, declared for particular dtypes or sizes.
DOUBLE_ONLY: dict[str, str] = {}
