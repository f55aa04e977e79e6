"""Gradient of a character-level LSTM whose weights all act elementwise, over a long sequence.

The model is that of Šrajer, Kukelova, Fitzgibbon, "A benchmark of selected algorithmic differentiation tools on
some problems in computer vision and machine learning" (2018): layers of four gates, b features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..limit import call
from .base import Case, Compiler, Function, compiled_by_torch

# layers, characters
SIZES = ((2, 1_024), (4, 4_096), (6, 8_192))
FEATURES = 14


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(−x))."""
    return 1.0 / (1.0 + np.exp(-x))


def advance(weights: Any, biases: Any, extra: Any, hidden: Any, cell: Any, x: Any) -> tuple[Any, Any, Any]:
    """Hidden states and cells of all layers after the input `x`, and the scores of the next one."""
    x = x * extra[0]
    next_hidden, next_cell = [], []
    for (w_forget, w_in, w_out, w_change), (b_forget, b_in, b_out, b_change), h, c in zip(
        weights, biases, hidden, cell
    ):
        forget = sigmoid(x * w_forget + b_forget)
        ingate = sigmoid(h * w_in + b_in)
        outgate = sigmoid(x * w_out + b_out)
        change = np.tanh(h * w_change + b_change)
        c = c * forget + ingate * change
        x = outgate * np.tanh(c)
        next_hidden.append(x)
        next_cell.append(c)
    y = x * extra[1] + extra[2]
    return next_hidden, next_cell, y - np.log(2.0 + np.sum(np.exp(y)))


def loss(weights: Any, biases: Any, extra: Any, state: Any, sequence: Any) -> Any:
    """Mean negative log-likelihood of every character, given those before it."""
    hidden, cell = list(state[0]), list(state[1])
    total = 0.0
    for t in range(len(sequence) - 1):
        hidden, cell, scores = advance(weights, biases, extra, hidden, cell, sequence[t])
        total = total + np.sum(sequence[t + 1] * scores)
    return -total / (sequence.shape[1] * (len(sequence) - 1))


def covector_version(jit: Compiler) -> Function:
    """The gradient in weights, biases and extra parameters."""
    import covector

    return jit(covector.grad(loss, argnums=(0, 1, 2)))


def covector_loss() -> Function:
    """The loss with `covector.scan` in place of the loop."""
    import covector

    def scanned(weights: Any, biases: Any, extra: Any, state: Any, sequence: Any) -> Any:
        def step(carry: Any, characters: Any) -> Any:
            now, after = characters
            hidden, cell, scores = advance(weights, biases, extra, carry[0], carry[1], now)
            return (np.stack(hidden), np.stack(cell)), np.sum(after * scores)

        _, terms = covector.scan(step, (state[0], state[1]), (sequence[:-1], sequence[1:]))
        return -np.sum(terms) / (sequence.shape[1] * (len(sequence) - 1))

    return scanned


def covector_scan(jit: Compiler) -> Function:
    """The gradient of the loss with `covector.scan`."""
    import covector

    return jit(covector.grad(covector_loss(), argnums=(0, 1, 2)))


def jax_loss() -> Function:
    """The loss with ``lax.scan`` over the characters."""
    import jax
    import jax.numpy as jnp

    def scanned(weights: Any, biases: Any, extra: Any, state: Any, sequence: Any) -> Any:
        def step(carry: Any, characters: Any) -> Any:
            now, after = characters
            x = now * extra[0]
            hidden, cell = [], []
            for layer in range(weights.shape[0]):
                w, b, h, c = weights[layer], biases[layer], carry[0][layer], carry[1][layer]
                forget, outgate = jax.nn.sigmoid(x * w[0] + b[0]), jax.nn.sigmoid(x * w[2] + b[2])
                ingate, change = jax.nn.sigmoid(h * w[1] + b[1]), jnp.tanh(h * w[3] + b[3])
                c = c * forget + ingate * change
                x = outgate * jnp.tanh(c)
                hidden.append(x)
                cell.append(c)
            y = x * extra[1] + extra[2]
            return (jnp.stack(hidden), jnp.stack(cell)), jnp.sum(after * (y - jnp.log(2.0 + jnp.sum(jnp.exp(y)))))

        _, terms = jax.lax.scan(step, (state[0], state[1]), (sequence[:-1], sequence[1:]))
        return -jnp.sum(terms) / (sequence.shape[1] * (sequence.shape[0] - 1))

    return scanned


def jax_version() -> Function:
    """With ``lax.scan`` over the characters."""
    import jax

    return jax.jit(jax.grad(jax_loss(), argnums=(0, 1, 2)))


