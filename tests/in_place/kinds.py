"""All kinds of statement: making arrays and views, writing, calling functions, deciding by value."""

from __future__ import annotations

import numpy as np

from in_place.statements import CONCRETE, STATEMENTS, Scope, statement

__all__ = ["CONCRETE", "STATEMENTS"]

_IN_PLACE = ["+=", "-=", "*="]


def _prefix(name: str) -> str:
    """Views of plain arrays are plain."""
    return "c" if name[0] == "c" else "a"


# --- making -----------------------------------------------------------------------------------------------------------


@statement(3)
def buffer(s: Scope) -> str:
    name, new = s.array(), s.fresh("a")
    shape = s.shape(name)
    ways = [f"np.zeros_like({name})", f"np.ones_like({name})", f"np.full_like({name}, {s.literal().strip('()')})"]
    if shape:
        size = s.choose([shape[0], shape, (*shape, 2)[-2:]])
        ways += [f"np.zeros({size}, like={name})", f"np.zeros_like({name}, shape={size})"]
    if s.chance(0.3):
        value = s.value(shape, name)
        # The old array of that name is gone by then, and the new one holds whatever was in memory.
        value = s.literal() if new in value else value
        fill = s.choose([f"{new}[...] = {value}", f"{new}.fill({s.literal()})"])
        return f"{new} = np.empty_like({name})\n{fill}"
    return f"{new} = {s.choose(ways)}"


@statement(2)
def copied(s: Scope) -> str:
    name = s.array()
    way = s.choose(["{}.copy()", "np.copy({})", "+{}", "{}.flatten()", "{}.astype({}.dtype)", "{}.copy(order='F')"])
    return f"{s.fresh('a')} = {way.format(name, name)}"


@statement(0.7)
def plain(s: Scope) -> str:
    return f"{s.fresh('c')} = {s.constant(s.choose(s.shape(n) for n in s.arrays()))}"


@statement(1)
def alias(s: Scope) -> str:
    name = s.array(plain=None)
    return f"{s.fresh(_prefix(name))} = {name}"


@statement(8)
def view(s: Scope) -> str | None:
    name = s.array(plain=s.chance(0.05))
    expression = s.views(name, 2)
    kind = _prefix(name) if isinstance(s.eval(expression), np.ndarray) else "s"
    return f"{s.fresh(kind)} = {expression}" if kind != "s" or _prefix(name) != "c" else None


@statement(0.7)
def split(s: Scope) -> str | None:
    name = s.array(lambda x: x.ndim and x.shape[0] % 2 == 0)
    first, second = s.fresh("a"), s.fresh("a")
    second = f"{second}_" if second == first else second
    return f"{first}, {second} = np.split({name}, 2)"


@statement(0.4)
def read_only(s: Scope) -> str:
    name = s.array()
    return f"{s.fresh('a')} = np.broadcast_to({name}, {(2, *s.shape(name))})"


@statement(1)
def scalar(s: Scope) -> str:
    return f"{s.fresh('s')} = {s.element()}"


# --- writing ----------------------------------------------------------------------------------------------------------


@statement(6)
def set_slice(s: Scope) -> str:
    name = s.target()
    index = s.index(s.shape(name)) if s.chance(0.8) else "..."
    return f"{name}[{index}] = {s.value(s.shape(f'{name}[{index}]'), name)}"


@statement(3)
def set_through_views(s: Scope) -> str:
    name = s.target()
    expression = s.views(name, 3)
    shape = s.shape(expression)
    index = s.index(shape) if s.chance(0.5) else "..."
    return f"{expression}[{index}] = {s.value(s.shape(f'{expression}[{index}]'), name)}"


@statement(4)
def augmented(s: Scope) -> str:
    name = s.target(0)
    return f"{name} {s.choose(_IN_PLACE)} {s.value(s.shape(name), name)}"


@statement(0.7)
def divided(s: Scope) -> str:
    name = s.target(0)
    return f"{name} /= 1.5 + {'np.abs' if s.is_complex else ''}(np.cos({s.value(s.shape(name), name)})) ** 2"


