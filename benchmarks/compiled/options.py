"""The options of ``python -m benchmarks compiled``; imports nothing that computes."""

from __future__ import annotations

import argparse
from pathlib import Path

from .families import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "compiled.json"
PEERS = ("jax", "torch", "torch.compile", "autograd", "c", "c-fast")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def add_options(
    parser: argparse.ArgumentParser,
    families: tuple[str, ...] = FAMILIES,
    peers: tuple[str, ...] = PEERS,
    results: Path = RESULTS,
    first: int = 3,
) -> None:
    """The options of the command, for the families of a benchmark."""
    words = ", ".join(families)
    parser.add_argument("--only", metavar="NAMES", help=f"families, separated by commas; there are: {words}")
    parser.add_argument("--sizes", metavar="NAMES", help="sizes, separated by commas; small ones too")
    parser.add_argument("--peers", metavar="NAMES", help=f"peers, separated by commas; default: {', '.join(peers)}")
    parser.add_argument("--threads", type=_positive, default=1, help="threads, and processors, for everybody")
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds, jax and C only")
    parser.add_argument("--rounds", type=_positive, default=31, help="most interleaved rounds (default: 31)")
    parser.add_argument("--budget", type=float, default=15.0, help="seconds of rounds per workload (default: 15)")
    parser.add_argument(
        "--first", type=int, default=first, help=f"fresh processes for each first call (default: {first}; 0: none)"
    )
    parser.add_argument("--memory", action="store_true", help="memory of every workload, not only of the large arrays")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds a process may take (default: 900)")
    parser.add_argument("--json", type=Path, default=results, metavar="FILE", help="where the figures are kept")
    parser.add_argument("--report", action="store_true", help="measure nothing: report what the JSON file holds")
    parser.add_argument("--write-docs", action="store_true", help="write the page of the documentation and its plot")
