"""Pytrees: containers in and out, registration, and the helpers of `covector.tree`."""

import collections
import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import covector as cv

Pair = collections.namedtuple("Pair", "left right")


@cv.register_dataclass
@dataclasses.dataclass
class Layer:
    weight: np.ndarray
    bias: float


@dataclasses.dataclass
class Plain:
    slope: float
    shift: float


cv.register_dataclass(Plain)


class Polar:
    def __init__(self, radius, label):
        self.radius, self.label = radius, label


cv.register_pytree_node(Polar, lambda p: ((p.radius,), p.label), lambda label, children: Polar(children[0], label))

TREES = {
    "leaf": np.arange(2.0),
    "tuple": (1.0, np.arange(2.0)),
    "one-tuple": (np.arange(2.0),),
    "list": [1.0, [2.0, np.arange(2.0)]],
    "dict": {"b": 1.0, "a": np.arange(2.0)},
    "namedtuple": Pair(1.0, {"k": np.arange(2.0)}),
    "OrderedDict": collections.OrderedDict([("z", 1.0), ("a", 2.0)]),
    "None inside": (1.0, None, {"n": None, "x": 2.0}),
    "empty": ({}, (), [], 1.0),
    "dataclass": Layer(np.arange(2.0), 3.0),
    "registered node": {"p": Polar(np.arange(2.0), "deg")},
}


@pytest.fixture(params=sorted(TREES))
def tree(request):
    return TREES[request.param]


def same(a, b):
    return cv.tree.structure(a) == cv.tree.structure(b) and all(
        np.array_equal(x, y) for x, y in zip(cv.tree.leaves(a), cv.tree.leaves(b), strict=True)
    )


def total(tree):
    return sum((np.sum(leaf**2) for leaf in cv.tree.leaves(tree)), 0.0)


def test_grad_has_the_arguments_structure(tree):
    assert same(cv.grad(total)(tree), cv.tree.map(lambda leaf: 2 * leaf, tree))


def test_vjp_of_the_identity(tree):
    out, vjp_fn = cv.vjp(lambda t: t, tree)
    assert same(out, tree)
    assert same(vjp_fn(tree)[0], tree)


def test_jvp_of_the_identity(tree):
    out, tangent = cv.jvp(lambda t: t, (tree,), (cv.tree.map(lambda leaf: leaf * 3, tree),))
    assert same(out, tree)
    assert same(tangent, cv.tree.map(lambda leaf: leaf * 3, tree))


def test_vmap_over_the_whole_tree(tree):
    batched = cv.tree.map(lambda leaf: np.stack([leaf, 2 * np.asarray(leaf)]), tree)
    got = cv.vmap(lambda t: cv.tree.map(lambda leaf: 5 * leaf, t))(batched)
    assert same(got, cv.tree.map(lambda leaf: 5 * leaf, batched))


@pytest.mark.parametrize("jac", [cv.jacrev, cv.jacfwd], ids=["jacrev", "jacfwd"])
def test_jacobian_is_a_tree_of_trees(jac):
    w = {"b": np.array([1.0, 2.0]), "a": np.array(3.0)}
    j = jac(lambda w: (w["b"] * w["a"], [np.sum(w["b"])]))(w)
    assert type(j) is tuple and type(j[1]) is list
    assert list(j[0]) == ["b", "a"] and list(j[1][0]) == ["b", "a"]
    assert_array_equal(j[0]["b"], 3 * np.eye(2))
    assert_array_equal(j[0]["a"], [1.0, 2.0])
    assert_array_equal(j[1][0]["b"], [1.0, 1.0])
    assert_array_equal(j[1][0]["a"], 0.0)


def test_dict_order_is_insertion_order():
    x = {"z": 1.0, "a": 2.0, "m": 3.0}
    assert list(cv.grad(lambda d: d["a"] * d["m"] + d["z"])(x)) == ["z", "a", "m"]
    assert cv.tree.leaves(x) == [1.0, 2.0, 3.0]
    out, _ = cv.vjp(lambda d: {"second": d["a"], "first": d["z"]}, x)
    assert list(out) == ["second", "first"]


def test_cotangent_dicts_match_by_key():
    _, vjp_fn = cv.vjp(lambda x: {"b": 2 * x, "a": 3 * x}, 1.0)
    assert vjp_fn({"a": 10.0, "b": 1.0})[0] == 32.0


def test_decorated_dataclass_is_usable_inside_and_returned():
    layer = Layer(np.array([1.0, 2.0]), 0.5)
    g = cv.grad(lambda layer: np.sum(layer.weight) * layer.bias)(layer)
    assert type(g) is Layer
    assert_array_equal(g.weight, [0.5, 0.5])
    assert g.bias == 3.0


def test_register_dataclass_as_a_call():
    g = cv.grad(lambda p: p.slope * 2 + p.shift)(Plain(1.0, 1.0))
    assert type(g) is Plain and g.slope == 2.0 and g.shift == 1.0


def test_register_dataclass_returns_the_class():
    assert isinstance(Layer, type) and Layer.__name__ == "Layer"


def test_registered_node_keeps_its_static_part():
    g = cv.grad(lambda p: np.sum(p.radius**2))(Polar(np.array([1.0, 2.0]), "deg"))
    assert type(g) is Polar and g.label == "deg"
    assert_array_equal(g.radius, [2.0, 4.0])


def test_unregistered_object_is_refused():
    class Opaque:
        pass

    with pytest.raises(TypeError):
        cv.grad(lambda o: 1.0)(Opaque())


def test_none_is_an_empty_subtree():
    assert cv.tree.leaves((None, 1.0, [None])) == [1.0]
    g = cv.grad(lambda t: t["x"] ** 2)({"x": 2.0, "nothing": None})
    assert g == {"x": 4.0, "nothing": None}


def test_string_leaves_are_refused_in_a_differentiated_argument():
    with pytest.raises(TypeError):
        cv.grad(lambda d: d["x"])({"x": 1.0, "name": "run"})


# --- covector.tree ----------------------------------------------------------------------------------------------------


def test_flatten_and_unflatten(tree):
    leaves, structure = cv.tree.flatten(tree)
    assert same(cv.tree.unflatten(structure, leaves), tree)
    assert structure == cv.tree.structure(tree)
    assert len(leaves) == len(cv.tree.leaves(tree))


def test_map_takes_several_trees():
    assert cv.tree.map(lambda a, b: a + b, {"x": 1, "y": (2, 3)}, {"x": 10, "y": (20, 30)}) == {"x": 11, "y": (22, 33)}


def test_map_refuses_different_trees():
    with pytest.raises(ValueError):
        cv.tree.map(lambda a, b: a + b, {"x": 1}, {"y": 1})


def test_reduce_and_all():
    assert cv.tree.reduce(lambda a, b: a + b, {"x": 1, "y": (2, 3)}) == 6
    assert cv.tree.reduce(lambda a, b: a + b, {"x": 1, "y": (2, 3)}, 10) == 16
    assert cv.tree.all({"x": True, "y": [1, True]})
    assert not cv.tree.all({"x": True, "y": [0, True]})
