"""Loops and branches: ``python -m benchmarks loops``.

``families`` holds the workloads, each as a scalar function that is timed itself, with its gradient and with its
derivative along one direction; ``limits`` the same three by hand in C. Contestants, checks, processes and tables are
those of ``benchmarks.compiled``.
"""
