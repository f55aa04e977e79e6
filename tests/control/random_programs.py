"""Random programs that nest loops and branches, and what the loops and branches mean in plain Python.

A program is a function ``f(L, x, s, m, v, k)``: `L` has `scan`, `cond` and so on, either those of covector or those of
`PLAIN`, which are Python loops. `x`, `s`, `m`, `v` are arrays of the shapes (3,), (), (3, 3), (5,); `k` is an integer.
What it computes stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from control import program_forms as forms
from control.program_text import Program

__all__ = ["Program", "random_program"]

_Shape = tuple[int, ...]


class Name(NamedTuple):
    """A variable: its shape, ``"f"``, ``"i"`` or ``"b"``, and whether the innermost function has made it."""

    text: str
    shape: _Shape
    kind: str
    own: bool


# --- the author -------------------------------------------------------------------------------------------------------


class _Author:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype = self.one("float64", "float64", "float64", "float64", "float32", "complex128")
        self.count = 0
        self.lines: list[str] = []
        self.indent = ""
        self.names: list[Name] = [
            *(Name(t, s, "f", False) for t, s in (("x", (3,)), ("s", ()), ("m", (3, 3)), ("v", (5,)))),
            Name("k", (), "i", False),
        ]
        self.budget = int(self.rng.integers(1, 5))

    def one(self, *of: Any) -> Any:
        return of[self.rng.integers(len(of))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def new(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def write(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def have(self, text: str, shape: _Shape, kind: str = "f") -> None:
        self.names.append(Name(text, shape, kind, True))

    # --- expressions --------------------------------------------------------------------------------------------------

    def name(self, shape: _Shape, kind: str = "f", own: bool = False) -> str:
        found = [n.text for n in self.names if n.shape == shape and n.kind == kind and (n.own or not own)]
        return found[max(0, len(found) - 1 - int(self.rng.exponential(2.0)))] if found else ""

    def filled(self, form: str, shape: _Shape, depth: int) -> str:
        out = []
        token = ""
        for c in form + " ":
            if c.isalnum() or c in "_.":
                token += c
                continue
            out.append(self.word(token, shape, depth) + c)
            token = ""
        return "".join(out)[:-1]

    def word(self, token: str, shape: _Shape, depth: int) -> str:
        head, dot, rest = token.partition(".")
        shapes = {"X": shape, "Y": shape, "S": (), "X3": (3,), "Y3": (3,), "X5": (5,), "Y5": (5,), "M33": (3, 3)}
        shapes["N33"] = (3, 3)
        if head in shapes:
            return f"{self.expression(shapes[head], depth - 1)}{dot}{rest}"
        if head == "INT":
            return self.integer(depth - 1)
        if head == "COND":
            return self.condition(depth - 1) + dot + rest
        plain = {"I": str(int(self.rng.integers(-3, 3))), "EYE": "np.eye(3, dtype=x.dtype)"}
        return plain.get(token, token)

    def expression(self, shape: _Shape, depth: int = 2) -> str:
        """A value of that shape, which is not much larger than what it is made of."""
        known = self.name(shape)
        if known and (depth <= 0 or self.chance(0.25)):
            return known
        if shape not in forms.MADE or (known and self.chance(0.55)):
            real = self.dtype != "complex128"
            table = (forms.UNARY if real else forms.COMPLEX_UNARY) + forms.BINARY + (forms.REAL_BINARY if real else ())
            return f"({self.filled(self.one(*table), shape, depth)})"
        return f"({self.filled(self.one(*forms.MADE[shape]), shape, max(depth, 1))})"

    def bounded(self, shape: _Shape) -> str:
        table = forms.COMPLEX_NORMAL if self.dtype == "complex128" else forms.NORMAL
        return str(self.one(*table)).replace("E", self.expression(shape))

    def integer(self, depth: int = 1) -> str:
        if depth <= 0 or self.chance(0.5):
            return self.name((), "i") or "k"
        return f"({self.filled(self.one(*forms.INTS), (), depth)})"

    def condition(self, depth: int = 1) -> str:
        bools = self.name((), "b")
        if bools and self.chance(0.3):
            return bools
        if self.chance(0.5):
            return f"({self.integer(depth)} {self.one('>', '<=', '==')} {int(self.rng.integers(0, 4))})"
        a, b = self.expression((), depth), self.one("0.1", "-0.2", self.expression((), 0))
        return f"(np.real({a}) > np.real({b}))"

    # --- statements ---------------------------------------------------------------------------------------------------

    def statement(self, level: int) -> None:
        if self.budget > 0 and level < 3 and self.chance(0.6 if level == 0 else 0.3):
            self.budget -= 1
            self.one(*_LOOPS)(self, level)
        elif self.chance(0.3):
            self.written()
        else:
            shape = self.one((), (3,), (3,), (5,), (3, 3))
            name = self.new("a")
            self.write(f"{name} = {self.bounded(shape)}")
            self.have(name, shape)

    def written(self) -> None:
        """An assignment to part of an array."""
        shape = self.one((3,), (5,), (3, 3))
        name = self.new("w")
        self.write(f"{name} = L.array({self.expression(shape, 1)})")
        self.have(name, shape)
        self.write_to(name, shape)

    def write_to(self, name: str, shape: _Shape) -> None:
        n = shape[0]
        for _ in range(self.rng.integers(1, 3)):
            scalar, index = self.bounded(()), self.integer()
            table = [f"{name}[{index} % {n}] = {scalar}", f"{name}[1:] += 0.3 * {name}[:-1]", f"{name} *= 0.8"]
            table += [f"{name}[{index} % {n}] *= {scalar}", f"{name}[::2] = {scalar}", f"{name}[...] = np.sin({name})"]
            table += [f"{name}[{index} % {n}, 1:] = {self.expression((3,))}[:2]"] if len(shape) == 2 else []
            self.write(self.one(*table))

    def function(self, arguments: str, level: int, begin: Callable[[], None], end: Callable[[], str]) -> str:
        """Write an inner function; `begin` writes its first lines, `end` returns what it returns."""
        name = self.new("f")
        self.write(f"def {name}({arguments}):")
        before, indent = self.names, self.indent
        self.names = [n._replace(own=False) for n in before]
        self.indent += "    "
        begin()
        for _ in range(self.rng.integers(0, 3)):
            self.statement(level + 1)
        self.write(f"return {end()}")
        self.names, self.indent = before, indent
        return name


_TREES = (
    ("X", ("",)),
    ("(X,)", ("[0]",)),
    ("(X, X)", ("[0]", "[1]")),
    ("{'b': X, 'a': X}", ("['b']", "['a']")),
    ("(X, {'p': X, 'q': None})", ("[0]", "[1]['p']")),
    ("(X, X, X)", ("[0]", "[1]", "[2]")),
    ("[X, (X, X)]", ("[0]", "[1][0]", "[1][1]")),
)


class _State:
    """A pytree of values that an inner function takes and returns."""

    def __init__(self, a: _Author, least: int = 1, counter: str = "") -> None:
        form, self.paths = a.one(*[t for t in _TREES if len(t[1]) >= least])
        self.form = str(form)
        self.leaves: list[tuple[_Shape, str]] = []
        first = []
        for n in range(len(self.paths)):
            kind = "i" if counter and n == 0 else a.one("f", "f", "f", "f", "i", "b")
            shape = a.one((), (3,), (3,), (5,), (3, 3)) if kind == "f" else ()
            self.leaves.append((shape, kind))
            start = {"f": lambda s=shape: a.expression(s, 1), "i": a.integer, "b": a.condition}[kind]()
            first.append(counter if counter and n == 0 else a.one(start, start, "2") if kind == "i" else start)
        self.first = self.tree(first)

    def tree(self, leaves: Sequence[str]) -> str:
        parts = self.form.split("X")
        return "".join(p + x for p, x in zip(parts, [*leaves, ""], strict=True))

    def unpack(self, a: _Author, source: str) -> list[str]:
        names = []
        for path, (shape, kind) in zip(self.paths, self.leaves, strict=True):
            name = a.new("c")
            a.write(f"{name} = {source}{path}")
            a.have(name, shape, kind)
            names.append(name)
        return names

    def next(self, a: _Author, names: Sequence[str], counting: bool = False) -> str:
        """The new state; arrays may be written to."""
        out = []
        for n, (name, (shape, kind)) in enumerate(zip(names, self.leaves, strict=True)):
            if counting and n == 0:
                out.append(f"{name} + 1")
            elif kind == "i":
                out.append(a.one(f"({name} + {a.integer()}) % 7", name, f"({name} * 3 + 1) % 5"))
            elif kind == "b":
                out.append(a.one(a.condition(), f"~{name}", name))
            elif shape and a.chance(0.35):
                a.write_to(name, shape)
                out.append(name)
            else:
                same = [m for m, leaf in zip(names, self.leaves, strict=True) if leaf == (shape, kind)]
                out.append(a.one(a.bounded(shape), a.bounded(shape), a.bounded(shape), a.one(*same)))
        return self.tree(out)


def _scan(a: _Author, level: int) -> None:
    state = _State(a)
    source, element, n = a.one(
        *[("V", (), 5), ("M", (3,), 3)] * 2,
        *[("V[:0]", (), 0), ("V[:1]", (), 1), ("None", None, 4)],
        *[("{'e': V, 'g': np.arange(5)}", (), 5), ("(M, M)", (3,), 3)],
    )
    text = source.replace("V", a.expression((5,), 1)).replace("M", a.expression((3, 3), 1))
    results = a.one((), (), (3,), None)
    e = a.new("e")
    names: list[str] = []

    def begin() -> None:
        names.extend(state.unpack(a, "c"))
        if element is not None:
            name = a.new("e")
            a.write(f"{name} = {e}" + ("['e']" if "{" in source else "[1]" if "(" in source else ""))
            a.have(name, element)
        if "{" in source:
            a.have(f"{e}['g']", (), "i")

    def end() -> str:
        y = "None" if results is None else a.expression(results)
        kept = state.next(a, names)
        if results is not None and a.chance(0.2):
            y = f"{{'y': {y}}}"
        return f"{kept}, {y}"

    f = a.function(f"c, {e}", level, begin, end)
    options = a.one("", "", ", reverse=True", ", unroll=2", ", checkpoint='sqrt'", ", checkpoint=2, reverse=True")
    last, ys = a.new("t"), a.new("y")
    a.write(f"{last}, {ys} = L.scan({f}, {state.first}, {text}{', length=4' if source == 'None' else ''}{options})")
    state.unpack(a, last)
    if results is not None and a.lines:
        total = a.new("a")
        a.write(f"{total} = 0.3 * np.sum(L.leaf({ys}), axis=0)")
        a.have(total, results)
        if (n, results) in ((5, ()), (3, ()), (3, (3,))):
            stack = a.new("a")
            a.write(f"{stack} = L.leaf({ys})")
            a.have(stack, (n, *results))


def _fori(a: _Author, level: int) -> None:
    state = _State(a)
    names: list[str] = []

    def begin() -> None:
        names.extend(state.unpack(a, "c"))
        a.have(i, (), "i")

    i = a.new("i")
    f = a.function(f"{i}, c", level, begin, lambda: state.next(a, names))
    lower = a.one("0", "0", "1", f"{a.integer()} % 3", "-2")
    upper = a.one("3", "4", "0", f"{a.integer()} % 5", f"1 + {a.integer()} % 4")
    last = a.new("t")
    options = a.one("", "", "", ", checkpoint='sqrt'")
    a.write(f"{last} = L.fori_loop({lower}, {upper}, {f}, {state.first}{options})")
    state.unpack(a, last)


def _while(a: _Author, level: int) -> None:
    state = _State(a, 2, counter=a.one("0", "k % 3", "0"))
    names: list[str] = []
    f = a.function("c", level, lambda: names.extend(state.unpack(a, "c")), lambda: state.next(a, names, counting=True))
    asked: list[str] = []

    def end() -> str:
        most = a.one("3", "5", f"1 + {a.integer()} % 4")
        return f"({asked[0]} < {most}) & {a.condition()}" if a.chance(0.6) else f"{asked[0]} < {most}"

    budget, a.budget = a.budget, 0
    g = a.function("c", 3, lambda: asked.extend(state.unpack(a, "c")), end)
    a.budget = budget
    last = a.new("t")
    options = a.one("", "", "", ", checkpoint='sqrt'")
    a.write(f"{last} = L.while_loop({g}, {f}, {state.first}{options})")
    state.unpack(a, last)


def _branches(a: _Author, level: int, count: int) -> tuple[list[str], _State, str]:
    state, given = _State(a), _State(a)
    names: list[str] = []

    def begin() -> None:
        names[:] = given.unpack(a, "c")
        if given.leaves[0][1] == "f" and given.leaves[0][0] and a.chance(0.2):
            a.write_to(names[0], given.leaves[0][0])

    def end() -> str:
        make = {"f": a.expression, "i": lambda _: a.integer() + " * 1", "b": lambda _: a.condition()}
        return state.tree([make[kind](shape) for shape, kind in state.leaves])

    return [a.function("c", level, begin, end) for _ in range(count)], state, given.first


def _cond(a: _Author, level: int) -> None:
    (f, g), state, given = _branches(a, level, 2)
    last = a.new("t")
    how = a.one("", "", "", ", branch='select'", ", branch='loop'")
    a.write(f"{last} = L.cond({a.condition()}, {f}, {g}, {given}{how})")
    state.unpack(a, last)


def _switch(a: _Author, level: int) -> None:
    fs, state, given = _branches(a, level, int(a.one(1, 2, 3)))
    last = a.new("t")
    a.write(f"{last} = L.switch({a.integer()}, [{', '.join(fs)}], {given})")
    state.unpack(a, last)


def _map(a: _Author, level: int) -> None:
    source, shape, n = a.one(((5,), (), 5), ((3, 3), (3,), 3))
    out = a.one((), (3,)) if n == 3 else ()
    e = a.new("e")
    f = a.function(e, level, lambda: a.have(e, shape), lambda: a.expression(out))
    name = a.new("a")
    a.write(f"{name} = L.map({f}, {a.expression(source, 1)}{a.one('', '', ', batch_size=2')})")
    a.have(name, (n, *out))


def _associative(a: _Author, level: int) -> None:
    name = a.new("a")
    reverse = a.one("", ", reverse=True")
    v, w = a.expression((5,), 1), a.expression((5,), 1)
    form = a.one(
        f"0.3 * L.associative_scan(np.add, {v}{reverse})",
        f"L.associative_scan(np.multiply, {v}{reverse})",
        f"0.3 * L.associative_scan(lambda p, q: (p[0] * q[0], q[0] * p[1] + q[1]), ({v}, {w}){reverse})[1]",
    )
    a.write(f"{name} = {form}")
    a.have(name, (5,))


def _wrapped(a: _Author, level: int) -> None:
    """A function under `checkpoint`, `jit`, `vmap` or `grad`."""
    how = a.one("checkpoint", "jit", "vmap", "grad")
    shape = (3,)
    out = () if how == "grad" else shape
    if how == "grad" and a.dtype == "complex128":
        how, out = "jit", shape
    e = a.new("e")
    f = a.function(e, level, lambda: a.have(e, shape), lambda: a.bounded(out))
    name = a.new("a")
    a.write(f"{name} = L.{how}({f})({a.expression((3, 3) if how == 'vmap' else shape, 1)})")
    a.have(name, (3, 3) if how == "vmap" else shape)


_LOOPS = [*[_scan] * 4, *[_fori] * 2, *[_while] * 3, *[_cond] * 3, _switch, _map, _associative, _wrapped]


def random_program(seed: int) -> Program:
    """Return the program that belongs to the seed."""
    a = _Author(seed)
    for _ in range(a.rng.integers(2, 6)):
        a.statement(0)
    a.budget = max(a.budget, 1)
    a.one(_scan, _while, _fori, _cond)(a, 0)
    floats = [n for n in a.names if n.own and n.kind == "f"] or a.names[:1]
    chosen = [n.text for n in floats if a.chance(0.4)] or [floats[-1].text]
    a.write(f"return ({', '.join(chosen)},)")
    return Program(tuple(a.lines), a.dtype, seed)
