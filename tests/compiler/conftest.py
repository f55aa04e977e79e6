"""What tests of the compiler share."""

from __future__ import annotations

import pytest

from compiler.nestings import Interpreted
from covector.compiler import backend


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "executable", Interpreted)
