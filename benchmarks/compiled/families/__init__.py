"""The workloads, one module per family; each function of the user is written once, in plain NumPy."""

from __future__ import annotations

import importlib

from .base import Case

# name as `--only` takes it, also the name of the module and of the C file
FAMILIES = ("lse", "gmm", "bundle", "lstm", "ode", "mlp", "stencil", "rosenbrock", "small", "jacobian", "gp")


def cases(family: str) -> list[Case]:
    """The cases of one family, smallest first.

    Parameters
    ----------
    family
        One of `FAMILIES`.
    """
    found: list[Case] = importlib.import_module(f".{family}", __name__).cases()
    return found


__all__ = ["FAMILIES", "Case", "cases"]
