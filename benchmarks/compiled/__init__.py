"""Compiled derivatives: ``python -m benchmarks compiled``.

``families`` holds the workloads, each written once in plain NumPy and once in the idiom of every peer; ``limits`` the
same derivatives by hand in C. Every workload is checked and timed in a process of its own (`child`), first calls and
memory in one process per contestant.
"""
