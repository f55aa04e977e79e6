"""The loops, one module per family."""

from __future__ import annotations

import importlib

from ...compiled.families.base import Case

# name as `--only` takes it, also the name of the module and of the C file
FAMILIES = ("cascade", "lstm", "kalman", "recurrence", "newton", "bounce", "network")


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