@statement(0.7)
def augmented_scalar(s: Scope) -> str | None:
    names = [name for name in s.names if name[0] == "s"]
    return f"{s.choose(names)} {s.choose(_IN_PLACE)} {s.value(())}" if names else None


@statement(3)
def augmented_slice(s: Scope) -> str:
    name = s.target()
    index = s.index(s.shape(name))
    return f"{name}[{index}] {s.choose(_IN_PLACE)} {s.value(s.shape(f'{name}[{index}]'), name)}"


@statement(3)
def set_fancy(s: Scope) -> str:
    name = s.target()
    index = s.fancy(s.shape(name))
    value = s.value(s.shape(f"{name}[{index}]"), name)
    return f"{name}[{index}] {s.choose(['=', '=', *_IN_PLACE])} {value}"


@statement(2, kinks=True)
def set_mask(s: Scope) -> str:
    name = s.target()
    value = s.literal() if s.chance(0.5) or name[0] == "c" else s.value(())
    mask = s.mask(s.shape(name), name[0] == "c")
    # Under vmap a mask of values can be written through, but not read: the examples differ in how many they take.
    return f"{name}[{mask}] {s.choose(['=', *_IN_PLACE]) if s.concrete or 'array' in mask else '='} {value}"


@statement(1.5)
def ufunc_at(s: Scope) -> str:
    name = s.target()
    index = s.fancy(s.shape(name))
    value = s.value(s.shape(f"{name}[{index}]"), name)
    index = f"({index})" if "], " in index or index.count(":") else index
    if ":" in index:
        return f"np.{s.choose(['add', 'subtract'])}.at({name}, np.s_[{index.strip('()')}], {value})"
    return f"np.{s.choose(['add', 'subtract', 'multiply'])}.at({name}, {index}, {value})"


@statement(1.5)
def overlapping(s: Scope) -> str:
    name = s.target()
    moved, kept = s.choose([("1:", ":-1"), (":-1", "1:"), ("::-1", ":"), ("...", "::-1")])
    return f"{name}[{moved}] {s.choose(['=', *_IN_PLACE])} {name}[{kept}]"


@statement(0.7)
def own_transpose(s: Scope) -> str:
    name = s.array(lambda x: x.flags.writeable and x.ndim == 2 and x.shape[0] == x.shape[1])
    return s.choose([f"{name}[...] = {name}.T", f"{name} += {name}.T", f"{name} @= {name} * 0.4", f"{name}.T[0] = 0.2"])


@statement(0.7)
def swapped(s: Scope) -> str:
    name = s.target()
    ways = ["{0}[[0, -1]] = {0}[[-1, 0]]", "{0}[0], {0}[-1] = {0}[-1], {0}[0]", "{0}[:] = {0}[::-1].copy()"]
    return s.choose(ways).format(name)


@statement(1)
def copyto(s: Scope) -> str:
    name = s.target()
    shape = s.shape(name)
    where = f", where={s.mask(shape, name[0] == 'c')}" if s.chance(0.7) and not s.is_complex else ""
    return f"np.copyto({name}, {s.value(shape, name)}{where})"


@statement(2.5)
def write_functions(s: Scope) -> str:
    name = s.target()
    shape, size = s.shape(name), s.eval(name).size
    plain = name[0] == "c"
    bits = f"np.array({[s.chance(0.5) for _ in range(size)]}).reshape({shape})"
    values = f"np.stack([{s.value((), name)}, {s.value((), name)}])" if not plain else "[0.3, -0.2]"
    ways = [
        f"np.put({name}, {s.integers(size, 3)}, {s.value((3,), name)})",
        f"{name}.put({s.integers(size, 2)}, {s.value((), name)})",
        f"np.put({name}, {[size + 1, 0]}, {s.literal()}, mode='{s.choose(['wrap', 'clip'])}')",
        f"np.place({name}, {bits}, {values})",
        f"np.putmask({name}, {bits}, {s.value(shape, name)})",
        f"np.putmask({name}, {bits}, {values})",
        f"{name}.fill({s.value((), name)})",
    ]
    if len(shape) > 1:
        ways.append(f"np.fill_diagonal({name}, {s.value((), name)}{s.choose(['', ', wrap=True'])})")
    axis = s.rng.randrange(len(shape))
    single = tuple(1 if k == axis else n for k, n in enumerate(shape))
    index = f"np.array({s.integers(shape[axis], int(np.prod(single)))}).reshape({single})"
    ways.append(f"np.put_along_axis({name}, {index}, {s.value(single, name)}, {axis})")
    return s.choose(ways)


