"""Benchmarks of covector; timings never decide a test, they are made here.

``python -m benchmarks eager``
    Derivatives against torch.func, autograd, JAX without ``jit``, and NumPy by hand: interleaved in one process,
    after all results have been checked against each other. Says which targets are reached.
``python -m benchmarks compiled``
    `jit` against jax.jit, torch, autograd and C written by hand: times, first calls, fresh processes, memory.
``python -m benchmarks loops``
    `scan`, `while_loop`, `fori_loop` and `cond` against those of jax.lax, torch's loops in Python, and C: value,
    gradient and forward derivative, and the memory that checkpoints save.
``python -m benchmarks coverage``
    The functions of NumPy and SciPy that autograd, JAX or PyTorch differentiate and covector does not, with the reason.
``python -m benchmarks imports``
    ``import covector`` against ``import numpy`` and ``import optree``, in fresh processes.
``python -m benchmarks memory``
    Resident memory over many random calls of nested transforms.
``python -m benchmarks profile``
    Python frames per operation, and the functions in which covector's own time goes.

A library that is not installed is reported as such and left out.
"""
