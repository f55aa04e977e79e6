"""Compiled programs touch no memory but that of their arrays: these lie between pages that must not be touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compiler import guarded

FULL = bool(os.environ.get("COVECTOR_FULL"))
PARTS = 4

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs mprotect")


def run(*names: str) -> subprocess.CompletedProcess[str]:
    """Run the programs of these names in a process of its own."""
    path = os.pathsep.join([str(Path(guarded.__file__).parents[1]), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "compiler.guarded", *names]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def chosen() -> list[str]:
    """All programs, or every one of them at some of the lengths."""
    names = list(guarded.programs())
    return names if FULL else [n for n in names if n.startswith("long") or n.endswith(("-1", "-7", "-17", "-65"))]


@pytest.mark.parametrize("part", range(PARTS))
def test_no_access_is_out_of_bounds(part: int) -> None:
    names = chosen()[part::PARTS]
    done = run(*names)
    lines = done.stdout.split("\n")
    assert done.returncode == 0 and lines[-2:] == ["done", ""], f"{lines[-2:]}\n{done.stderr[-2000:]}"
    assert lines[:-2] == names


def test_the_guard_pages_are_out_of_bounds() -> None:
    done = run("overrun")
    assert done.returncode < 0
    assert not done.stdout
