"""Every Kubernetes object of a stack file, as its program declares it: no engine, no cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from components import stack
from components.cluster_state.availability_gate import AvailabilityGate
from components.cluster_state.snapshot import ClusterSnapshot
from components.cluster_state.state import ClusterState
from components.config import parse
from tests.support.recorder import record

ROOT = Path(__file__).resolve().parents[2]
_SECRET_MARK = "4dabf18193072939515e22adb298388d"
"""How the engine's protocol marks what is no plain value."""
_NODE_PORTS = {"nodePort": 31970, "pingPort": 31971, "redirectPort": 31972}

Object = dict[str, Any]


def objects(name: str, namespace: str) -> list[Object]:
    """Return the objects of `stacks/Pulumi.<name>.yaml`, moved to another namespace.

    The namespace is part of some names and of Traefik's arguments: the program gets it, so
    that nothing has to be rewritten afterwards. So are node ports that no other stack is likely to
    have: a cluster gives each once.
    """
    config = yaml.safe_load((ROOT / f"stacks/Pulumi.{name}.yaml").read_text())["config"]
    platform = {**config["model-deployment:platform"], "namespace": namespace}
    platform["ingressController"] = {**platform["ingressController"], **_NODE_PORTS}
    spec = parse(platform, config["model-deployment:models"], ROOT)
    nothing = ClusterState()
    snapshot = ClusterSnapshot(nothing, AvailabilityGate(None, namespace, nothing), None, namespace)
    recorded = record(lambda: stack.build(spec, ROOT, snapshot))
    return [
        _plain(dict(item.inputs))
        for item in recorded.resources
        if item.token.startswith("kubernetes:")
    ]


def _plain(value: Any) -> Any:
    """Without the marks of secrets, and with the whole numbers that the protocol makes floats."""
    if isinstance(value, dict):
        if _SECRET_MARK in value:
            return _plain(value["value"])
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
