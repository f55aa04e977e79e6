"""The table of algebraic rules: what is replaced by what, and how exact that is.

"exact" means bit for bit in IEEE arithmetic, for NaN, infinities, zeros of either sign, and in every dtype that the
rule admits; only which of several NaNs comes out is left open. "sign of zero" means exact but for that. Everything else
is said in the table. ``c`` and ``d`` stand for numbers known at compile time, also broadcast ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...core.primitive import Primitive
from .constants import is_identity
from .rules import arithmetic as a
from .rules import blocks as b
from .rules import choices as c
from .rules import gathers as g
from .rules import indexing as i
from .rules import moves as m
from .rules import onehot as o
from .rules import sums as s
from .rules import writes as w

__all__ = ["RULES", "Rule", "is_elementwise", "is_identity", "rules_of"]

EXACT = "exact"
ZERO = "sign of zero"


class Rule(NamedTuple):
    """One line of the table.

    Attributes
    ----------
    on : str
        The primitives it is tried on.
    when : str
        Of what one of the inputs must have been made, or ``constant``; empty: it is always tried.
    text : str
        What it says; unique.
    apply : callable
        ``apply(builder, aval, inputs, params) -> value or None``.
    exactness : str
        What it changes about values.
    """

    on: str
    when: str
    text: str
    apply: Callable[..., Any]
    exactness: str


RULES: tuple[Rule, ...] = (
    # numbers
    Rule("multiply", "constant", "x * 1 -> x",
         a.times_one, f"{EXACT}; not for complex x, where inf * (1 + 0i) has a NaN part"),
    Rule("multiply", "constant", "x * -1 -> -x", a.times_minus_one, EXACT),
    Rule("multiply", "negative", "(-x) * (-y) -> x * y", a.product_of_negatives, EXACT),
    Rule("multiply", "multiply", "(x * c) * d -> x * (c * d)",
         a.of_products, "c or d is a power of 2: exact unless x * c overflows "
         "or is subnormal"),
    Rule("divide", "constant", "x / 1 -> x", a.over_one, EXACT),
    Rule("divide", "negative", "(-x) / (-y) -> x / y", a.quotient_of_negatives, EXACT),
    Rule("divide", "constant", "x / c -> x * (1 / c)", a.over_power_of_two, "c is a power of 2: exact"),
    Rule("add", "constant", "x + (-0) -> x", a.plus_zero, f"{EXACT}; x + 0.0 stays, because it makes 0.0 of -0.0"),
    Rule("add", "negative", "x + (-y) -> x - y", a.plus_negative, EXACT),
    Rule("add", "", "x + x -> 2 * x", a.plus_itself, EXACT),
    Rule("subtract", "constant", "x - 0 -> x", a.minus_zero, f"{EXACT}; x - (-0.0) stays"),
    Rule("subtract", "negative", "x - (-y) -> x + y", a.minus_negative, EXACT),
    Rule("subtract", "constant", "(-0) - x -> -x", a.zero_minus, f"{EXACT}; 0.0 - x stays"),
    Rule("negative", "negative", "-(-x) -> x", a.twice_negative, EXACT),
    Rule("negative", "multiply divide product", "-(c * x) -> (-c) * x",
         a.negative_into, f"{EXACT}; also of quotients and masked products"),
    Rule("positive", "", "+x -> x", a.itself, EXACT),
    Rule("absolute", "negative", "|-x| -> |x|", a.even("absolute"), EXACT),
    Rule("square", "negative", "(-x) ** 2 -> x ** 2", a.even("square"), EXACT),
    Rule("power", "constant", "x ** n -> products",
         a.power, "n = 0, 1, 2, -1, 1/2: as NumPy; other whole n up to 8: n/2 ulp; "
         "-1/2, 3/2, -3/2: 2 ulp"),
    Rule("maximum minimum fmax fmin at_least at_most", "", "max(x, x) -> x", a.twice_itself, EXACT),
    Rule("stop_gradient", "", "stop_gradient(x) -> x", a.itself, EXACT),
    # products in which zero times anything is zero
    Rule("product", "", "product(t, p) -> t * p",
         c.product, "t is never 0, or p is finite: exact; t = 0: 0, sign of zero"),
    Rule("masked_product", "", "masked(t, p) -> product(t, p)",
         c.masked_product, "t is finite, or p is: sign of zero"),
    # choices, truth
    Rule("where", "constant", "where(c, x, y) -> x or y", c.known_choice, EXACT),
    Rule("where", "", "where(a, x, x) -> x", c.no_choice, EXACT),
    Rule("where", "logical_not", "where(not a, x, y) -> where(a, y, x)", c.negated_choice, EXACT),
    Rule("where", "where", "where(a, where(a, x, y), z) -> where(a, x, z)", c.nested_choice, EXACT),
    Rule("logical_and", "constant", "a and True -> a, a and False -> False", c.and_known, EXACT),
    Rule("logical_or", "constant", "a or False -> a, a or True -> True", c.or_known, EXACT),
    Rule("logical_not", "logical_not", "not not a -> a", c.twice_not, EXACT),
    Rule("equal less_equal greater_equal", "", "x == x -> True", c.equals_itself(True), "x cannot be NaN: exact"),
    Rule("not_equal less greater", "", "x != x -> False", c.equals_itself(False), "x cannot be NaN: exact"),
    # dtypes, complex parts
    Rule("convert", "", "convert(x) -> x", c.convert_to_same, f"of the same dtype: {EXACT}"),
    Rule("convert", "convert", "convert(convert(x)) -> convert(x)",
         c.convert_twice, f"the first loses nothing: {EXACT}"),
    Rule("real conjugate", "", "real(x) -> x", c.part_of_real, f"x is real: {EXACT}"),
    Rule("real", "conjugate join convert", "real(conj(z)) -> real(z)",
         c.real_part, f"{EXACT}; also of parts just joined"),
    Rule("imag", "", "imag(conj(z)) -> -imag(z)",
         c.imaginary_part, f"{EXACT}; also of parts just joined, and of real x"),
    Rule("conjugate", "conjugate", "conj(conj(z)) -> z", c.twice_conjugate, EXACT),
    # moves
    Rule("reshape", "", "reshape(x) -> x", m.same_shape, f"to the same shape: {EXACT}"),
    Rule("reshape", "reshape", "reshape(reshape(x)) -> reshape(x)", m.reshape_of_reshape, EXACT),
    Rule("reshape", "broadcast", "reshape(broadcast(x)) -> broadcast(reshape(x))", m.reshape_of_broadcast, EXACT),
    Rule("transpose", "", "transpose(x) -> reshape(x)",
         m.no_permutation, f"the order stays, but for axes of length 1: {EXACT}"),
    Rule("transpose", "transpose", "transpose(transpose(x)) -> transpose(x)", m.transpose_of_transpose, EXACT),
    Rule("transpose", "broadcast", "transpose(broadcast(x)) -> broadcast(transpose(x))",
         m.transpose_of_broadcast, EXACT),
    Rule("transpose", "reshape", "transpose(reshape(x)) -> reshape(transpose(x))",
         m.transpose_of_reshape, f"axes of length 1: {EXACT}"),
    Rule("broadcast", "", "broadcast(x) -> reshape(x)", m.broadcast_of_ones, f"axes of length 1: {EXACT}"),
    Rule("broadcast", "broadcast", "broadcast(broadcast(x)) -> broadcast(x)", m.broadcast_of_broadcast, EXACT),
    Rule("concat", "", "concat(x, empty) -> x", m.concat_of_one, EXACT),
    Rule("concat", "transpose", "concat(transpose(x), transpose(y)) -> transpose(concat(x, y))",
         m.concat_of_transposes, f"of the same axes: {EXACT}"),
    Rule("concat", "broadcast", "concat(c, c) -> broadcast(c)", m.concat_of_uniform, EXACT),
    # indices
    Rule("read", "", "read(x, i) -> slice(x, i)", i.read_is_slice, EXACT),
    Rule("slice", "", "slice(x) -> reshape(x)",
         i.slice_in_form, f"of everything; else the index is brought to its form: {EXACT}"),
    Rule("slice", "slice", "slice(slice(x)) -> slice(x)", i.slice_of_slice, EXACT),
    Rule("slice", "broadcast", "slice(broadcast(x)) -> broadcast(slice(x))", i.slice_of_broadcast, EXACT),
    Rule("slice", "transpose", "slice(transpose(x)) -> transpose(slice(x))", i.slice_of_transpose, EXACT),
    Rule("slice", "concat", "slice(concat(x, y)) -> slice(x)", i.slice_of_concat, EXACT),
    Rule("slice", "write unslice", "slice(write(x, v)) -> slice(v) or slice(x)",
         i.slice_of_written, f"{EXACT}; also of unslice"),
    Rule("gather", "constant", "gather(x, indices) -> slice(x)",
         g.gather_is_slice, f"constant, evenly spaced indices: {EXACT}"),
    Rule("gather", "constant", "gather(x, runs) -> concat(slice(x), slice(x))",
         g.gather_is_slices, f"few runs of evenly spaced indices: {EXACT}"),
    Rule("gather", "put", "gather(put(x, v, i), j) -> v or gather(x, j)",
         g.gather_of_put, f"known places, the same or others: {EXACT}"),
    Rule("scatter", "constant", "scatter(v, indices) -> unslice(v)", g.scatter_is_unslice, f"evenly spaced: {ZERO}"),
    Rule("unslice", "", "unslice(v) -> reshape(v)",
         i.unslice_in_form, f"to everything; else the index is brought to its form: {EXACT}"),
    Rule("unslice", "broadcast constant", "unslice(0) -> 0", i.unslice_of_zeros, EXACT),
    Rule("unslice", "unslice", "unslice(unslice(v)) -> unslice(v)", i.unslice_of_unslice, EXACT),
    Rule("add", "unslice add concat", "unslice(v) + unslice(w) -> unslice(v + w)",
         b.sum_of_blocks, f"also of sums of blocks: {ZERO}"),
    Rule("scatter", "concat", "scatter(concat(v, w)) -> unslice(v + w)",
         b.scatter_of_concat, f"evenly spaced: {ZERO}"),
    Rule("product", "unslice", "product(unslice(t), p) -> unslice(product(t, p))", i.unslice_inside, ZERO),
    Rule("multiply", "unslice", "c * unslice(v) -> unslice(c * v)", i.scaled_unslice, f"c is finite: {ZERO}"),
    Rule("negative", "unslice", "-unslice(v) -> unslice(-v)", i.unslice_of_unary("negative"), ZERO),
    Rule("convert", "unslice", "convert(unslice(v)) -> unslice(convert(v))", i.unslice_of_unary("convert"), EXACT),
    # writes
    Rule("put", "constant", "put(x, v, indices) -> write(x, v)", g.put_is_write, f"evenly spaced: {EXACT}"),
    Rule("add_at", "constant", "add_at(x, v, indices) -> write(x, slice(x) + v)",
         g.add_at_is_write, f"evenly spaced: {EXACT}"),
    Rule("write", "", "write(x, v) -> v",
         w.write_in_form, f"everything; else the index is brought to its form: {EXACT}"),
    Rule("write", "write unslice", "write(write(x, v), w) -> write(x, w)",
         w.write_over_write, f"the same places: {EXACT}"),
    Rule("write", "broadcast", "write(0, v) -> unslice(v)", w.write_into_zeros, EXACT),
    Rule("write", "slice", "write(x, slice(x)) -> x", w.write_back, EXACT),
    # reductions
    Rule("sum", "", "sum(x) -> x", s.sum_of_nothing, f"axes of length 1: {ZERO}"),
    Rule("sum", "broadcast", "sum(broadcast(x)) -> n * sum(x)",
         s.sum_of_broadcast, "one rounding in place of n; real x"),
    Rule("sum", "sum", "sum(sum(x)) -> sum(x)", s.sum_of_sum, "the order of summation"),
    Rule("sum", "transpose", "sum(transpose(x)) -> sum(x)",
         s.reduction_of_transpose("sum"), "the order of summation"),
    Rule("sum", "reshape", "sum(reshape(x)) -> reshape(sum(x))",
         s.reduction_of_reshape("sum"), "the order of summation"),
    Rule("sum", "negative", "sum(-x) -> -sum(x)", s.sum_of_negative, ZERO),
    Rule("sum", "unslice", "sum(unslice(v)) -> sum(v)", s.sum_of_unslice, "the order of summation, sign of zero"),
    Rule("sum", "multiply product", "sum(s * x) -> s * sum(x)",
         s.known_sum, "sum(x) is there already: two roundings, unless sum(x) overflows"),
    Rule("sum", "multiply", "sum(x * y) -> x @ y",
         s.sum_of_products, "x * y is larger than x and y: the order of summation"),
    *(
        Rule(f, "broadcast", f"{f}(broadcast(x)) -> broadcast({f}(x))", s.extremum_of_broadcast(f), EXACT)
        for f in ("max", "min", "nanmax", "nanmin", "any", "all")
    ),
    Rule("max min nanmax nanmin", "", "max(x) -> x", s.extremum_of_nothing, f"axes of length 1: {EXACT}"),
    *(
        Rule(f, "transpose", f"{f}(transpose(x)) -> {f}(x)", s.reduction_of_transpose(f), EXACT)
        for f in ("max", "min", "nanmax", "nanmin", "any", "all", "count_nonzero")
    ),
    *(
        Rule(f, "reshape", f"{f}(reshape(x)) -> reshape({f}(x))", s.reduction_of_reshape(f), EXACT)
        for f in ("max", "min", "nanmax", "nanmin", "any", "all", "count_nonzero")
    ),
    # bases of zeros and ones, written 1
    Rule("product", "constant", "product(c * 1, x) -> product(1, c * x)", o.scaled_basis, ZERO),
    Rule("product", "product", "product(product(1, x), y) -> product(1, product(x, y))", o.product_of_product, ZERO),
    Rule("multiply", "product", "product(1, x) * c -> product(1, x * c)", o.scaled_product, f"c is finite: {ZERO}"),
    Rule("negative", "product", "-product(1, x) -> product(1, -x)", o.negative_product, ZERO),
    Rule("add", "product", "product(1, x) + product(1, y) -> product(1, x + y)", o.combined("add"), ZERO),
    Rule("subtract", "product", "product(1, x) - product(1, y) -> product(1, x - y)", o.combined("subtract"), ZERO),
    Rule("sum", "product", "sum(product(1, x)) -> x",
         o.sum_of_diagonal, f"of a diagonal matrix, along an axis: {ZERO}"),
    Rule("matmul", "product", "product(1, x) @ y -> x * y",
         o.matmul_of_diagonal, "a diagonal matrix: exact where y is finite; NaN and inf do not spread"),
    Rule("matmul", "constant", "x @ 1 -> x",
         o.matmul_of_identity, "exact where x is finite; NaN and inf do not spread to other elements"),
)  # fmt: skip

_MOVED = frozenset({"reshape", "transpose", "broadcast", "slice", "read", "gather", "concat", "unslice", "scatter"})


def is_elementwise(primitive: Primitive) -> bool:
    """Whether an element of the output is made of the elements at its place in the inputs, as NumPy broadcasts."""
    if primitive.family == "constant":
        return getattr(primitive.aval, "__qualname__", "").startswith("elementwise_aval.")
    return primitive.sparsity == "union"


_BY_NAME: dict[str, tuple[tuple[frozenset[str] | None, Rule], ...]] = {}


def rules_of(primitive: Primitive) -> tuple[tuple[frozenset[str] | None, Rule], ...]:
    """The rules to try on equations of a primitive, in order, each behind its `when` as a set, None if always."""
    known = _BY_NAME.get(primitive.name)
    if known is not None:
        return known
    rules = [r for r in RULES if primitive.name in r.on.split()]
    if is_elementwise(primitive):
        rules[:0] = [
            Rule(primitive.name, "broadcast", "f(broadcast(x)) -> broadcast(f(x))", m.on_broadcasts(primitive), EXACT),
            Rule(primitive.name, "reshape", "f(reshape(x)) -> reshape(f(x))", m.on_reshapes(primitive), EXACT),
        ]
    if is_elementwise(primitive) or primitive.name in _MOVED:
        rules.insert(0, Rule(primitive.name, "", "f(empty) -> empty", m.empty, EXACT))
    _BY_NAME[primitive.name] = tuple([(frozenset(r.when.split()) if r.when else None, r) for r in rules])
    return _BY_NAME[primitive.name]
