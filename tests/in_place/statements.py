"""The kinds of statement that random programs are made of, each written for the names in scope."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["CONCRETE", "STATEMENTS", "Scope", "statement"]

_ENTIRE = ["np.sin({})", "np.cos({})", "np.exp(-({}) ** 2)", "({}) * 0.5", "-({})"]
# These have poles off the real line.
_REAL = ["np.tanh({})", "np.arctan({})", "1.0 / (1.5 + ({}) ** 2)"]
_NON_HOLOMORPHIC = ["np.conj({})", "np.abs({}) ** 2 * 0.5", "({}).real * 0.7", "({}).conj()"]
_OPERATORS = ["+", "-", "*"]


class Scope:
    """The names of a program with their NumPy values, and expressions over them.

    Names that begin with `c` are plain arrays, which take plain values only. `m`: masks; `k`: integers; `s`: scalars.
    """

    def __init__(self, rng: random.Random, names: dict[str, Any], is_complex: bool, concrete: bool) -> None:
        self.rng, self.names, self.is_complex, self.concrete = rng, names, is_complex, concrete
        self.crowded = False

    def eval(self, expression: str) -> Any:
        return eval(expression, {"np": np}, self.names)

    def shape(self, expression: str) -> tuple[int, ...]:
        return np.shape(self.eval(expression))

    def choose(self, items: Any) -> Any:
        return self.rng.choice(list(items))

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def fresh(self, prefix: str) -> str:
        """A new name, or one to be bound anew."""
        old = [name for name in self.names if name[0] == prefix]
        if old and (self.crowded or self.chance(0.1)):
            return self.rng.choice(old)
        return next(name for k in range(100) if (name := f"{prefix}{k}") not in self.names)

    def arrays(self, where: Callable[[Any], bool] = lambda x: True, plain: bool | None = None) -> list[str]:
        return [
            name
            for name, x in self.names.items()
            if isinstance(x, np.ndarray) and name[0] not in "mk" and plain in (None, name[0] == "c") and where(x)
        ]

    def array(self, where: Callable[[Any], bool] = lambda x: True, plain: bool | None = False) -> str:
        """A name of an array; `ValueError` if there is none such."""
        found = self.arrays(where, plain)
        if not found:
            raise ValueError("no such array")
        return self.rng.choice(found)

    def target(self, ndim: int = 1) -> str:
        """A name of an array that can be written to; now and then a plain one."""
        return self.array(lambda x: x.flags.writeable and x.ndim >= ndim, self.chance(0.1))

    def literal(self) -> str:
        number = f"{self.rng.uniform(-1.0, 1.0):.3f}"
        return f"({number} + {self.rng.uniform(-1.0, 1.0):.3f}j)" if self.is_complex and self.chance(0.3) else number

    def constant(self, shape: tuple[int, ...]) -> str:
        a, b = self.rng.uniform(-1.0, 0.0), self.rng.uniform(0.1, 1.0)
        return f"np.linspace({a:.3f}, {b:.3f}, {int(np.prod(shape))}).reshape({shape})"

    def value(self, shape: tuple[int, ...], target: str = "x0", depth: int = 0) -> str:
        """An expression that broadcasts to the shape and may be written to the target."""
        plain = target[0] == "c"
        choice = self.rng.random()
        if choice < 0.2:
            return self.literal()
        if choice < 0.3 and 0 not in shape:
            return self.constant(shape)
        if choice < 0.55 and depth < 2:
            a, b = self.value(shape, target, depth + 1), self.value(shape, target, depth + 1)
            return f"({a} {self.rng.choice(_OPERATORS)} {b})"
        found = [] if plain and choice < 0.4 else self.arrays(lambda x: _broadcasts(x.shape, shape), plain or None)
        scalars = [] if plain else [name for name in self.names if name[0] == "s"]
        if not found + scalars:
            return self.literal() if plain else self.element()
        name = self.rng.choice(found + scalars)
        if self.is_complex and not _complex(self.names.get(target)) and _complex(self.names[name]):
            name = f"{name}.{self.choose(['real', 'imag'])}"
        return self.choose(self.functions()).format(name) if self.chance(0.6) else name

    def functions(self) -> list[str]:
        return _ENTIRE + (_NON_HOLOMORPHIC if self.is_complex else _REAL)

    def element(self) -> str:
        name = self.array(lambda x: x.size and x.ndim)
        element = f"{name}[{', '.join(str(self.rng.randrange(-n, n)) for n in self.names[name].shape)}]"
        return f"{element}.real" if self.is_complex else element

    def slice(self, n: int) -> str:
        start, stop = (self.rng.choice(["", self.rng.randint(-n, n)]) for _ in range(2))
        step = self.choose(["", "", "", ":2", ":-1", ":-2", ":3"])
        return f"{start}:{stop}{step}"

    def index(self, shape: tuple[int, ...]) -> str:
        """A basic index."""
        items = [str(self.rng.randrange(-n, n)) if n and self.chance(0.4) else self.slice(n) for n in shape]
        items = items[: self.rng.randint(1, len(items))] if items else ["..."]
        if self.chance(0.15):
            items.insert(self.rng.randint(0, len(items)), "None")
        if self.chance(0.15) and "..." not in items:
            items.insert(self.choose([0, len(items)]), "...")
        return ", ".join(items)

    def integers(self, n: int, count: int) -> str:
        return repr([self.rng.randrange(-n, n) for _ in range(count)])

    def fancy(self, shape: tuple[int, ...]) -> str:
        """An index with arrays of integers, often with repetitions, perhaps a constant mask."""
        if self.chance(0.2):
            mask = [self.chance(0.5) for _ in range(shape[0])]
            return f"np.array({mask})"
        if len(shape) > 1 and self.chance(0.2):
            return f"np.ix_({self.integers(shape[0], 2)}, {self.integers(shape[1], 2)})"
        axes = self.rng.sample(range(len(shape)), self.rng.randint(1, min(2, len(shape))))
        count = self.rng.randint(1, 3)
        items = [
            self.integers(n, count)
            if k in axes
            else (str(self.rng.randrange(n)) if self.chance(0.2) else self.slice(n))
            for k, n in enumerate(shape)
        ]
        return ", ".join(items[: max(axes) + 1])

    def mask(self, shape: tuple[int, ...], plain: bool = False) -> str:
        """A bool expression of the shape: constant, or computed from values."""
        found = [] if plain else [name for name in self.names if name[0] == "m" and self.shape(name) == shape]
        if found and self.chance(0.7):
            return self.rng.choice(found)
        names = self.arrays(lambda x: x.shape == shape, plain or None)
        if names and not self.is_complex and self.chance(0.7):
            return f"({self.rng.choice(names)} {self.choose('<>')} {self.rng.uniform(-0.5, 0.5):.4f})"
        bits = [self.chance(0.5) for _ in range(int(np.prod(shape)))]
        return f"np.array({bits}, bool).reshape({shape})"

    def view(self, expression: str) -> str:
        """The expression of a view (where NumPy makes a copy: of a copy) of an array."""
        x = self.eval(expression)
        if isinstance(x, np.generic):
            return expression  # of a number NumPy makes a new array, which is plain where the number is
        e, k, j = expression, self.rng.randrange(max(1, x.ndim)), self.rng.randrange(max(1, x.ndim))
        shapes = [s for n in (1, 2, 3, 4) if x.size % n == 0 for s in ((n, x.size // n), (x.size // n, n))]
        ways = [f"{e}[{self.index(x.shape)}]"] * 6 + [f"{e}.reshape({self.choose([*shapes, (-1,)])})"] * 3
        ways += [f"{e}.ravel()", f"np.ravel({e})", f"np.reshape({e}, {self.choose(shapes)}, order='F')"]
        ways += [f"{e}.T", f"np.transpose({e})", f"np.expand_dims({e}, {k})", f"{e}.squeeze()"]
        ways += [f"np.atleast_2d({e})"]
        if x.ndim:
            axes = self.rng.sample(range(x.ndim), x.ndim)
            ways += [f"{e}.swapaxes({k}, {j})", f"np.transpose({e}, {axes})", f"np.flip({e}, {k})", f"np.flip({e})"]
            ways += [f"np.moveaxis({e}, {k}, {j})", f"np.split({e}, {x.shape[k]}, axis={k})[-1]", f"{e}[::-1]"]
        if x.ndim > 1:
            ways += [f"np.diagonal({e})", f"{e}.diagonal(1)", f"{e}.mT", f"np.fliplr({e})", f"np.rot90({e})"]
        if _complex(x):
            ways += [f"{e}.real", f"{e}.imag"] * 4
        return self.rng.choice(ways)

    def views(self, name: str, longest: int) -> str:
        expression = self.view(name)
        for _ in range(self.rng.randrange(longest)):
            expression = self.view(expression)
        return expression


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def _complex(x: Any) -> bool:
    return np.iscomplexobj(x)


@dataclass(frozen=True)
class Statement:
    """A kind of statement: how often, its text (None where it does not fit the scope), whether it decides by value."""

    weight: float
    write: Callable[[Scope], str | None]
    kinks: bool


STATEMENTS: list[Statement] = []
CONCRETE: list[Statement] = []


def statement(weight: float, *, kinks: bool = False, concrete: bool = False) -> Callable[[Any], Any]:
    """Register a kind of statement; `concrete` ones look at values."""

    def decorate(write: Callable[[Scope], str | None]) -> Callable[[Scope], str | None]:
        (CONCRETE if concrete else STATEMENTS).append(Statement(weight, write, kinks))
        return write

    return decorate
