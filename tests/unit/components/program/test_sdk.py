"""What is changed of Pulumi's SDK: how it waits, and what it tells the engine on the way."""

import asyncio

import pulumi
import pytest
from pulumi.runtime.settings import _get_rpc_manager

from components.pulumi_patches import RegistrationBarrier, disable_debug_logging
from tests.support.recorder import record


class _TestResource(pulumi.CustomResource):
    def __init__(self, name: str, needs: list[pulumi.Resource]) -> None:
        super().__init__("test:index:Thing", name, {}, pulumi.ResourceOptions(depends_on=needs))


def test_sdk_waits_for_all_declared_resources() -> None:
    calls: list[asyncio.Future[object]] = []
    resources: list[pulumi.Resource] = []

    def program() -> None:
        registrations = RegistrationBarrier()
        for name in "abc":
            resources.append(_TestResource(name, resources[-1:]))
        assert not _get_rpc_manager().rpcs  # none of the SDK's own calls has begun
        registrations.install()
        calls.extend(_get_rpc_manager().rpcs)

    recorder = record(program)
    assert [item.name for item in recorder.resources] == ["a", "b", "c"]
    [waited] = calls
    assert waited.done()
    assert waited.exception() is None


def test_failure_is_reported_by_sdk() -> None:
    async def fails() -> str:
        raise RuntimeError("refused by the engine")

    def program() -> None:
        registrations = RegistrationBarrier()
        bad = pulumi.Output.from_input(fails())
        pulumi.CustomResource("test:index:Thing", "bad", {"value": bad})
        _TestResource("good", [])
        registrations.install()

    with pytest.raises(RuntimeError, match="refused by the engine"):
        record(program)


def test_debug_log_lines_are_dropped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pulumi.log, "debug", pulumi.log.debug)
    monkeypatch.setattr("pulumi.runtime.settings.get_engine", lambda: None)
    disable_debug_logging()
    pulumi.log.debug("step")
    pulumi.log.warn("look")
    assert capsys.readouterr().err == "warning: look\n"
