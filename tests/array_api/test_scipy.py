"""Libraries that rely on the array API standard are differentiated through: SciPy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

scipy = pytest.importorskip("scipy", minversion="1.17")

from array_api.scipy_cases import DIRECT, WRAPPED  # noqa: E402

PROGRAM = Path(__file__).with_name("scipy_cases.py")


@pytest.fixture(scope="module")
def results() -> Any:
    environment = os.environ | {"SCIPY_ARRAY_API": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, str(PROGRAM)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", [*DIRECT, *WRAPPED, *[f"{name} (wrapped)" for name in DIRECT]])
def test_differentiated_through_scipy(results: Any, name: str) -> None:
    found = results[name]
    assert isinstance(found, dict), found
    assert found["value"] < 1e-13
    assert found["forward"] < 1e-6  # against central differences
    assert found["reverse"] < 1e-11
    assert found["tangent"] > 1e-6  # a derivative that vanishes would prove nothing
