"""Derivatives of plain NumPy code."""

from . import numpy_api as _numpy_api, ops as _ops

from .transforms.grad_mode import enable_grad, no_grad
from .transforms.vjp import grad, grad_and_value, value_and_grad, vjp
from .transforms.jvp import jvp
from .transforms.vmap import vmap
from .transforms.jacobian import hessian, jacfwd, jacobian, jacrev, value_and_jacobian
