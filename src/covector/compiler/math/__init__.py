"""Elementary and special functions as branch-free LLVM IR text that the loop vectoriser widens.

`FUNCTIONS` maps a NumPy or SciPy name to its `Function`; `module` gives the IR text for a set of them.
Each family is a module that registers its formulas when imported.
"""

import importlib
import pkgutil

from .registry import FUNCTIONS, Function, module, register, scalar

__all__ = ["FUNCTIONS", "Function", "module", "register", "scalar"]

for _family in pkgutil.iter_modules(__path__):
    if _family.name.startswith(("elementary_", "special_")):
        importlib.import_module(f"{__name__}.{_family.name}")
