"""Tests of the compiler keep their cache of machine code to themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder for this run, of which every worker of a parallel run has its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVECTOR_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