def _looped(sig: Function, tanh: Function, log: Function, exp: Function) -> Function:
    """The loop over the characters with the functions of another library."""

    def function(weights: Any, biases: Any, extra: Any, state: Any, sequence: Any) -> Any:
        hidden, cell = list(state[0]), list(state[1])
        total = 0.0
        for t in range(len(sequence) - 1):
            x = sequence[t] * extra[0]
            for layer in range(len(hidden)):
                w, b, h = weights[layer], biases[layer], hidden[layer]
                forget, outgate = sig(x * w[0] + b[0]), sig(x * w[2] + b[2])
                ingate, change = sig(h * w[1] + b[1]), tanh(h * w[3] + b[3])
                cell[layer] = cell[layer] * forget + ingate * change
                x = hidden[layer] = outgate * tanh(cell[layer])
            y = x * extra[1] + extra[2]
            total = total + (sequence[t + 1] * (y - log(2.0 + exp(y).sum()))).sum()
        return -total / (sequence.shape[1] * (len(sequence) - 1))

    return function


def torch_loss() -> Function:
    """The loop in torch."""
    import torch

    return _looped(torch.sigmoid, torch.tanh, torch.log, torch.exp)


def torch_version() -> Function:
    """The loop, differentiated by ``torch.autograd``."""
    import torch

    function = torch_loss()

    def gradient(weights: Any, biases: Any, extra: Any, state: Any, sequence: Any) -> Any:
        parameters = tuple(value.detach().requires_grad_() for value in (weights, biases, extra))
        return torch.autograd.grad(function(*parameters, state, sequence), parameters)

    return gradient


def torch_functional() -> Function:
    """The loop through ``torch.func``."""
    import torch

    return torch.func.grad(torch_loss(), argnums=(0, 1, 2))


def autograd_version() -> Function:
    """The loop in autograd.numpy."""
    import autograd
    import autograd.numpy as anp

    def sig(x: Any) -> Any:
        return 1.0 / (1.0 + anp.exp(-x))

    def function(weights: Any, biases: Any, extra: Any, state: Any, sequence: Any) -> Any:
        hidden, cell = list(state[0]), list(state[1])
        total = 0.0
        for t in range(len(sequence) - 1):
            x = sequence[t] * extra[0]
            for layer in range(len(hidden)):
                w, b, h = weights[layer], biases[layer], hidden[layer]
                forget, outgate = sig(x * w[0] + b[0]), sig(x * w[2] + b[2])
                ingate, change = sig(h * w[1] + b[1]), anp.tanh(h * w[3] + b[3])
                cell[layer] = cell[layer] * forget + ingate * change
                x = hidden[layer] = outgate * anp.tanh(cell[layer])
            y = x * extra[1] + extra[2]
            total = total + anp.sum(sequence[t + 1] * (y - anp.log(2.0 + anp.sum(anp.exp(y)))))
        return -total / (sequence.shape[1] * (len(sequence) - 1))

    gradient: Function = autograd.grad(function, argnum=(0, 1, 2))
    return gradient


def limit(library: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
    """Back-propagation through time in C."""
    weights, biases, extra, state, sequence = inputs
    layers, _, b = weights.shape
    out = tuple(np.empty_like(value) for value in (weights, biases, extra))
    steps = len(sequence) - 1
    kept = np.empty((steps, layers, 8, b))
    scores = np.empty((steps, b))
    scratch = np.empty((2, layers, b))
    run = call(
        library.lstm_gradient,
        *(layers, steps, b, weights, biases, extra, state, sequence, kept, scores, scratch, *out),
    )

    def invoke() -> Any:
        run()
        return out

    return invoke


def _case(layers: int, characters: int, features: int, scan: bool = False, **marks: Any) -> Case:
    def inputs(random: np.random.Generator) -> tuple[Any, ...]:
        return (
            random.normal(size=(layers, 4, features)),
            random.normal(size=(layers, 4, features)),
            random.normal(size=(3, features)),
            random.normal(size=(2, layers, features)),
            random.integers(0, 2, size=(characters, features)).astype(float),
        )

    peers = {"jax": jax_version}
    left_out: dict[str, str] = {}
    if characters <= SIZES[0][1]:
        peers |= {"torch": torch_version, "autograd": autograd_version}
    else:
        left_out |= dict.fromkeys(("torch", "autograd"), "a call takes many seconds")
    if characters < SIZES[0][1]:
        peers["torch.compile"] = compiled_by_torch(torch_functional)
    else:
        left_out["torch.compile"] = "it unrolls the loop and compiles for minutes"
    return Case(
        family="lstm",
        size=("scan-" if scan else "") + f"{layers}x{characters}",
        inputs=inputs,
        covector=covector_scan if scan else covector_version,
        peers=peers,
        limit=limit,
        left_out=left_out,
        **marks,
    )


def cases() -> list[Case]:
    """Three sizes (layers x characters), of the loop and of `scan`."""
    return [
        _case(2, 6, 5, small=True),
        _case(2, 6, 5, True, small=True, requires="scan"),
        *(_case(*size, FEATURES) for size in SIZES),
        *(_case(*size, FEATURES, True, requires="scan") for size in SIZES),
    ]
