"""The table of scalar functions the compiler knows as IR text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from .writer import FORMATS, Code, Formula

FUNCTIONS: dict[str, Function] = {}


@dataclass(frozen=True)
class Function:
    """One scalar function.

    Parameters
    ----------
    name : str
        NumPy's or SciPy's name for it.
    arity : int
        Number of arguments, all of one float type.
    formula : callable
        ``formula(code, *arguments) -> Value`` writes the body into a `Code`.
    accuracy : dict
        Largest error in units in the last place by ctype, as the tests check it.
    """

    name: str
    arity: int
    formula: Formula = field(repr=False)
    accuracy: dict[str, float]

    def code(self, ctype: str) -> tuple[Code, str]:
        """The written function for one float type, and its text."""
        return _written(self, ctype)

    def text(self, ctype: str) -> str:
        """IR text of ``@"cv.<name>.<ctype>"``."""
        return self.code(ctype)[1]

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the registered functions that this one calls."""
        return tuple(sorted({name for name, _ in self.code("f64")[0].needs}))

    def __hash__(self) -> int:
        return hash(self.name)


@cache
def _written(function: Function, ctype: str) -> tuple[Code, str]:
    if ctype not in FORMATS:
        raise ValueError(f"{function.name}: scalar functions exist for f64 and f32, not for {ctype!r}")
    code = Code(function.name, ctype, function.arity)
    return code, code.definition(function.formula(code, *code.arguments))


def register(function: Function) -> Function:
    """Add `function` to the table; a name is registered once."""
    if function.name in FUNCTIONS:
        raise ValueError(f"the scalar function {function.name!r} is registered twice")
    FUNCTIONS[function.name] = function
    return function


def scalar(name: str, *, arity: int = 1, f64: float, f32: float) -> Callable[[Formula], Formula]:
    """Decorator that registers a formula; `f64` and `f32` are its error bounds in units in the last place."""

    def enter(formula: Formula) -> Formula:
        register(Function(name, arity, formula, {"f64": f64, "f32": f32}))
        return formula

    return enter


def module(wanted: Iterable[tuple[str, str]], declared: set[str] | None = None) -> str:
    """IR text that defines every wanted function once, with all that it needs.

    Parameters
    ----------
    wanted : iterable of (name, ctype)
        ``ctype`` is ``"f64"`` or ``"f32"``.
    declared : set of str, optional
        Symbols that the surrounding module already declares or defines, without ``@``. They are left out here, and
        the ones that this text adds are put in.

    Returns
    -------
    str
        Definitions ``@"cv.<name>.<ctype>"``, constants and declarations of intrinsics.
    """
    declared = set() if declared is None else declared
    heads: list[str] = []
    bodies: list[str] = []
    waiting = sorted(set(wanted), reverse=True)
    while waiting:
        name, ctype = waiting.pop()
        symbol = f"cv.{name}.{ctype}"
        if symbol in declared:
            continue
        if name not in FUNCTIONS:
            raise KeyError(f"no scalar function {name!r}; there are {', '.join(sorted(FUNCTIONS))}")
        declared.add(symbol)
        code, text = FUNCTIONS[name].code(ctype)
        bodies.append(text)
        for needed, line in (code.definitions | code.declarations).items():
            if needed not in declared:
                declared.add(needed)
                heads.append(line)
        waiting.extend(sorted(code.needs, reverse=True))
    return "\n".join([*heads, *bodies, ""])