@statement(1, kinks=True)
def sorted_in_place(s: Scope) -> str:
    name = s.target()
    ways = [f"{name}.sort()", f"{name}.sort(axis=0)", f"np.clip({name}, -0.6, 0.6, out={name})"]
    return s.choose([*ways, f"np.maximum({name}, {s.value(s.shape(name), name)}, out={name})"])


@statement(2.5)
def out_argument(s: Scope) -> str:
    name = s.target()
    shape = s.shape(name)
    plain = name[0] == "c"
    ways = [
        f"np.sin({s.value(shape, name)}, out={name})",
        f"np.add({s.value(shape, name)}, {s.value(shape, name)}, out={name})",
        f"np.multiply({s.value(shape, name)}, {name}, {name})",
        f"np.negative({name}, out={name}[::-1])",
        f"np.cumsum({name}, axis={s.rng.randrange(len(shape))}, out={name})",
    ]
    if not s.is_complex:
        ways.append(f"np.subtract({name} * 0.9, {s.value(shape, name)}, out={name}, where={s.mask(shape, plain)})")
    if not plain:
        source = s.array(lambda x: x.ndim and (x.shape[1:] == shape or x.shape[:-1] == shape))
        axis = 0 if s.shape(source)[1:] == shape else -1
        reduction = s.choose(
            ["np.sum({}, axis={}, out={})", "np.mean({}, {}, out={})", "np.add.reduce({}, {}, out={})"]
        )
        ways += [reduction.format(source, axis, name)] * 3
    return s.choose(ways)


@statement(1)
def bound_by_out(s: Scope) -> str:
    """The result of a call with ``out=`` is that array."""
    name = s.target()
    return f"{s.fresh(_prefix(name))} = np.tanh({s.value(s.shape(name), name)}, out={name})"


@statement(1.5)
def rows(s: Scope) -> str:
    name = s.array(lambda x: x.flags.writeable and x.ndim > 1)
    write = s.choose(["r *= {}", "r[...] = {}", "r += {}", "r[-1] = {}", "r[::-1] -= {}"])
    return f"for r in {name}:\n    {write.format(s.value((), name))}"


@statement(2)
def recurrence(s: Scope) -> str:
    name = s.target()
    step = s.choose(["0.5 * {0}[i - 1] + {0}[i]", "np.sin({0}[i - 1])", "{0}[i] * {0}[i - 1]", "0.9 * {0}[-i] + 0.1"])
    return f"for i in range(1, len({name})):\n    {name}[i] = {step.format(name)}"


@statement(0.7)
def real_part(s: Scope) -> str | None:
    if not s.is_complex:
        return None
    name = s.array(lambda x: x.flags.writeable and np.iscomplexobj(x))
    shape = s.shape(name)
    part = s.choose(["real", "imag"])
    value = f"np.sin({s.array(lambda x: x.shape == shape)}.real)"
    return f"{name}.{part} {s.choose(['=', *_IN_PLACE])} {value}"


# --- calling ----------------------------------------------------------------------------------------------------------


@statement(4)
def elementwise(s: Scope) -> str:
    name = s.array()
    return f"{s.fresh('a')} = {s.choose(s.functions()).format(name)} {s.choose('+-*')} {s.value(s.shape(name), 'a')}"


@statement(2)
def reduced(s: Scope) -> str:
    name = s.array(lambda x: x.ndim and x.size)
    axis = s.rng.randrange(-1, s.eval(name).ndim)
    many, one = f"np.{s.choose(['sum', 'mean', 'prod'])}", s.choose(["sum", "mean"])
    if s.chance(0.3):
        return f"{s.fresh('s')} = {name}.{one}()"
    return f"{s.fresh('a')} = {many}({name}, axis={axis}, keepdims=True)"


