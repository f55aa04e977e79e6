"""The statements that random programs are made of: NumPy expressions that jax.numpy also has.

``{a}``, ``{b}`` and ``{c}`` are operands. A form may name an expression of its operands that must stay away from zero,
because the derivative jumps or the result is badly conditioned there, or ask for operands whose elements are apart.
Left out is what JAX 0.10 gets wrong: second derivatives of ``special.spence`` (NaN) and ``special.exp1`` (an error),
and ``special.beta`` and ``betaln``, which are off by 1e-6 (mpmath agrees with SciPy).
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FORMS", "Form"]


class Form(NamedTuple):
    """A right-hand side.

    Attributes
    ----------
    source : str
        Python expression in ``np``, ``special`` and the operands.
    ndim : tuple of int
        The number of axes of ``{a}``: at least, at most.
    nonzero : str
        Expression that must stay away from zero, or empty.
    apart : bool
        Whether the elements of ``{a}`` must differ from each other.
    """

    source: str
    ndim: tuple[int, int] = (0, 3)
    nonzero: str = ""
    apart: bool = False

    @property
    def arity(self) -> int:
        """The number of operands."""
        return 1 + ("{b}" in self.source) + ("{c}" in self.source)


_UNARY = """
    -{a}
    {a} * 0.7 + 0.2
    1.5 - {a}
    {a} ** 2
    {a} ** 3
    2.0 ** {a}
    np.square({a})
    np.sin({a})
    np.cos({a})
    np.tan(0.5 * np.tanh({a}))
    np.sinh(np.sin({a}))
    np.cosh(0.5 * {a})
    np.tanh({a})
    np.arcsin(0.9 * np.tanh({a}))
    np.arccos(0.8 * np.sin({a}))
    np.arctan({a})
    np.arcsinh({a})
    np.arccosh({a} ** 2 + 1.5)
    np.arctanh(0.8 * np.tanh({a}))
    np.exp(0.3 * {a})
    np.exp2(np.sin({a}))
    np.expm1(0.5 * np.tanh({a}))
    np.log({a} ** 2 + 0.5)
    np.log2({a} ** 2 + 0.7)
    np.log10({a} ** 2 + 0.4)
    np.log1p({a} ** 2)
    np.sqrt({a} ** 2 + 0.3)
    np.cbrt({a} ** 2 + 0.3)
    1 / ({a} ** 2 + 1.1)
    np.reciprocal({a} ** 2 + 0.8)
    np.deg2rad(20 * {a})
    np.rad2deg(0.1 * {a})
    np.sinc({a} + 0.1)
    np.float_power(np.cosh({a}), 1.7)
    np.nan_to_num({a})
    np.real({a} * (1 + 2j)) + np.imag({a} * (0.3 - 1j))
    np.abs({a} + 0.5j)
    np.angle({a} + 0.8j)
    np.real(np.exp(1j * {a}) * np.conj({a} + 2j))
    np.round({a}, 1) * {a}
    np.where(np.arange({a}.shape[-1] if {a}.ndim else 1) % 2 == 0, {a}, np.sin({a}))
    np.full_like({a}, 1.5) * {a}
    np.ones_like({a}) - {a}
    np.broadcast_to({a}, (2,) + {a}.shape[-2:])
    special.expit({a})
    special.logit(0.1 + 0.8 * special.expit({a}))
    special.erf({a})
    special.erfc({a})
    special.erfinv(0.8 * np.tanh({a}))
    special.gammaln({a} ** 2 + 0.6)
    special.digamma({a} ** 2 + 0.9)
    special.gamma(1.2 + np.tanh({a}) ** 2)
    special.ndtr({a})
    special.ndtri(0.1 + 0.8 * special.expit({a}))
    special.log_ndtr({a})
    special.i0(np.tanh({a}))
    special.i0e({a})
    special.i1(np.sin({a}))
    special.i1e({a})
    special.entr({a} ** 2 + 0.1)
    special.xlogy(1.3, {a} ** 2 + 0.2)
    special.xlog1py({a}, 0.4)
    special.gammainc(1.7, {a} ** 2 + 0.2)
    special.gammaincc(0.8, {a} ** 2 + 0.2)
    special.betainc(1.5, 2.5, special.expit({a}))
    special.expi({a} ** 2 + 0.5)
