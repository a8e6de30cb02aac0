"""Versions from Git and by digest, secrets, autoscaling and retirement on the running stack."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support import local_stack
from tests.support.local_stack import Object, environment, kubectl, run
from tests.support.project_copy import MODELS, ProjectCopy
from tests.support.time_limits import at_most
from tests.support.traffic import Stream, call

SECRET = "correct horse battery staple"
TELLER = "import os\n\n\ndef predict():\n    return os.environ['PASSWORD'][::-1]\n"
BURNER = """\
import time


def predict(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""
SMALL = {"cpu": "50m", "memory": "128Mi"}
SCALED_SECONDS = 240.0


def _git(copy: ProjectCopy, *arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    return run("git", *who, *arguments, cwd=copy.folder).succeeded().text.strip()


class Replicas:
    """Records every change of a Deployment's `spec.replicas`."""

    def __init__(self, name: str) -> None:
        self.seen: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=[name], daemon=True)

    def __enter__(self) -> Replicas:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self, name: str) -> None:
        while not self._stop.is_set():
            self.seen.append(_replicas(name))
            time.sleep(0.1)


def _replicas(name: str) -> int:
    return int(kubectl("get", "deployment", name, "-o", "jsonpath={.spec.replicas}"))


@pytest.fixture(scope="module")
def published(project_copy: ProjectCopy) -> Iterator[Object]:
    """Deploy four more versions of echo; yield their stack file."""
    project_copy.source("models/echo/teller", {"predict.py": TELLER})
    project_copy.source("models/echo/burner", {"predict.py": BURNER})
    _git(project_copy, "init", "--quiet")
    _git(project_copy, "add", "models")
    _git(project_copy, "commit", "--quiet", "-m", "models")
    _git(project_copy, "tag", "echo-1")
    content = project_copy.read()
    versions = content["config"][MODELS]["echo"]["versions"]
    image = local_stack.images()["echo-v1"]
    versions["v3"] = {"source": {"path": "models/echo/v1", "ref": "echo-1"}, "resources": SMALL}
    versions["v4"] = {"image": image, "resources": SMALL}
    versions["v5"] = {
        "source": "models/echo/teller",
        "secrets": {"PASSWORD": "password"},
        "resources": SMALL,
    }
    versions["v6"] = {"source": "models/echo/burner", "replicas": 2, "resources": SMALL}
    project_copy.write(content)
    project_copy.pulumi("config", "set", "--secret", "password", SECRET).succeeded()
    content["config"] = _with_secret(project_copy, content["config"])
    project_copy.up().succeeded()
    yield content
    project_copy.give_back()


def _with_secret(copy: ProjectCopy, config: Object) -> Object:
    """Return the configuration with the keys that `pulumi config set` added."""
    return {**copy.read_back()["config"], MODELS: config[MODELS]}


def test_version_from_tag_answers_and_records_commit(
    published: Object, project_copy: ProjectCopy
) -> None:
    assert call("echo", "versions/v3", {"value": 5}).json()["result"] == 5
    [deployment] = local_stack.objects("deployments", "app.kubernetes.io/version=v3,"
                                  "app.kubernetes.io/name=echo")  # fmt: skip
    annotations = deployment["metadata"]["annotations"]
    assert annotations["model-deployment.io/git-commit"] == _git(project_copy, "rev-parse", "HEAD")


def test_moved_tag_is_refused_at_preview(published: Object, project_copy: ProjectCopy) -> None:
    before = local_stack.declared()
    source = project_copy.folder / "models/echo/v1/predict.py"
    published_text = source.read_text()
    source.write_text("def predict(value):\n    return 0\n")
    _git(project_copy, "commit", "--quiet", "-am", "other content")
    _git(project_copy, "tag", "--force", "echo-1")
    source.write_text(published_text)  # v1 comes from the folder and must not change
    text = project_copy.pulumi("preview").failed().text
    _git(project_copy, "tag", "--force", "echo-1", "HEAD~1")
    assert "models.echo.versions.v3" in text
    assert "echo-1" in text
    assert local_stack.declared() == before
    project_copy.pulumi("preview", "--expect-no-changes").succeeded()


