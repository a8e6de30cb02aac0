"""Invalid stack files and all their messages; valid ones and their values."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from components.cluster_state.change_summary import single_replica_warnings
from components.cluster_state.desired import desired_model
from components.config import (
    AutoscalingSpec,
    GitSource,
    LimitsSpec,
    MirrorSpec,
    StackFileError,
    parse,
)
from components.config.checks import git_folders
from tests.support.stack_files import (
    DATA,
    ROOT,
    VALID_FILES,
    InvalidStack,
    invalid_stacks,
    parse_content,
    parse_file,
)

INVALID_STACKS = invalid_stacks()

PLATFORM = {"namespace": "models", "registry": "localhost:5000/models", "hostname": "localhost"}


def iris_model(**version: object) -> dict[str, dict[str, object]]:
    """Return the section `models` with one version, which has these keys in addition."""
    versions = {"v1": {"source": "models/iris/v1", **version}}
    return {"iris": {"language": "python", "handler": "predict:predict", "versions": versions}}


def test_invalid_stack_tables_have_all_cases_under_unique_names() -> None:
    # sealed: raise the number with every case that is added
    assert len({stack.name for stack in INVALID_STACKS}) == len(INVALID_STACKS) == 501


@pytest.mark.parametrize("stack", INVALID_STACKS, ids=lambda stack: stack.name)
def test_parse_invalid_stack_reports_every_mistake(stack: InvalidStack, project: Path) -> None:
    with pytest.raises(StackFileError) as caught:
        parse_content(stack.content, project)
    expected = stack.messages
    # the text of a syntax error differs between releases of Python: compare up to the dots
    length = len(expected[0]) - len("...") if expected[0].endswith(" ...") else None
    assert [str(issue)[:length] for issue in caught.value.issues] == [
        message[:length] for message in expected
    ]


@pytest.mark.parametrize("path", VALID_FILES, ids=lambda path: path.stem)
def test_parse_valid_stack_returns_models(path: Path, project: Path) -> None:
    assert parse_file(path, project).models


def test_local_stack_file_matches_sample_models() -> None:
    spec = parse_file(ROOT / "stacks" / "Pulumi.local.yaml", ROOT)
    assert spec.models["iris"].routes["prod"].weights == {"v1": 90, "v2": 10}
    assert {version.language for version in spec.models["mpg"].versions.values()} == {"r"}
    # the versions from before the key keep their content, the latest ones are on the newer Python
    latest = {name: model.versions[model.latest].python for name, model in spec.models.items()}
    assert latest == {"iris": "3.13", "echo": "3.13", "mpg": None}
    assert {spec.models[name].versions["v1"].python for name in ("iris", "echo")} == {None}
    # the first preview of a new user shows no warnings
    models = {name: desired_model(model) for name, model in spec.models.items()}
    assert list(single_replica_warnings(models)) == []


def test_parse_everything_returns_defaults_and_canonical_values(project: Path) -> None:
    spec = parse_file(DATA / "valid" / "everything.yaml", project)
    iris = spec.models["iris"]
    assert iris.latest == "v10"
    assert spec.platform.ingress_controller.node_port == 8000
    broker, watcher = spec.platform.message_broker, spec.platform.deployment_watcher
    assert (broker.replicas, broker.storage, broker.resources.cpu) == (5, "1Gi", "500m")
    assert broker.image == "registry.example.com/rabbitmq:4.2.0-management"
    assert (watcher.replicas, watcher.resources.memory) == (3, "128Mi")
    assert watcher.token == "irisTokenA"
    assert iris.versions["v1"].resources.cpu == "500m"
    assert iris.versions["v1"].resources.memory == "1Gi"
    assert iris.versions["v1"].deadline_seconds == 60
    assert iris.versions["v2"].replicas == 1
    resources = {"cpu": "500m", "memory": "512Mi", "gpu": 0}
    assert iris.versions["v2"].resources.model_dump() == resources
    assert iris.versions["v2"].autoscaling is None
    assert iris.versions["v10"].resources.gpu == 1
    assert iris.versions["v10"].autoscaling == AutoscalingSpec(min=2, max=2, cpu=65)
    assert iris.versions["v10"].secrets == {"API_KEY": "irisTokenA"}
    assert iris.versions["v10"].node_selector == {"kubernetes.io/arch": "amd64", "gpu": ""}
    assert iris.limits == LimitsSpec(body_bytes=1024, in_flight=8)
    assert iris.tokens == ["irisTokenA", "other.token-B"]
    limits = [
        (version.threads, version.workers, version.timeout_seconds)
        for version in (iris.versions["v1"], iris.versions["v2"])
    ]
    assert limits == [(256, 64, 3600), (1, 1, 30)]
    prod, beta = iris.routes["prod"], iris.routes["beta"]
    assert prod.weights == {"v1": 90, "v2": 10, "v10": 0}
    assert (prod.sticky, prod.failover) == (True, "v1")
    assert prod.mirror == MirrorSpec(version="v10", percent=5)
    assert (beta.sticky, beta.failover, beta.mirror) == (False, None, None)


def test_version_source_is_folder_git_or_image(project: Path) -> None:
    model = parse_file(DATA / "valid" / "everything.yaml", project).models["echo"]
    folder, tag, image = (model.versions[name] for name in ("v1", "v2", "v3"))
    assert (folder.source, folder.image, folder.folder) == (
        "models/echo/v1",
        None,
        "models/echo/v1",
    )
    assert tag.source == GitSource(path="models/tagged", ref="iris-1.0")
    assert (tag.image, tag.folder) == (None, "models/tagged")
    assert image.image == f"registry.example.com/echo:1.0@sha256:{'0' * 64}"
    assert (image.source, image.folder) == (None, None)
    assert image.handler == "predict:predict"
    assert model.limits == LimitsSpec(body_bytes=10485760, in_flight=64)


def test_python_of_model_holds_for_versions_with_source_in_python(project: Path) -> None:
    model = parse_file(DATA / "valid" / "everything.yaml", project).models["releases"]
    assert {name: version.python for name, version in model.versions.items()} == {
        "v1": "3.13",
        "v2": "3.11",
        "v3": None,
        "v4": None,
    }
    names = {name: version.runtime.name for name, version in model.versions.items()}
    assert names == {"v1": "python-3.13", "v2": "python", "v3": "python", "v4": "r"}


def test_version_secrets_unknown_secret_is_refused_when_secrets_are_known(project: Path) -> None:
    models = iris_model(secrets={"API_KEY": "irisApiKey"})
    assert parse(PLATFORM, models, project).models
    assert parse(PLATFORM, models, project, frozenset({"irisApiKey"})).models
    with pytest.raises(StackFileError, match="'irisApiKey', which is not a secret of this stack"):
        parse(PLATFORM, models, project, frozenset())


def test_platform_defaults_are_three_brokers_two_watchers_and_no_token(project: Path) -> None:
    platform = parse_file(DATA / "valid" / "smallest.yaml", project).platform
    assert platform.message_broker.replicas == 3
    assert platform.deployment_watcher.replicas == 2
    assert platform.deployment_watcher.token is None


def test_watcher_token_unknown_secret_is_refused(project: Path) -> None:
    platform = {**PLATFORM, "deploymentWatcher": {"token": "statusToken"}}
    assert parse(platform, iris_model(), project).platform.deployment_watcher.token == "statusToken"
    assert parse(platform, iris_model(), project, frozenset({"statusToken"})).models
    with pytest.raises(StackFileError, match="'statusToken', which is not a secret of this stack"):
        parse(platform, iris_model(), project, frozenset())


def test_model_tokens_unknown_secret_is_refused(project: Path) -> None:
    models = {"iris": {**iris_model()["iris"], "tokens": ["irisTokenA"]}}
    assert parse(PLATFORM, models, project).models["iris"].tokens == ["irisTokenA"]
    with pytest.raises(StackFileError, match="'irisTokenA', which is not a secret of this stack"):
        parse(PLATFORM, models, project, frozenset({"irisTokenB"}))


def test_git_source_used_by_many_versions_is_checked_out_once(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    def recording(function: Callable[..., object]) -> Callable[..., object]:
        return lambda *arguments: (calls.append(arguments[1:]), function(*arguments))[1]

    for name in ("resolve", "check_out"):
        monkeypatch.setattr(git_folders, name, recording(getattr(git_folders, name)))
    source = {"path": "models/tagged", "ref": "iris-1.0"}
    versions = {f"v{number}": {"source": source} for number in range(1, 30)}
    parse(PLATFORM, {"iris": {**iris_model()["iris"], "versions": versions}}, project)
    assert len(calls) == 2


def test_folder_source_starts_no_git_process(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", fail)
    assert parse(PLATFORM, iris_model(), project).models


def test_parsed_spec_is_frozen(project: Path) -> None:
    spec = parse_file(DATA / "valid" / "smallest.yaml", project)
    with pytest.raises(ValidationError, match="frozen"):
        spec.platform.namespace = "other"


def test_version_inherits_language_and_handler_of_model(project: Path) -> None:
    versions = parse_file(DATA / "valid" / "everything.yaml", project).models["iris"].versions
    assert (versions["v1"].language, versions["v1"].handler) == ("python", "predict:predict")
    assert (versions["v10"].language, versions["v10"].handler) == ("python", "serving.api:predict")


def test_model_versions_may_differ_in_language(project: Path) -> None:
    cars = parse_file(DATA / "valid" / "everything.yaml", project).models["cars"]
    handlers = {
        name: (version.language, version.handler) for name, version in cars.versions.items()
    }
    assert handlers == {
        "v1": ("r", "predict:predict"),
        "v2": ("r", "predict:.hidden"),
        "v3": ("r", "my-file.v2:predict_all.rows"),
        "v4": ("python", "predict:predict"),
    }
    assert cars.tokens == []


def test_stack_file_error_lists_one_mistake_per_line(project: Path) -> None:
    stacks = {stack.name: stack for stack in INVALID_STACKS}
    with pytest.raises(StackFileError) as caught:
        parse_content(stacks["weights_below_total"].content, project)
    assert str(caught.value).splitlines() == [
        "The stack file has 1 error; nothing was changed.",
        f"  {stacks['weights_below_total'].messages[0]}",
    ]
    with pytest.raises(StackFileError) as caught:
        parse_content(stacks["many_at_once"].content, project)
    lines = str(caught.value).splitlines()
    assert lines[0] == "The stack file has 13 errors; nothing was changed."
    assert len(lines) == 14
