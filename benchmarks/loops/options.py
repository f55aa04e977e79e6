"""The options of ``python -m benchmarks loops``; imports nothing that computes."""

from __future__ import annotations

import argparse

from ..compiled.options import RESULTS, add_options
from .families import FAMILIES

PEERS = ("covector-stored", "jax", "torch", "c")


def add_loop_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_options(parser, FAMILIES, PEERS, RESULTS.with_name("loops.json"), first=1)
