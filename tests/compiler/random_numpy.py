"""Random NumPy functions of two arrays for the loop compiler: sizes around vector widths, broadcasting, every layout.

A line is proposed, run under NumPy and kept if it runs and its numbers stay of moderate size.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["Written", "random_function", "smaller"]

_SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65)
_LONG: tuple[tuple[int, ...], ...] = ((260_000,), (3, 100_001), (1000, 300), (300, 1001), (7, 9, 5003), (200_003, 2))
_LARGEST = 1 << 21

_UNARY = (
    *("np.sin(X)", "np.cos(X)", "np.tanh(X)", "np.exp(X)", "-X", "np.abs(X)", "np.square(X)", "np.floor(X)"),
    *("np.sign(X)", "np.arctan(X)", "np.sinh(X)", "np.log1p(np.abs(X))", "np.sqrt(np.abs(X) + 0.5)", "np.expm1(X)"),
    *("np.log(np.abs(X) + 0.25)", "np.cbrt(X + 3.5)", "np.reciprocal(X * X + 1.0)", "+X", "np.arcsinh(X)", "X.copy()"),
)
_BINARY = (
    *("X + Y", "X - Y", "X * Y", "X / (2.0 + Y * Y)", "np.maximum(X, Y)", "np.minimum(X, Y)", "np.hypot(X, Y)"),
    *("np.arctan2(X, Y + 3.0)", "np.where(X > Y, X, Y)", "np.where(Y > 0, X, 0.0)", "X * 0.5 + Y", "2 - X", "X**2"),
    *("X**3", "np.logaddexp(X, Y)", "np.copysign(X, Y)", "np.fmod(X, 1.5)", "X % 1.25", "(np.abs(X) + 0.1) ** Y"),
    *("np.clip(X, -0.5, Y)", "np.subtract.outer(X.ravel()[:9], Y.ravel()[:7])", "np.fmax(X, -Y)", "X // 0.75 + Y"),
)
_JOINED = (
    *("np.concatenate([X, O, X], axis=A)", "np.concatenate([O, X], axis=A)", "np.stack([X, O], axis=A)"),
    *("np.roll(X, K, axis=A)", "np.flip(X, A)", "np.tile(X, 2)", "np.repeat(X, 3, axis=A)", "np.pad(X, 1)"),
    "np.pad(X, 2, mode='edge')",
)
_REDUCED = (
    *("np.sum(X, axis=R)", "np.sum(X, axis=R, keepdims=True)", "np.mean(X, axis=R)", "np.max(X, axis=R)"),
    *("np.min(X, axis=R, keepdims=True)", "np.prod(np.cos(X) * 0.9 + 0.5, axis=R)", "np.var(X, axis=R)"),
    "np.sqrt(np.sum(X * X, axis=R, keepdims=True) + 0.1)",
)
_ALONG = (
    *("np.cumsum(X, axis=A) * 0.1", "np.diff(X, axis=A)", "np.cumprod(np.cos(X), axis=A)", "np.sort(X, axis=A)"),
    *("np.maximum.accumulate(X, axis=A)", "np.argsort(X, axis=A) * 1.0"),
    "np.take_along_axis(X, np.argmax(X, axis=A, keepdims=True), A)",
)
_PRODUCTS = {
    1: ("X @ X", "np.outer(X[:20], X[:9])", "np.dot(X, np.cos(X))", "np.vander(X[:5], 3)", "np.diag(X[:9])"),
    2: (
        *("X @ X.T", "X.T @ X", "X @ np.sin(X).T", "np.einsum('ij,kj->ik', X, X)", "np.einsum('ij,ij->j', X, X)"),
        *("X @ X[0]", "np.trace(X @ X.T)", "np.tril(X)", "np.outer(X[0], X[-1])"),
    ),
    3: ("np.einsum('ijk,ijl->ikl', X, X)", "np.einsum('ijk->ki', X)", "X @ np.swapaxes(X, 1, 2)"),
}
_MASKED = (
    *("np.where((X > 0.1) & (Y < 0.9), X, Y)", "(X > 0).astype(float) * Y", "np.sum(X > 0.2) * Y"),
    *("np.where(np.isfinite(X), X, 0.0)", "np.any(X > 0.5) * X", "~(X > 0) * 1.0", "np.count_nonzero(X > 0) + X"),
    "np.logical_xor(X > 0, Y > 0) * 1.5",
)
_INTEGERS = (
    *("(np.floor(X * 7).astype(int) % 5) * Y", "np.floor(X * 3).astype(np.int8) // 2 + Y", "np.argmax(X) + X"),
    *("(np.floor(X * 5).astype(np.int32) ** 2).sum() * Y", "(np.abs(np.floor(X * 5)).astype(np.uint8) >> 1) + X"),
    "X.ravel()[np.floor(np.abs(X)).astype(int).ravel()[:5] % 3]",
)
_COMPLEX = (
    *("np.abs(Z + 2.0)", "np.real(np.exp(Z * 0.5))", "np.imag(Z * np.conj(Z * 2j) + Z)", "np.real(Z / (Z * Z + 9.0))"),
    *("np.angle(Z + 4.0)", "np.sum(Z).real + X", "np.real(np.sqrt(Z + 3.0))", "np.real(np.where(X > 0, Z, 1j))"),
)
_DTYPES = ("X.astype(np.float32)", "X.astype(np.float64)", "X.astype(np.float32) * np.float32(1.5)")
_IN_PLACE = (
    *("W[1:] = W[:-1]", "W[:-1] = W[1:] * 0.5", "W[1:] += W[:-1]", "W[::-1] = W", "W += W[::-1]"),
    *("W[1:-1] = 0.5 * (W[2:] + W[:-2])", "W[0], W[-1] = W[-1] * 1.0, W[0] * 1.0", "W[W > 0.3] = 0.25"),
    *("np.add.at(W, [0, 0, -1], 0.5)", "np.add(W, 1.0, out=W)", "np.multiply(W[:-1], W[1:], out=W[1:])"),
)
_LOOPS = (
    "W = X\nfor i in range(N):\n    W = np.sin(W) * 0.9 + X",
    "W = X * 1.0\nfor i in range(N):\n    W = W + 0.1 * Y * np.cos(W + i)",
    "W = X * 1.0\nt = 0.0\nfor i in range(N):\n    t = t + np.sum(W) * 0.01\n    W = np.tanh(W - t)",
)
_ROW_LOOPS = (
    "W = X * 1.0\nfor i in range(min(N, len(W))):\n    W[i] = W[i] * 0.5 + W[i - 1] * 0.25",
    "W = 0.0\nfor i in range(min(N, len(X))):\n    W = W + X[i] * X[i - 1]",
    "W = np.zeros_like(X)\nfor i in range(1, min(N, len(X))):\n    W[i] = 0.5 * W[i - 1] + X[i]",
)


class Written:
    """A function of x and y as text, with arguments for it."""

    def __init__(self, lines: Sequence[str], outputs: Sequence[str], inputs: dict[str, Any]) -> None:
        self.lines = list(lines)
        self.outputs = list(outputs)
        self.inputs = inputs

    @property
    def source(self) -> str:
        body = "".join(f"    {line}\n" for block in self.lines for line in block.split("\n"))
        return f"def f(x, y):\n{body}    return ({', '.join(self.outputs)},)\n"

    @property
    def function(self) -> Callable[..., Any]:
        names: dict[str, Any] = {"np": np}
        exec(compile(self.source, "<random>", "exec"), names)
        return names["f"]  # type: ignore[no-any-return]

    @property
    def single(self) -> bool:
        """Whether float32 decides the accuracy."""
        return "float32" in self.source or any(x.dtype == np.float32 for x in self.inputs.values())

    def __repr__(self) -> str:
        shapes = ", ".join(f"{k}: {x.dtype}{x.shape}" for k, x in self.inputs.items())
        return f"{self.source}# {shapes}"


class _Author:
    def __init__(self, seed: int, long: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.long = long
        self.lines: list[str] = []
        dtype = self.one(np.float64, np.float64, np.float64, np.float32)
        shape = self.shape()
        other = self.one(shape, shape, shape[1:], self.shape(), tuple([self.one(1, n) for n in shape]))
        self.inputs = {"x": self.numbers(shape, dtype), "y": self.numbers(other, self.one(dtype, dtype, np.float64))}
        self.names = dict(self.inputs)

    def one(self, *of: Any) -> Any:
        return of[self.rng.integers(len(of))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def numbers(self, shape: Sequence[int], dtype: Any) -> Any:
        return np.asarray(self.rng.uniform(-1.0, 1.0, shape)).astype(dtype)

    def shape(self) -> tuple[int, ...]:
        if self.long:
            return self.one(*_LONG)  # type: ignore[no-any-return]
        out = [int(self.one(*_SIZES)) for _ in range(self.rng.integers(0, 4))]
        while np.prod(out) > 1500:
            out[int(np.argmax(out))] = int(self.one(1, 2, 3, 4))
        return tuple(out)

    def pick(self, choose: Any) -> str:
        found = [k for k, v in self.names.items() if isinstance(v, np.ndarray | np.generic) and choose(v)]
        return found[max(0, len(found) - 1 - int(self.rng.exponential(2.5)))]

    def index(self, shape: Sequence[int]) -> str:
        parts = [self.entry(n) for n in shape]
        if shape and self.chance(0.35):
            k = int(self.rng.integers(len(shape)))
            if shape[k]:
                at = [int(t) for t in self.rng.integers(-shape[k], shape[k], self.one(0, 1, 2, 3, 5, 9))]
                parts[k] = f"np.array({at}, dtype=int)" + self.one("", "", ".reshape(-1, 1)")
        if self.chance(0.15):
            parts.insert(int(self.rng.integers(len(parts) + 1)), "None")
        if parts and self.chance(0.1):
            parts[-1] = "..."
        return ", ".join(parts) if parts else "..."

    def entry(self, n: int) -> str:
        if n == 0:
            return ":"
        a, b = sorted(int(t) for t in self.rng.integers(0, n + 1, 2))
        return self.one(  # type: ignore[no-any-return]
            *(
                str(int(self.rng.integers(-n, n))),
                f"{a}:{b}",
                "::-1",
                f"{a}::2",
                "::3",
                f"{max(b - 1, 0)}::-2",
                ":",
                ":",
            )
        )

    def propose(self) -> str:
        x = self.pick(lambda v: v.dtype.kind == "f")
        shape = np.shape(self.names[x])
        fits = lambda v: all(m == n or 1 in (m, n) for m, n in zip(v.shape[::-1], shape[::-1], strict=False))
        y = self.pick(lambda v: v.dtype.kind == "f" and fits(v))
        text = self.one(*_KINDS)(self, x, shape)
        if not text or np.prod(np.broadcast_shapes(shape, np.shape(self.names[y]))) > _LARGEST:
            return ""
        axis = int(self.rng.integers(len(shape))) if shape else 0
        axes = tuple([i for i in range(len(shape)) if self.chance(0.5)])
        other = self.one("X", "X[::-1]", "np.sin(X)", "Y", "X[:1]", f"np.zeros({shape})", "X[:0]")
        for word, means in (
            *(("O", other), ("Z", "(X + Y * 1j)"), ("A", str(axis)), ("R", str(axes)), ("X", x), ("Y", y)),
            *(
                ("W", f"v{len(self.lines)}"),
                ("K", str(int(self.rng.integers(-5, 6)))),
                ("N", str(self.one(2, 3, 5, 12, 40))),
            ),
        ):
            text = re.sub(rf"\b{word}\b", means, text)
        return text

    def step(self) -> None:
        text = self.propose()
        if not text:
            return
        names = {k: v.copy() for k, v in self.inputs.items()}
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                for line in [*self.lines, text]:
                    exec(line, {"np": np}, names)
        except (ValueError, IndexError, TypeError, AttributeError):
            return
        for extra in ("i", "t"):
            names.pop(extra, None)
        if all(_moderate(np.asarray(v), _LARGEST if self.long else 6000) for v in names.values()):
            self.lines.append(text)
            self.names = names


def _moderate(x: Any, size: int) -> bool:
    return x.size <= size and (x.dtype.kind in "biu" or bool(np.all(np.abs(x) < 1e6)))


def _choice(*texts: str) -> Callable[..., str]:
    return lambda a, x, shape: f"W = {a.one(*texts)}"


def _with_axes(*texts: str) -> Callable[..., str]:
    return lambda a, x, shape: f"W = {a.one(*texts)}" if shape else ""


def _reshaped(a: _Author, x: str, shape: tuple[int, ...]) -> str:
    n = int(np.prod(shape))
    if not n:
        return f"W = X.reshape({shape[::-1]})"
    shapes = [(-1,), (1, -1), (-1, 1), shape[::-1]]
    shapes += [s for d in (2, 3, 5, 8) if n % d == 0 for s in ((d, -1), (-1, d))]
    return f"W = X.reshape({a.one(*shapes)}{a.one('', '', '', ', order=' + repr('F'))})"


def _permuted(a: _Author, x: str, shape: tuple[int, ...]) -> str:
    return f"W = np.transpose(X, {[int(i) for i in a.rng.permutation(len(shape))]})"


def _assigned(a: _Author, x: str, shape: tuple[int, ...]) -> str:
    if not shape:
        return ""
    i, j = a.index(shape), a.index(shape)
    value = a.one("1.5", f"X[{i}] * 2.0", f"np.cos(X[{i}])", f"X[{i}].sum()", f"X[{i}][::-1]")
    text = f"W = {a.one('X.copy()', 'np.zeros_like(X)', 'X * 1.0', 'X + Y')}\n"
    text += f"W[{i}] {a.one('=', '=', '+=', '*=', '-=')} {value}"
    return text + a.one("", f"\nW[{j}] {a.one('=', '+=')} {a.one('0.5', f'W[{j}] * 0.5', f'X[{j}]')}")


_KINDS: list[Any] = [
    *[_choice(*_UNARY)] * 3,
    *[_choice(*_BINARY)] * 5,
    *[lambda a, x, shape: f"W = X[{a.index(shape)}]"] * 3,
    *[_reshaped] * 2,
    *[_permuted] * 2,
    lambda a, x, shape: f"W = np.broadcast_to(X, {(int(a.one(1, 2, 3, 7, 8, 9)), *shape)})",
    *[_with_axes(*_JOINED)] * 2,
    *[_choice(*_REDUCED)] * 3,
    _with_axes(*_ALONG),
    lambda a, x, shape: f"W = {a.one(*_PRODUCTS[len(shape)])}" if len(shape) in _PRODUCTS and not a.long else "",
    *[_assigned] * 3,
    *[lambda a, x, shape: f"W = X * 1.0\n{a.one(*_IN_PLACE)}" if shape else ""] * 2,
    *[_choice(*_MASKED)] * 2,
    *[_choice(*_INTEGERS)] * 2,
    _choice(*_DTYPES),
    _choice(*_COMPLEX),
    lambda a, x, shape: a.one(*_LOOPS, *(_ROW_LOOPS if shape else ())),
]


def random_function(seed: int, length: int = 12, long: bool = False) -> Written:
    """Return the function that belongs to the seed; `long` ones have loops that several threads share."""
    author = _Author(seed, long)
    for _ in range(6 * length):
        if len(author.lines) < length:
            author.step()
    names = [f"v{k}" for k in range(len(author.lines))]
    chosen = [n for n in names if author.chance(0.4)]
    return Written(author.lines, chosen or names[-1:] or ["x"], author.inputs)


def smaller(f: Written, fails: Callable[[Written], bool]) -> Written:
    """Leave out outputs and lines, as long as `fails` still holds."""
    for name in f.outputs:
        one = Written(f.lines, [name], f.inputs)
        if fails(one):
            f = one
            break
    changed = True
    while changed:
        changed = False
        for k in reversed(range(len(f.lines))):
            less = Written(f.lines[:k] + f.lines[k + 1 :], f.outputs, f.inputs)
            if less.lines and _runs(less) and fails(less):
                f, changed = less, True
                break
    return f


def _runs(f: Written) -> bool:
    try:
        with np.errstate(all="ignore"):
            f.function(*[x.copy() for x in f.inputs.values()])
    except Exception:
        return False
    return True
