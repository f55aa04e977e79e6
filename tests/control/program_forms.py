"""The expressions that random programs are made of, by shape; words in capitals stand for further ones."""

from __future__ import annotations

Shape = tuple[int, ...]

UNARY = ("np.sin(X)", "np.cos(X)", "np.tanh(X)", "np.arctan(X)", "np.exp(-X * X)", "X * 0.7", "X / (2.0 + X * X)")
COMPLEX_UNARY = ("np.sin(X)", "np.cos(0.5 * X)", "np.conj(X)", "X * 0.7j", "-X", "np.exp(0.3j * X)", "X.real + X")
BINARY = ("X + 0.5 * Y", "X * Y", "X - Y", "np.where(COND, X, Y)", "X * S", "X + S", "0.4 * X * Y + Y")
REAL_BINARY = ("np.maximum(X, Y)", "np.hypot(X, Y + 2.0)", "np.arctan2(X, 3.0 + Y)", "np.clip(X, -0.5, 0.8)")
MADE: dict[Shape, tuple[str, ...]] = {
    (): ("np.sum(X3) * 0.3", "X3 @ Y3 * 0.3", "X3[I]", "L.take(X5, INT % 5)", "np.mean(M33)", "M33[1, 2]")
    + ("L.take(X3, INT % 3)", "np.sum(X5 * X5) * 0.2", "np.trace(M33) * 0.3", "np.where(INT > 1, S, -S)"),
    (3,): ("M33 @ X3 * 0.4", "X3[::-1]", "np.stack([S, S, S])", "M33[I]", "np.concatenate([X3[1:], X3[:1]])")
    + ("np.cumsum(X3) * 0.4", "np.linalg.solve(0.1 * M33 + 3.0 * EYE, X3)", "X5[1:4]", "np.roll(X3, 1)")
    + ("L.take(M33, INT % 3, axis=0)", "np.diagonal(M33) * 1.0", "np.sum(M33, axis=0) * 0.3"),
    (3, 3): ("np.outer(X3, Y3)", "M33 @ N33 * 0.3", "M33.T", "np.linalg.inv(0.1 * M33 + 3.0 * EYE)", "M33 * X3")
    + ("np.stack([X3, Y3, X3])", "M33[::-1] + X3[:, None]", "np.where(INT > 2, M33, N33)"),
    (5,): ("np.concatenate([X3, Y3[:2]])", "X5[::-1]", "np.cumsum(X5) * 0.3", "X5 * X5[2]")
    + ("np.roll(X5, 2)", "np.where(np.arange(5) < INT, X5, Y5)"),
}
INTS = ("INT + 1", "(INT * 2 + 1) % 5", "np.where(COND, 1, 2)", "(INT + INT) % 4", "COND.astype(np.int64)")
NORMAL = ("np.tanh(E)", "np.sin(E)", "np.arctan(E)", "np.tanh(E) * 0.9")
COMPLEX_NORMAL = ("E / (1.0 + np.abs(E))", "0.8 * E / (1.0 + np.abs(E) ** 2)")
