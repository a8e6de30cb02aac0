"""A version's states as reported by the status API, the stream and RabbitMQ."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from bench.events.outage import outage
from tests.support import broker_access, local_stack, versions
from tests.support.local_stack import ENTRY_POINT_URL, NAMESPACE, ROOT, Object
from tests.support.time_limits import at_most

MODEL, VERSION = "iris", "v99"
ADDRESS = f"{ENTRY_POINT_URL}/status/models/{MODEL}/versions/{VERSION}"
TOLD_SECONDS = 5.0


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for a condition; return the seconds."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < at_most(seconds), f"not so within {seconds:g} s"
        time.sleep(0.1)
    return time.monotonic() - begun


def status() -> Object:
    answer = requests.get(ADDRESS, timeout=5)
    return dict(answer.json()) if answer.status_code == 200 else {}


def in_state(state: str) -> Callable[[], bool]:
    return lambda: status().get("state") == state


class LineReader:
    """Reads lines of an iterator in a background thread."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines: list[str] = []
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def _read(self, lines: Iterator[str]) -> None:
        # requests raises AttributeError for a stream that is closed meanwhile
        with contextlib.suppress(requests.RequestException, ValueError, AttributeError):
            for line in lines:
                self.lines.append(line)

    def events(self) -> list[Object]:
        """Return the server-sent events of this version."""
        data = [json.loads(line[6:]) for line in self.lines if line.startswith("data: ")]
        return [event for event in data if event["subject"] == f"{MODEL}/{VERSION}"]


@contextlib.contextmanager
def consumer_of_the_documentation(folder: Path) -> Iterator[LineReader]:
    text = (ROOT / "docs" / "events.md").read_text()
    code, _ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    script = folder / "consumer.py"
    script.write_text(code)
    with (
        broker_access.consumer_url() as url,
        subprocess.Popen(
            [sys.executable, "-u", str(script)],
            env={**os.environ, "AMQP_URL": url},
            stdout=subprocess.PIPE,
            text=True,
        ) as consumer,
    ):
        try:
            assert consumer.stdout is not None
            assert consumer.stdout.readline().strip() == "waiting for events"
            yield LineReader(consumer.stdout)
        finally:
            consumer.kill()


def take_away_the_consumers_queue() -> None:
    local_stack.kubectl(
        "exec", "message-broker-0", "--", "rabbitmqctl", "delete_queue", "my-service"
    )


def test_crash_loop_and_recovery_are_reported_by_every_interface(
    tmp_path: Path, report: list[str]
) -> None:
    stream = requests.get(f"{ENTRY_POINT_URL}/status/events", stream=True, timeout=60)
    status_stream = LineReader(stream.iter_lines(decode_unicode=True))
    with (
        consumer_of_the_documentation(tmp_path) as consumer,
        versions.cleaned_up(MODEL, VERSION),
    ):
        versions.put(MODEL, VERSION, versions.CRASHES)
        until(lambda: versions.in_back_off(MODEL, VERSION), 60)
        seconds = until(in_state("Failed"), TOLD_SECONDS)
        report.append(f"Failed on the status {seconds:.1f} s after the back-off was seen")
        version_status = status()
        assert version_status["reason"] == "CrashLoopBackOff"
        assert "exited with code 3" in version_status["message"]
        assert "the weights are of another flower" in version_status["message"]
        models = requests.get(f"{ENTRY_POINT_URL}/status/models", timeout=5).json()["models"]
        assert version_status in [version for model in models for version in model["versions"]]

        until(
            lambda: any(e["data"]["state"] == "Failed" for e in status_stream.events()),
            TOLD_SECONDS,
        )
        until(lambda: len(consumer.lines) > 0, TOLD_SECONDS)

        versions.put(MODEL, VERSION, versions.RUNS)
        until(in_state("Available"), 60)
        versions.put(MODEL, VERSION, versions.CRASHES)
        until(in_state("Failed"), 60)
        versions.put(MODEL, VERSION, versions.RUNS)
        until(in_state("Available"), 60)
        until(lambda: status_stream.events()[-1]["data"]["state"] == "Available", TOLD_SECONDS)
    until(lambda: status_stream.events()[-1]["data"]["state"] == "Deleted", TOLD_SECONDS)
    take_away_the_consumers_queue()
    stream.close()

    data = [event["data"] for event in status_stream.events()]
    first = data[0]["sequence"]  # the leader may have a record of this name from an earlier run
    assert [record["sequence"] for record in data] == list(range(first, first + len(data)))
    assert [record["previous"] for record in data[1:]] == [record["state"] for record in data[:-1]]
    assert [record["state"] for record in data] == [
        *("Progressing", "Failed", "Progressing", "Available"),
        *("Unavailable", "Failed", "Unavailable", "Available"),
        "Deleted",
    ]
    failed = [event for event in status_stream.events() if event["data"]["state"] == "Failed"]
    assert [line.split() for line in consumer.lines] == [
        [event["id"], MODEL, VERSION, "Failed", event["data"]["reason"]] for event in failed
    ]


def test_logs_events_and_responses_contain_no_secret() -> None:
    secrets = [
        value
        for key, value in broker_access.secrets().items()
        if key.endswith(("password", "cookie"))
    ]
    assert len(secrets) >= 4
    pods = local_stack.objects("pods", "app.kubernetes.io/component=watcher")
    texts = [local_stack.kubectl("logs", pod["metadata"]["name"]) for pod in pods]
    texts += [
        requests.get(f"{ENTRY_POINT_URL}{path}", timeout=5).text
        for path in ("/status/", "/status/page.js", "/status/models")
    ]
    texts.append(local_stack.kubectl("get", "leases", "-o", "json"))  # with every stored event
    for text in texts:
        assert not [secret for secret in secrets if secret in text]


def test_wrong_credentials_end_watcher_with_message() -> None:
    (deployment,) = local_stack.objects("deployments", "app.kubernetes.io/component=watcher")
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    container["env"] = [
        {"name": variable["name"], "value": "not-the-password"}
        if "valueFrom" in variable
        else variable
        for variable in container["env"]
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "watcher-with-wrong-credentials"},
        "spec": {**spec, "restartPolicy": "Never", "topologySpreadConstraints": []},
    }
    name = "pod/watcher-with-wrong-credentials"
    local_stack.kubectl_with(json.dumps(pod), "apply", "--filename=-")
    try:
        phase = "jsonpath={.status.phase}=Failed"
        local_stack.kubectl("wait", f"--for={phase}", name, "--timeout=60s")
        pod_state: Object = json.loads(local_stack.kubectl("get", name, "-o", "json"))
        (state,) = (
            container_status["state"]["terminated"]
            for container_status in pod_state["status"]["containerStatuses"]
        )
        assert state["exitCode"] == 1
        last = state["message"].strip().splitlines()[-1]
        assert last.startswith("RabbitMQ at message-broker:5672 refuses user 'watcher'")
        assert "not-the-password" not in state["message"]
    finally:
        local_stack.kubectl("delete", name, "--ignore-not-found", "--wait=false")


@pytest.mark.timeout(at_most(300))
def test_models_answer_without_watcher_and_broker(report: list[str]) -> None:
    with local_stack.exported():
        figure = asyncio.run(outage(0.1, NAMESPACE, ENTRY_POINT_URL))
    report.append(figure.text)
    assert figure.holds, figure.text