"""

_KINKED = [
    ("np.abs({a})", "{a}"),
    ("np.fabs({a})", "{a}"),
    ("np.sign({a}) * {a} ** 2", "{a}"),
    ("np.heaviside({a}, 0.5) * {a}", "{a}"),
    ("np.clip({a}, -0.8, 0.9)", "({a} + 0.8) * ({a} - 0.9)"),
    ("np.clip({a}, None, 0.5)", "{a} - 0.5"),
    ("np.where({a} > 0.3, {a} ** 2, np.cos({a}))", "{a} - 0.3"),
    ("np.select([{a} > 0.5, {a} < -0.5], [{a} ** 2, np.exp({a} / 3)], 0.5)", "({a} - 0.5) * ({a} + 0.5)"),
    (
        "np.interp({a}, np.array([-2.0, 0.0, 1.0, 3.0]), np.array([0.5, 1.0, -1.0, 2.0]))",
        "({a} + 2) * {a} * ({a} - 1) * ({a} - 3)",
    ),
    ("np.floor({a}) * {a}", "{a} - np.round({a})"),
    ("np.maximum({a}, {b})", "{a} - {b}"),
    ("np.minimum({a}, {b})", "{a} - {b}"),
    ("np.fmax({a}, {b})", "{a} - {b}"),
    ("np.fmin({a}, {b})", "{a} - {b}"),
    ("np.clip({a}, {b}, {b} + 1)", "({a} - {b}) * ({a} - {b} - 1)"),
    ("np.where({a} < {b}, {a} * {b}, {a})", "{a} - {b}"),
    ("np.copysign({a}, {b})", "{a} * {b}"),
    ("np.remainder({a}, {b} ** 2 + 1)", "{a} / ({b} ** 2 + 1) - np.round({a} / ({b} ** 2 + 1))"),
    ("np.hypot({a}, {b})", "np.abs({a}) + np.abs({b})"),
    ("np.arctan2({a}, {b})", "np.abs({a}) + np.abs({b})"),
    ("{a} / {b}", "{b}"),
]

_BINARY = """
    {a} + {b}
    {a} - {b}
    {a} * {b}
    {a} / ({b} ** 2 + 0.7)
    np.logaddexp({a}, {b})
    np.logaddexp2({a}, {b})
    ({a} ** 2 + 0.3) ** {b}
    np.power(np.cosh({a}), np.tanh({b}))
    special.xlogy({a}, {b} ** 2 + 0.2)
    special.xlog1py({a}, {b} ** 2)
    special.rel_entr({a} ** 2 + 0.3, {b} ** 2 + 0.2)
    special.kl_div({a} ** 2 + 0.3, {b} ** 2 + 0.2)
    np.linalg.norm(np.stack(np.broadcast_arrays({a}, {b} + 0.5), axis=0) ** 2 + 0.1, axis=0)
"""

_VECTORS = """
    np.sum({a})
    np.sum({a}, axis=0)
    np.sum({a}, axis=-1, keepdims=True)
    np.mean({a}, axis=-1)
    np.mean({a})
    np.var({a}, axis=0)
    np.var({a}, ddof=1)
    np.std(np.cumsum({a} ** 2 + 0.2, axis=-1), axis=-1)
    np.prod({a}, axis=-1)
    np.average({a}, axis=0)
    np.cumsum({a}, axis=-1)
    np.cumsum({a})
    np.cumprod(np.cos({a}), axis=0)
    np.diff({a}, axis=-1)
    np.ediff1d({a})
    np.gradient({a}, axis=-1)
    np.trapezoid({a}, dx=0.5, axis=-1)
    np.linalg.norm(np.append({a}, 0.4))
    np.linalg.norm({a} ** 2 + 0.1, ord=3, axis=-1)
    np.linalg.norm({a} ** 2 + 0.1, ord=1, axis=0)
    np.ptp(np.cumsum({a} ** 2 + 0.1, axis=-1), axis=-1)
    np.nansum({a}, axis=0)
    np.nanmean({a}, axis=-1)
    np.flip({a}, axis=0)
    np.roll({a}, 1, axis=-1)
    np.concatenate([{a}, {a} ** 2], axis=-1)
    np.stack([{a}, np.sin({a})], axis=-1)[..., 1]
    np.repeat({a}, 2, axis=-1)
    np.tile({a}, 2)
    np.pad({a}, [(1, 0)] * {a}.ndim, constant_values=0.5)
    np.pad({a}, [(0, 1)] * {a}.ndim, mode="edge")
    np.reshape({a}, -1)
    {a}.ravel()
    {a}.T
    {a}[0]
    {a}[-1] * {a}[0]
    {a}[::-1]
    {a}[..., 1:]
    {a}[..., None]
    {a}[..., :-1] * {a}[..., 1:]
    {a}[np.array([0, 1, 1, 0])]
    {a}[..., np.array([[0, 1], [1, 0]])]
    np.take({a}, np.array([1, 0, 1]), axis=-1)
    np.take_along_axis({a}, np.zeros((1,) * {a}.ndim, int), axis=-1)
    np.expand_dims({a}, 0)
    np.squeeze({a}[:1])
    np.split({a}, [1], axis=-1)[1]
    np.real(np.fft.fft({a}, axis=-1))
    np.imag(np.fft.fft({a}, axis=0))
    np.abs(np.fft.rfft({a} + 0.3, axis=-1))
    np.fft.irfft(np.fft.rfft({a}, axis=-1) * (0.5 + 0.2j), n={a}.shape[-1], axis=-1)
    np.real(np.fft.ifft(np.fft.fft({a}) ** 2))
    np.tensordot({a}, np.ones({a}.shape), {a}.ndim)
    np.einsum("...i->...", {a})
