"""Each wrong stack file by its mistakes, no more and no fewer; each right one by its values."""

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from components.live.effects import warnings
from components.live.wanted import wanted
from components.spec import (
    AutoscalingSpec,
    GitSource,
    LimitsSpec,
    MirrorSpec,
    StackFileError,
    StackSpec,
    git_folders,
    parse,
)

ROOT = Path(__file__).parents[4]
DATA = ROOT / "tests" / "data" / "stacks"
INVALID = sorted((DATA / "invalid").glob("*.yaml"))
VALID = sorted((DATA / "valid").glob("*.yaml"))


def parse_file(path: Path, project: Path) -> StackSpec:
    config = yaml.safe_load(path.read_text())["config"]
    platform, models = (config.get(f"model-deployment:{name}") for name in ("platform", "models"))
    secrets = {
        name for name, value in config.items() if isinstance(value, dict) and "secure" in value
    }
    names = frozenset(name.removeprefix("model-deployment:") for name in secrets)
    return parse(platform, models, project, names)


def expected(path: Path) -> list[str]:
    """The messages at the head of a file: path, what was found, what to write."""
    lines = path.read_text().splitlines()
    assert lines[0] == "# expect:"
    found = itertools.takewhile(lambda line: line.startswith("#   "), lines[1:])
    return [line.removeprefix("#   ") for line in found]


PLATFORM = {"namespace": "models", "registry": "localhost:5000/models", "hostname": "localhost"}


def given(**parts: dict[str, object]) -> dict[str, dict[str, object]]:
    version = {"source": "models/iris/v1", **parts.get("version", {})}
    iris = {"language": "python", "handler": "predict:predict", "versions": {"v1": version}}
    return {"iris": iris}


def test_there_are_enough_wrong_files() -> None:
    assert sum(all(line.startswith("models.") for line in expected(path)) for path in INVALID) > 250


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_a_wrong_file_is_refused_for_each_of_its_mistakes(path: Path, project: Path) -> None:
    with pytest.raises(StackFileError) as caught:
        parse_file(path, project)
    lines = expected(path)
    # where Python's own words differ between its versions, the line ends in dots
    cut = len(lines[0]) - 3 if lines[0].endswith(" ...") else None
    assert [str(mistake)[:cut] for mistake in caught.value.mistakes] == [
        line[:cut] for line in lines
    ]


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_right_file_is_taken(path: Path, project: Path) -> None:
    assert parse_file(path, project).models


def test_the_local_stack_fits_the_sample_models() -> None:
    spec = parse_file(ROOT / "stacks" / "Pulumi.local.yaml", ROOT)
    assert spec.models["iris"].routes["prod"].weights == {"v1": 90, "v2": 10}
    assert {version.language for version in spec.models["mpg"].versions.values()} == {"r"}
    # people's first preview says nothing that they would have to mend
    assert list(warnings({name: wanted(model) for name, model in spec.models.items()})) == []


def test_values_arrive_with_their_defaults_and_in_canonical_form(project: Path) -> None:
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
    served = [
        (version.threads, version.workers, version.timeout_seconds)
        for version in (iris.versions["v1"], iris.versions["v2"])
    ]
    assert served == [(256, 64, 3600), (1, 1, 30)]
    prod, beta = iris.routes["prod"], iris.routes["beta"]
    assert prod.weights == {"v1": 90, "v2": 10, "v10": 0}
    assert (prod.sticky, prod.failover) == (True, "v1")
    assert prod.mirror == MirrorSpec(version="v10", percent=5)
    assert (beta.sticky, beta.failover, beta.mirror) == (False, None, None)


def test_a_version_comes_from_a_folder_from_git_or_from_an_image(project: Path) -> None:
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


def test_without_the_stack_s_secrets_any_name_of_one_will_do(project: Path) -> None:
    models = given(version={"secrets": {"API_KEY": "irisApiKey"}})
    assert parse(PLATFORM, models, project).models
    assert parse(PLATFORM, models, project, frozenset({"irisApiKey"})).models
    with pytest.raises(StackFileError, match="'irisApiKey', which is no secret of this stack"):
        parse(PLATFORM, models, project, frozenset())


