"""Transforms: functions of functions."""

from .abstract import ShapeDtypeStruct, eval_shape, make_graph
from .checkpoint import checkpoint
from .collectives import all_gather, axis_index, axis_size, pmax, pmean, pmin, ppermute, psum
from .custom import custom_jvp, custom_vjp
from .grad_mode import enable_grad, no_grad
from .jacobian import hessian, jacfwd, jacobian, jacrev, value_and_jacobian
from .jvp import jvp
from .linearize import hvp, linear_transpose, linearize
from .stop_gradient import stop_gradient
from .vjp import grad, grad_and_value, value_and_grad, vjp
from .vmap import vmap

__all__ = [
    "ShapeDtypeStruct",
    "all_gather",
    "axis_index",
    "axis_size",
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "enable_grad",
    "eval_shape",
    "grad",
    "grad_and_value",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linear_transpose",
    "linearize",
    "make_graph",
    "no_grad",
    "pmax",
    "pmean",
    "pmin",
    "ppermute",
    "psum",
    "stop_gradient",
    "value_and_grad",
    "value_and_jacobian",
    "vjp",
    "vmap",
]
