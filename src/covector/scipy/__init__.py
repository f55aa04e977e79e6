"""Differentiable counterparts of SciPy functions that no protocol of NumPy reaches.

`linalg`, `signal`, `special` and `stats` have functions with the names and signatures of SciPy's. Given plain arrays,
each calls SciPy's; given traced values, it computes the same with derivatives. `integrate` gives SciPy's solvers exact
Jacobians. SciPy loads with the first call.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import integrate, linalg, signal, special, stats

__all__ = ["integrate", "linalg", "signal", "special", "stats"]

if not TYPE_CHECKING:  # else every misspelt name would pass

    def __getattr__(name: str) -> Any:
        if name in __all__:
            from importlib import import_module

            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"Any", "TYPE_CHECKING"})
