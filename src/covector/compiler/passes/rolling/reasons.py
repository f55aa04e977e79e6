"""Why repeated operations are not a loop: everything that the report may say."""

from __future__ import annotations

from .limits import LEAST_COUNT, LEAST_LENGTH, MAX_LAG

__all__ = ["BROKEN", "DISTANT", "FEW", "IRREGULAR", "NUMBERS", "PARAMETERS", "SEPARATE", "SHAPES", "SHORT", "SINGLE"]

FEW = f"there are fewer than {LEAST_COUNT} iterations"
SHORT = f"there are fewer than {LEAST_LENGTH} operations in all"
SHAPES = "shapes or dtypes differ from iteration to iteration"
PARAMETERS = "what is done differs from iteration to iteration"
NUMBERS = "numbers are of different kinds in different iterations"
DISTANT = f"an iteration reads what was made more than {MAX_LAG} iterations before it"
IRREGULAR = "which earlier value is read does not move regularly from iteration to iteration"
SEPARATE = "each iteration reads a separate value from before; put them into one array"
BROKEN = f"what is read follows one pattern for fewer than {LEAST_COUNT} iterations in a row"
SINGLE = "what the iterations make is needed one by one afterwards; put it into one array"
