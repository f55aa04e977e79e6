"""covector: derivatives of plain NumPy code.

Give a function written with ``import numpy as np`` to `grad`, `vjp`, `jvp`, `jacrev`, `jacfwd`, `hessian` or `vmap` and
get its derivatives as new Python functions, which compose in any order.
"""

from typing import TYPE_CHECKING, Any

from . import errors, numpy_api, ops, tree
from .compiler.jit import jit
from .compiler.native.threads import threads
from .control.associative_scan import associative_scan
from .control.conditionals import cond, switch
from .control.fori_loop import fori_loop
from .control.implicit import custom_root, fixed_point, linear_solve
from .control.ode import odeint
from .control.scan import map, scan
from .control.while_loop import while_loop
from .errors import (
    ConcretizationError,
    CovectorError,
    CustomRuleError,
    LeakedTracerError,
    NotDifferentiableError,
    OverwrittenError,
    TracerConversionError,
)
from .transforms import (
    ShapeDtypeStruct,
    all_gather,
    axis_index,
    axis_size,
    checkpoint,
    custom_jvp,
    custom_vjp,
    enable_grad,
    eval_shape,
    grad,
    grad_and_value,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    linear_transpose,
    linearize,
    make_graph,
    no_grad,
    pmax,
    pmean,
    pmin,
    ppermute,
    psum,
    stop_gradient,
    value_and_grad,
    value_and_jacobian,
    vjp,
    vmap,
)
from .tree import register_dataclass, register_pytree_node

if TYPE_CHECKING:
    from . import functional, numpy, scipy, testing

__version__ = "0.1.0"

__all__ = [
    "ConcretizationError",
    "CovectorError",
    "CustomRuleError",
    "LeakedTracerError",
    "NotDifferentiableError",
    "OverwrittenError",
    "ShapeDtypeStruct",
    "TracerConversionError",
    "all_gather",
    "associative_scan",
    "axis_index",
    "axis_size",
    "checkpoint",
    "cond",
    "custom_jvp",
    "custom_root",
    "custom_vjp",
    "enable_grad",
    "errors",
    "eval_shape",
    "fixed_point",
    "fori_loop",
    "functional",
    "grad",
    "grad_and_value",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "linear_solve",
    "linear_transpose",
    "linearize",
    "make_graph",
    "map",
    "no_grad",
    "odeint",
    "pmax",
    "pmean",
    "pmin",
    "ppermute",
    "psum",
    "register_dataclass",
    "register_pytree_node",
    "scan",
    "stop_gradient",
    "switch",
    "testing",
    "threads",
    "tree",
    "value_and_grad",
    "value_and_jacobian",
    "vjp",
    "vmap",
    "while_loop",
]

# Submodules that few programs use; they load on first use.
_LATE = ("functional", "numpy", "scipy", "testing")

if not TYPE_CHECKING:  # else every misspelt name would pass

    def __getattr__(name: str) -> Any:
        if name in _LATE:
            from importlib import import_module

            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE} - {"Any", "TYPE_CHECKING"})
