"""Minimise the Rosenbrock function in 100 dimensions with exact gradients and Hessian-vector products.

The trust-region Newton-CG method needs the Hessian only through its products with vectors: one `hvp` each, at a
small multiple of the cost of the function, without a 100 x 100 matrix.

Run: python examples/minimise_rosenbrock.py
"""

import numpy as np
from scipy.optimize import minimize

from covector import hvp, value_and_grad


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def hessian_times(x, v):
    _gradient, (product,) = hvp(rosenbrock, (x,), (v,))
    return product


def solve(n=100):
    """Minimise from a start far away; the minimum is at all ones."""
    start = np.tile([-1.2, 1.0], n // 2)
    exact = minimize(
        value_and_grad(rosenbrock), start, jac=True, hessp=hessian_times, method="trust-ncg", options={"gtol": 1e-10}
    )
    differences = minimize(rosenbrock, start, method="BFGS")
    return exact, differences


def main():
    exact, differences = solve()
    print(f"exact gradient and hvp:  error {np.max(np.abs(exact.x - 1)):.1e}, {exact.nfev} function evaluations")
    error = np.max(np.abs(differences.x - 1))
    print(f"finite differences:      error {error:.1e}, {differences.nfev} function evaluations")


if __name__ == "__main__":
    main()
