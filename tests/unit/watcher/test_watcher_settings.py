"""Settings, and the command that prints events in a terminal."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from watcher import events, tail_events
from watcher.errors import StartupError
from watcher.resources import VersionKey
from watcher.settings import Settings
from watcher.transitions import State, VersionStatus

POD = {
    "WATCHER_NAMESPACE": "models",
    "WATCHER_BROKER_HOST": "message-broker",
    "WATCHER_BROKER_USER": "watcher",
    "WATCHER_BROKER_PASSWORD": "s3cret",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}


def test_settings_in_pod_need_only_namespace_and_broker() -> None:
    settings = Settings.from_environment(POD)
    assert settings.api.url == "https://10.96.0.1:443"
    assert str(settings.api.token_file) == "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert (settings.port, settings.health_port) == (8080, 8081)
    assert (settings.broker.port, settings.broker.exchange) == (5672, "model-events")


def test_settings_repr_has_no_secrets() -> None:
    settings = Settings.from_environment({**POD, "WATCHER_STATUS_TOKEN": "t0ken"})
    assert "s3cret" not in repr(settings)
    assert "t0ken" not in repr(settings)


def test_api_server_url_has_brackets_around_ipv6_address() -> None:
    settings = Settings.from_environment({**POD, "KUBERNETES_SERVICE_HOST": "fd00::1"})
    assert settings.api.url == "https://[fd00::1]:443"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WATCHER_NAMESPACE", "Models!", "'Models!'"),
        ("WATCHER_PORT", "0", "'0'"),
        ("WATCHER_PORT", "70000", "'70000'"),
        ("WATCHER_BROKER_PORT", "x", "'x'"),
        ("WATCHER_BROKER_PASSWORD", "", "not set"),
        ("WATCHER_STATUS_TOKEN", "", "is empty"),
        ("WATCHER_STATUS_TOKEN", "\n", "is empty"),
        ("KUBERNETES_SERVICE_HOST", "", "outside a Pod"),
    ],
)
def test_settings_refuse_wrong_variable(name: str, value: str, expected: str) -> None:
    with pytest.raises(StartupError, match=expected):
        Settings.from_environment({**POD, name: value})


def test_settings_refuse_missing_file(tmp_path: Path) -> None:
    outside = {"WATCHER_API_SERVER": "https://c", "WATCHER_API_CA_FILE": str(tmp_path / "none")}
    with pytest.raises(StartupError, match="WATCHER_API_CA_FILE"):
        Settings.from_environment({**POD, **outside})


def test_format_event_returns_one_line() -> None:
    status = VersionStatus(
        "uid-1", State.FAILED, "CrashLoopBackOff", "exit code 3;\nlast words", desired=2
    )
    event = events.build_event(
        "models", VersionKey("iris", "v1"), status, State.AVAILABLE, 4, "a time"
    )
    assert tail_events.format_event(event.body.decode()) == (
        "a time  iris/v1                  Available -> Failed  0/2"
        "  CrashLoopBackOff: exit code 3; last words"
    )


def test_parse_server_sent_events_yields_ids_and_data() -> None:
    async def lines() -> AsyncIterator[bytes]:
        for line in b"retry: 1\nid: 3.1\n\n: still here\n\nid: 4.2\nevent: x\ndata: {}\n\n".split(
            b"\n"
        ):
            yield line + b"\n"

    async def scenario() -> list[tuple[str, str]]:
        return [event async for event in tail_events.parse_server_sent_events(lines())]

    assert asyncio.run(scenario()) == [("3.1", ""), ("4.2", "{}")]