def test_version_from_digest_answers(published: Object) -> None:
    assert call("echo", "versions/v4", {"value": 7}).json()["result"] == 7


def test_secret_reaches_function_only(published: Object) -> None:
    assert call("echo", "versions/v5", {}).json()["result"] == SECRET[::-1]
    manifests = kubectl("get", "deployment,configmap,replicaset,pod", "-o", "yaml")
    hidden = base64.b64encode(SECRET.encode()).decode()
    for output in (manifests, local_stack.pulumi("stack", "output", "--json").text):
        assert SECRET not in output
        assert hidden not in output


def test_autoscaler_transfer_keeps_replicas(
    published: Object, project_copy: ProjectCopy, report: list[str]
) -> None:
    version = published["config"][MODELS]["echo"]["versions"]["v6"]
    del version["replicas"]
    version["autoscaling"] = {"min": 2, "max": 4, "cpu": 60}
    with Replicas("echo-v6") as replicas:
        project_copy.write(published)
        project_copy.up().succeeded()
        began = time.monotonic()
        with Load(began + SCALED_SECONDS) as stop:
            _until(lambda: _replicas("echo-v6") >= 3, "three replicas under load")
            grown = time.monotonic() - began
            stop.set()
        _until(lambda: _replicas("echo-v6") == 2, "two replicas at rest")
        report.append(f"2 to 3 replicas in {grown:.0f} s of load, back in "
                      f"{time.monotonic() - began - grown:.0f} s")  # fmt: skip
        del version["autoscaling"]
        version["replicas"] = 3
        project_copy.write(published)
        project_copy.up().succeeded()
    assert min(replicas.seen) == 2
    assert _replicas("echo-v6") == 3


class Load:
    """Keeps both Pods busy until `stop` is called, or until `end`."""

    def __init__(self, end: float) -> None:
        self._end = end
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._burn, daemon=True) for _ in range(4)]

    def __enter__(self) -> threading.Event:
        for thread in self._threads:
            thread.start()
        return self._stop

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _burn(self) -> None:
        while not self._stop.is_set() and time.monotonic() < self._end:
            assert call("echo", "versions/v6", {"seconds": 0.05}).status_code == 200
            time.sleep(0.1)


def _until(done: Callable[[], bool], description: str) -> None:
    end = time.monotonic() + at_most(SCALED_SECONDS)
    while not done():
        assert time.monotonic() < end, f"no {description} within {SCALED_SECONDS:g} s"
        time.sleep(1)


def test_route_does_not_move_to_version_that_became_unavailable(
    published: Object, project_copy: ProjectCopy
) -> None:
    [node] = run("kubectl", "get", "nodes", "-o", "name", env=environment()).text.split()
    selector = "app.kubernetes.io/name=echo,app.kubernetes.io/version=v4"
    run("kubectl", "cordon", node, env=environment()).succeeded()
    try:
        kubectl("delete", "pod", "--selector", selector, "--wait=false")
        _until(lambda: "503" in str(call("echo", "versions/v4", {"value": 1})), "outage of v4")
        route = published["config"][MODELS]["echo"]["routes"]["prod"]
        route["weights"] = {"v1": 50, "v4": 50}
        project_copy.write(published)
        before = local_stack.routes()
        text = project_copy.up().failed().text
        assert "route echo/prod was not changed: version v4 is not Available" in text
        assert local_stack.routes() == before
    finally:
        run("kubectl", "uncordon", node, env=environment()).succeeded()
    local_stack.settle()
    project_copy.up().succeeded()
    assert local_stack.routes() != before


def test_versions_are_retired_without_failed_request(
    published: Object, project_copy: ProjectCopy, report: list[str]
) -> None:
    with Stream("echo", "prod", per_second=20, seconds=25, data={"value": 1}) as stream:
        time.sleep(1)
        retired = project_copy.give_back()
    assert retired is not None
    assert stream.failures() == []
    report.append(f"{len(stream.sent)} requests meanwhile, none failed ({retired.seconds:.1f} s)")
    assert call("echo", "versions/v3", {"value": 1}).status_code == 404
