"""``python -m benchmarks loops``."""

from __future__ import annotations

import argparse

from ..compiled import command
from ..compiled.suite import Suite
from . import goals, page
from .families import FAMILIES
from .options import PEERS

LOOPS = Suite("loops", FAMILIES, (), PEERS, goals.verdicts, page.write)


def main(options: argparse.Namespace) -> int:
    """Measure and print; the exit status is 1 if covector failed or was wrong anywhere."""
    return command.main(options, LOOPS)
