"""Warnings where anyone on the Internet can call models or read the status."""

import copy
from pathlib import Path

import yaml

from components.cluster_state.exposure import exposure_warnings
from components.config import parse

ROOT = Path(__file__).parents[4]
SECRETS = frozenset({"irisToken", "statusToken"})


def _warnings(
    scheme: str, clients: list[str], tokens: list[str], status_token: str | None
) -> list[str]:
    config = yaml.safe_load((ROOT / "stacks/Pulumi.prod.yaml").read_text())["config"]
    platform = copy.deepcopy(config["model-deployment:platform"])
    platform["loadBalancer"] |= {"scheme": scheme, "clients": clients}
    platform["loadBalancer"]["record"]["private"] = scheme == "internal"
    if status_token:
        platform["deploymentWatcher"]["token"] = status_token
    models = config["model-deployment:models"]
    for model in models.values():
        if tokens:
            model["tokens"] = tokens
    return list(exposure_warnings(parse(platform, models, ROOT, SECRETS)))


def test_open_models_and_status_are_warned() -> None:
    models, status = _warnings("internet-facing", ["10.0.0.0/8", "0.0.0.0/0"], [], None)
    assert models.startswith("anyone on the Internet can call iris, mpg: add tokens")
    assert status.startswith("anyone on the Internet can read /status")


def test_open_status_alone_is_warned() -> None:
    [status] = _warnings("internet-facing", ["0.0.0.0/0"], ["irisToken"], None)
    assert "platform.deploymentWatcher.token" in status


def test_tokens_ranges_and_internal_balancers_are_silent() -> None:
    assert _warnings("internet-facing", ["0.0.0.0/0"], ["irisToken"], "statusToken") == []
    assert _warnings("internet-facing", ["203.0.113.0/24"], [], None) == []
    assert _warnings("internal", ["0.0.0.0/0"], [], None) == []
