from __future__ import annotations

from pathlib import Path

import pytest

from local.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(cache=tmp_path / "cache", state=tmp_path / "state", run=tmp_path / "run")
