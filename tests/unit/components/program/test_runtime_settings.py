"""Variables, timeouts and annotations of version and platform Pods."""

from __future__ import annotations

from tests.unit.components.program.samples import (
    IRIS,
    Run,
    environment_of,
    pod_of,
)

SLOW = {"source": "models/iris/v2", "threads": 8, "workers": 2, "timeoutSeconds": 90}


def test_version_sets_threads_workers_and_timeout(run: Run) -> None:
    versions = {"v1": {"source": "models/iris/v1"}, "v2": SLOW}
    recorded = run({"iris": {**IRIS, "versions": versions}})
    settings = [
        [environment_of(recorded, version)[f"MODEL_{name}"] for version in ("iris-v1", "iris-v2")]
        for name in ("THREADS", "WORKERS", "TIMEOUT_SECONDS")
    ]
    assert settings == [["1", "8"], ["1", "2"], ["30", "90"]]


def test_pre_stop_delay_and_grace_period_cover_running_calls(run: Run) -> None:
    versions = {"v1": {"source": "models/iris/v1"}, "v2": SLOW}
    recorded = run({"iris": {**IRIS, "versions": versions}})
    for version, call in (("iris-v1", 30), ("iris-v2", 90)):
        pod = pod_of(recorded.inputs_of("Deployment", version))
        sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        # the harness itself ends at most 5 s after its longest call
        assert call + 5 < pod["terminationGracePeriodSeconds"] - sleep <= call + 10


def test_temporary_storage_sets_size_of_tmp_and_limit_of_disk(run: Run) -> None:
    large = {"source": "models/iris/v2", "temporaryStorage": "1536Mi"}
    recorded = run(
        {"iris": {**IRIS, "versions": {"v1": {"source": "models/iris/v1"}, "v2": large}}}
    )
    for version, size, disk in (("iris-v1", "128Mi", "256Mi"), ("iris-v2", "1536Mi", "1664Mi")):
        pod = pod_of(recorded.inputs_of("Deployment", version))
        assert pod["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": size}}]
        assert pod["containers"][0]["resources"]["limits"]["ephemeral-storage"] == disk


def test_traefik_timeout_covers_longest_call(run: Run) -> None:
    def waits(models: dict[str, object]) -> tuple[list[int], int, str]:
        recorded = run(models)
        pod = pod_of(recorded.inputs_of("Deployment", "ingress-controller"))
        arguments_list = pod["containers"][0]["args"]
        arguments = dict(item.split("=", 1) for item in arguments_list if "=" in item)
        seconds = [
            int(arguments[name].removesuffix("s"))
            for name in (
                "--serverstransport.forwardingtimeouts.responseheadertimeout",
                "--entrypoints.web.transport.lifecycle.gracetimeout",
            )
        ]
        copies = recorded.inputs_of("ServersTransport", "ingress-controller.mirror")["spec"]
        return (
            seconds,
            pod["terminationGracePeriodSeconds"],
            copies["forwardingTimeouts"]["responseHeaderTimeout"],
        )

    echo = {**IRIS, "versions": {"v1": {"source": "models/echo/v1"}}, "routes": {}}
    assert waits({"echo": echo}) == ([40, 35], 45, "30s")
    slow = {**echo, "versions": {"v1": SLOW}}
    assert waits({"slow": slow, "echo": echo}) == ([100, 95], 105, "90s")
    quick = {**echo, "versions": {"v1": {**SLOW, "timeoutSeconds": 2}}}
    assert waits({"quick": quick}) == ([12, 7], 17, "2s")


def test_version_pods_have_scrape_annotations(run: Run) -> None:
    deployment = run({"iris": IRIS}).inputs_of("Deployment", "iris-v1")
    assert deployment["spec"]["template"]["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8081",
        "prometheus.io/path": "/metrics",
    }


def test_environment_lists_harness_variables_before_user_variables(run: Run) -> None:
    container = pod_of(run({"iris": IRIS}).inputs_of("Deployment", "iris-v2"))["containers"][0]
    assert [(item["name"], item["value"]) for item in container["env"]] == [
        ("MODEL_NAME", "iris"),
        ("MODEL_VERSION", "v2"),
        ("MODEL_HANDLER", "predict:predict"),
        ("MODEL_BODY_BYTES", "10485760"),
        ("MODEL_IN_FLIGHT", "64"),
        ("MODEL_TIMEOUT_SECONDS", "30"),
        ("MODEL_THREADS", "1"),
        ("MODEL_WORKERS", "1"),
        ("MODEL_TERMINATION_LOG", "/dev/termination-log"),
        ("A", "1"),
        ("B", "$$(A)"),
    ]


def test_termination_message_is_never_read_from_logs(run: Run) -> None:
    container = pod_of(run({"iris": IRIS}).inputs_of("Deployment", "iris-v1"))["containers"][0]
    assert container["terminationMessagePolicy"] == "File"
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert environment["MODEL_TERMINATION_LOG"] == container["terminationMessagePath"]
