"""The comparison with JAX runs where it is asked for: ``python -m pytest tests/oracle``, all of it with ``--full``."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = any(HERE in (path, *path.parents) for path in (Path(arg.split("::")[0]).resolve() for arg in config.args))
    return None if asked else True