def test_without_a_word_there_are_three_brokers_two_watchers_and_an_open_status(
    project: Path,
) -> None:
    platform = parse_file(DATA / "valid" / "smallest.yaml", project).platform
    assert platform.message_broker.replicas == 3
    assert platform.deployment_watcher.replicas == 2
    assert platform.deployment_watcher.token is None


def test_the_token_of_the_status_is_a_secret_of_the_stack(project: Path) -> None:
    platform = {**PLATFORM, "deploymentWatcher": {"token": "statusToken"}}
    assert parse(platform, given(), project).platform.deployment_watcher.token == "statusToken"
    assert parse(platform, given(), project, frozenset({"statusToken"})).models
    with pytest.raises(StackFileError, match="'statusToken', which is no secret of this stack"):
        parse(platform, given(), project, frozenset())


def test_tokens_are_secrets_of_the_stack(project: Path) -> None:
    models = {"iris": {**given()["iris"], "tokens": ["irisTokenA"]}}
    assert parse(PLATFORM, models, project).models["iris"].tokens == ["irisTokenA"]
    with pytest.raises(StackFileError, match="'irisTokenA', which is no secret of this stack"):
        parse(PLATFORM, models, project, frozenset({"irisTokenB"}))


def test_a_folder_in_git_is_asked_for_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def listening(function: Callable[..., object]) -> Callable[..., object]:
        return lambda *arguments: (asked.append(arguments[1:]), function(*arguments))[1]

    for name in ("resolve", "check_out"):
        monkeypatch.setattr(git_folders, name, listening(getattr(git_folders, name)))
    source = {"path": "models/tagged", "ref": "iris-1.0"}
    versions = {f"v{number}": {"source": source} for number in range(1, 30)}
    parse(PLATFORM, {"iris": {**given()["iris"], "versions": versions}}, project)
    assert len(asked) == 2


def test_git_is_not_asked_for_folders(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refused)
    assert parse(PLATFORM, given(), project).models


def test_a_checked_file_is_not_changed_afterwards(project: Path) -> None:
    spec = parse_file(DATA / "valid" / "smallest.yaml", project)
    with pytest.raises(ValidationError, match="frozen"):
        spec.platform.namespace = "other"


def test_language_and_handler_come_down_from_the_model(project: Path) -> None:
    versions = parse_file(DATA / "valid" / "everything.yaml", project).models["iris"].versions
    assert (versions["v1"].language, versions["v1"].handler) == ("python", "predict:predict")
    assert (versions["v10"].language, versions["v10"].handler) == ("python", "serving.api:predict")


def test_a_model_has_versions_in_both_languages(project: Path) -> None:
    cars = parse_file(DATA / "valid" / "everything.yaml", project).models["cars"]
    told = {name: (version.language, version.handler) for name, version in cars.versions.items()}
    assert told == {
        "v1": ("r", "predict:predict"),
        "v2": ("r", "predict:.hidden"),
        "v3": ("r", "my-file.v2:predict_all.rows"),
        "v4": ("python", "predict:predict"),
    }
    assert cars.tokens == []


def test_the_message_counts_and_lists_the_mistakes_line_by_line(project: Path) -> None:
    with pytest.raises(StackFileError) as caught:
        parse_file(DATA / "invalid" / "weights_below_total.yaml", project)
    assert str(caught.value) == (
        "The stack file has 1 mistake; nothing was changed.\n"
        "  models.iris.routes.prod.weights: found a total of 90; "
        "write whole numbers that add up to 100"
    )
    with pytest.raises(StackFileError) as caught:
        parse_file(DATA / "invalid" / "many_at_once.yaml", project)
    lines = str(caught.value).splitlines()
    assert lines[0] == "The stack file has 13 mistakes; nothing was changed."
    assert len(lines) == 14