@statement(2)
def joined(s: Scope) -> str:
    name = s.array(lambda x: x.ndim)
    same = s.arrays(lambda x: x.shape == s.shape(name))
    other = s.choose(same)
    ways = ["np.concatenate([{}, {}])", "np.stack([{}, {}], axis=-1)", "np.hstack([{}, {}])", "np.outer({}, {})"]
    return f"{s.fresh('a')} = {s.choose(ways).format(name, other)}"


@statement(1.5)
def product(s: Scope) -> str:
    name = s.array(lambda x: x.ndim)
    last = s.shape(name)[-1]
    other = s.array(lambda x: x.ndim in (1, 2) and x.shape[0] == last)
    result = f"({name} @ {other}) * 0.3"
    return f"{s.fresh('s' if s.shape(result) == () else 'a')} = {result}"


@statement(1)
def taken(s: Scope) -> str:
    name = s.array(lambda x: x.ndim and x.size)
    return f"{s.fresh('a')} = {name}[{s.fancy(s.shape(name))}]"


@statement(1)
def accumulated(s: Scope) -> str:
    name = s.array(lambda x: x.ndim and x.size)
    axis = s.rng.randrange(s.eval(name).ndim)
    return f"{s.fresh('a')} = {s.choose(['np.cumsum', 'np.cumprod', 'np.roll'])}({name}, {s.choose([axis, 1, 0])})"


@statement(1.5, kinks=True)
def chosen(s: Scope) -> str:
    name = s.array(lambda x: x.ndim)
    shape = s.shape(name)
    ways = [f"np.where({s.mask(shape)}, {name}, {s.value(shape, 'a')})", f"np.sort({name}, axis=-1)", f"np.abs({name})"]
    ways += [f"np.maximum({name}, {s.value(shape, 'a')})", f"np.max({name}, axis=0, keepdims=True)"]
    return f"{s.fresh('a')} = {s.choose(ways)}"


@statement(1, kinks=True)
def masked(s: Scope) -> str:
    return f"{s.fresh('m')} = {s.array(lambda x: x.ndim)} > {s.rng.uniform(-0.5, 0.5):.4f}"


# --- deciding by value ------------------------------------------------------------------------------------------------


@statement(2, kinks=True, concrete=True)
def mask_of_values(s: Scope) -> str:
    name = s.target()
    mask = s.mask(s.shape(name), name[0] == "c")
    return s.choose([f"{name}[{mask}] *= {s.value((), name)}", f"{name}[{mask}] = np.sin({name}[{mask}])"])


@statement(1, kinks=True, concrete=True)
def position(s: Scope) -> str:
    return f"{s.fresh('k')} = int(np.{s.choose(['argmax', 'argmin'])}({s.array(lambda x: x.ndim and x.size)}))"


@statement(1.5, kinks=True, concrete=True)
def set_at_position(s: Scope) -> str | None:
    integers = [name for name in s.names if name[0] == "k"]
    name = s.array(lambda x: x.flags.writeable and x.ndim == 1)
    return f"{name}[{s.choose(integers)}] {s.choose(['=', '+='])} {s.value((), name)}" if integers else None


@statement(2, kinks=True, concrete=True)
def branch(s: Scope) -> str:
    one, other = (s.choose([set_slice, augmented, set_fancy, out_argument])(s) for _ in range(2))
    return f"if {s.element()} > {s.rng.uniform(-0.5, 0.5):.4f}:\n    {one}\nelse:\n    {other}"


@statement(1, kinks=True, concrete=True)
def loop_while(s: Scope) -> str:
    name = s.array(lambda x: x.flags.writeable and x.ndim == 1 and x.size)
    k = s.fresh("k")
    return (
        f"{k} = 0\nwhile {k} < len({name}) - 1 and {name}[{k}] < 0.4:\n    {name}[{k}] += {s.element()}\n    {k} += 1"
    )
