"""Settings, and the command that follows the events in a terminal."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from watcher import events, follow
from watcher.errors import StartupError
from watcher.objects import Key
from watcher.settings import Settings
from watcher.transitions import Standing, State

POD = {
    "WATCHER_NAMESPACE": "models",
    "WATCHER_BROKER_HOST": "message-broker",
    "WATCHER_BROKER_USER": "watcher",
    "WATCHER_BROKER_PASSWORD": "s3cret",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}


def test_a_pod_needs_no_more_than_namespace_and_broker() -> None:
    settings = Settings.from_environment(POD)
    assert settings.api.url == "https://10.96.0.1:443"
    assert str(settings.api.token_file) == "/var/run/secrets/kubernetes.io/serviceaccount/token"
    assert (settings.port, settings.health_port) == (8080, 8081)
    assert (settings.broker.port, settings.broker.exchange) == (5672, "model-events")


def test_no_secret_shows_in_the_settings() -> None:
    settings = Settings.from_environment({**POD, "WATCHER_STATUS_TOKEN": "t0ken"})
    assert "s3cret" not in repr(settings)
    assert "t0ken" not in repr(settings)


def test_an_address_of_version_6_is_bracketed() -> None:
    settings = Settings.from_environment({**POD, "KUBERNETES_SERVICE_HOST": "fd00::1"})
    assert settings.api.url == "https://[fd00::1]:443"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("WATCHER_NAMESPACE", "Models!", "'Models!'"),
        ("WATCHER_PORT", "0", "'0'"),
        ("WATCHER_PORT", "70000", "'70000'"),
        ("WATCHER_BROKER_PORT", "x", "'x'"),
        ("WATCHER_BROKER_PASSWORD", "", "not set"),
        ("KUBERNETES_SERVICE_HOST", "", "not in a Pod"),
    ],
)
def test_a_mistake_is_told_with_its_variable(name: str, value: str, found: str) -> None:
    with pytest.raises(StartupError, match=found):
        Settings.from_environment({**POD, name: value})


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    outside = {"WATCHER_API_SERVER": "https://c", "WATCHER_API_CA_FILE": str(tmp_path / "none")}
    with pytest.raises(StartupError, match="WATCHER_API_CA_FILE"):
        Settings.from_environment({**POD, **outside})


def test_an_event_is_a_line_in_the_terminal() -> None:
    standing = Standing(
        "uid-1", State.FAILED, "CrashLoopBackOff", "exit code 3;\nlast words", desired=2
    )
    event = events.event("models", Key("iris", "v1"), standing, State.AVAILABLE, 4, "a time")
    assert follow.told(event.body.decode()) == (
        "a time  iris/v1                  Available -> Failed  0/2"
        "  CrashLoopBackOff: exit code 3; last words"
    )


def test_the_stream_is_read_with_its_places() -> None:
    async def lines() -> AsyncIterator[bytes]:
        for line in b"retry: 1\nid: 3.1\n\n: still here\n\nid: 4.2\nevent: x\ndata: {}\n\n".split(
            b"\n"
        ):
            yield line + b"\n"

    async def story() -> list[tuple[str, str]]:
        return [found async for found in follow.server_sent(lines())]

    assert asyncio.run(story()) == [("3.1", ""), ("4.2", "{}")]
