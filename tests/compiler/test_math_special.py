"""The compiled special functions against mpmath, and at special points against SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special as sc
from special_points import CASES, Case, reference

from covector.compiler.math import FUNCTIONS

from . import harness

mpmath = pytest.importorskip("mpmath")