"""

_APART = """
    np.sort({a}, axis=-1)
    np.sort({a}, axis=0)
    np.max({a}, axis=-1)
    np.max({a})
    np.min({a}, axis=0)
    np.amin({a}, axis=-1, keepdims=True)
    np.median({a}, axis=-1)
    np.quantile({a}, 0.3, axis=-1)
    np.percentile({a}, 70.0)
    np.take_along_axis({a}, np.argsort({a}, axis=-1), axis=-1)
    np.maximum.accumulate({a}, axis=-1)
    {a}[..., np.argmax({a}) % 2]
    np.linalg.norm({a}, ord=np.inf, axis=-1) + np.linalg.norm({a} ** 2 + 0.3, ord=-np.inf, axis=0)
"""

_VECTOR = """
    np.outer({a}, {b})
    np.dot({a}, {a})
    np.convolve({a}, np.array([0.5, -0.2, 0.1]), mode="same")
    np.convolve({a}, {a})
    np.correlate({a}, np.array([0.3, 0.4]), mode="valid")
    np.diag({a})
    np.polyval({a}, 0.7)
    np.vander(np.tanh({a}))
    np.meshgrid({a}, {a})[1]
    np.kron({a}, np.array([1.0, -0.5]))
    np.einsum("i,j->ij", {a}, {a})
"""

_PAIRS = """
    np.dot({a}, {b})
    {a} @ {b}
    np.matmul({a}, {b})
    np.inner({a}, {b})
    np.tensordot({a}, {b}, 1)
    np.vdot({a}, {b})
    np.cross({a}, {b})
    np.einsum("...i,...i->...", {a}, {b})
    np.einsum("ij,jk->ik", {a}, {b})
    np.einsum("ij,kj,k->i", {a}, {b}, {c})
    np.hstack([{a}, {b}])
    np.vstack([{a}, {b}])
    np.concatenate([{a}, {b}], axis=0)
    np.linalg.multi_dot([{a}, {b}, {c}])
"""

_MATRIX = """
    np.trace({a})
    np.tril({a})
    np.triu({a}, 1)
    np.diagonal({a})
    np.swapaxes({a}, 0, 1)
    np.moveaxis({a}, 0, -1)
    np.einsum("ij->ji", {a})
    np.einsum("ij,ij->", {a}, {a})
    np.rot90({a})
    np.cov({a})
    np.fliplr({a})
    {a}[1, :2]
    {a}[np.array([0, 1]), np.array([1, 0])]
    {a}[np.ix_(np.array([1, 0]), np.array([0, 1]))]
    np.fft.fft2({a}).real
    np.linalg.pinv({a} @ {a}.T + 2 * np.eye({a}.shape[0]))
    np.linalg.svdvals({a} + 3 * np.eye(*{a}.shape) * (1 + np.arange({a}.shape[-1])))
    np.abs(np.linalg.qr({a} @ {a}.T + 2 * np.eye({a}.shape[0]))[1])
"""

_SPD = "({a} @ {a}.T + 2 * np.eye({a}.shape[0]))"
_GAPS = "({a} @ {a}.T + np.diag(4.0 * np.arange({a}.shape[0])))"
_SOLID = "({a} * 0.3 + 2 * np.eye({a}.shape[0]))"
_SQUARE = f"""
    np.linalg.det({_SOLID})
    np.linalg.slogdet({_SOLID})[1]
    np.linalg.inv({_SOLID})
    np.linalg.solve({_SOLID}, {{b}})
    np.linalg.solve({_SOLID}, {{b}}[..., None])[..., 0]
    np.linalg.cholesky({_SPD})
    np.linalg.eigvalsh({_GAPS})
    np.linalg.eigh({_GAPS})[1] ** 2
    np.linalg.svd({_GAPS})[0] ** 2
    np.linalg.svdvals({_GAPS})
    np.linalg.matrix_power({{a}}, 3)
    np.linalg.norm({{a}} + 0.2 * np.eye({{a}}.shape[0]), "fro")
    np.linalg.norm({_GAPS}, 2)
    np.linalg.norm({_GAPS}, "nuc")
    np.linalg.tensorsolve({_SOLID}, {{b}})
    np.linalg.cond({_GAPS})
"""


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


FORMS: tuple[Form, ...] = (
    *[Form(s) for s in _lines(_UNARY) + _lines(_BINARY)],
    *[Form(s, nonzero=k) for s, k in _KINKED],
    *[Form(s, (1, 3)) for s in _lines(_VECTORS)],
    *[Form(s, (1, 3), apart=True) for s in _lines(_APART)],
    *[Form(s, (1, 1)) for s in _lines(_VECTOR)],
    *[Form(s, (1, 2)) for s in _lines(_PAIRS)],
    *[Form(s, (2, 2)) for s in _lines(_MATRIX) + _lines(_SQUARE)],
)
