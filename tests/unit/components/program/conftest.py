"""A small project in a temporary folder, and the program run on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from components import stack
from components.cluster_state.availability_gate import AvailabilityGate
from components.cluster_state.snapshot import ClusterSnapshot
from components.cluster_state.state import ClusterState
from components.config import parse
from components.traefik import traefik_crds
from tests.support.recorder import Recorder, record

PLATFORM = {"namespace": "models", "registry": "registry.test/models", "hostname": "models.test"}

_DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.traefik.io}
spec: {group: traefik.io}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a few versions, and a harness of two files for each language."""
    for language in ("python", "r"):
        harness = tmp_path / "harness" / language
        harness.mkdir(parents=True)
        (harness / "Dockerfile").write_text("FROM scratch\n")
        (harness / "model.Dockerfile").write_text("ARG HARNESS\nFROM ${HARNESS}\n")
    (tmp_path / "watcher").mkdir()
    (tmp_path / "watcher/Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "cluster_client").mkdir()
    (tmp_path / "cluster_client/__init__.py").write_text("")
    (tmp_path / "models/cars").mkdir(parents=True)
    (tmp_path / "models/cars/predict.R").write_text("predict <- function(wt) wt\n")
    for folder in ("iris/v1", "iris/v2", "iris/v3", "echo/v1"):
        source = tmp_path / "models" / folder
        source.mkdir(parents=True)
        (source / "predict.py").write_text(f"def predict(value):\n    return {folder!r}\n")
    # the real definitions are a quarter of a megabyte; a small one replaces them
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(traefik_crds, "SHA256", hashlib.sha256(_DEFINITION.encode()).hexdigest())
    traefik_crds.file().parent.mkdir(parents=True)
    traefik_crds.file().write_text(_DEFINITION)
    return tmp_path


@pytest.fixture
def run(project: Path) -> Callable[[object], Recorder]:
    """Run the program on some models; returns what it registered."""

    def _run(models: object, platform: object = PLATFORM) -> Recorder:
        spec = parse(platform, models, project)
        empty = ClusterState()
        snapshot = ClusterSnapshot(empty, AvailabilityGate(None, "models", empty), None, "models")
        return record(lambda: stack.build(spec, project, snapshot))

    return _run


@pytest.fixture
def run_with(run: Callable[..., Recorder]) -> Callable[..., Recorder]:
    """Run the program on one small model, with some sections of the platform."""
    version = {"source": "models/iris/v1"}
    iris = {"language": "python", "handler": "predict:predict", "versions": {"v1": version}}

    def _run(**sections: object) -> Recorder:
        return run({"iris": iris}, {**PLATFORM, **sections})

    return _run
