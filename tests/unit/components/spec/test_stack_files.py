"""Each wrong stack file by its mistakes, no more and no fewer; each right one by its values."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from components.spec import StackFileError, StackSpec, parse

ROOT = Path(__file__).parents[4]
DATA = ROOT / "tests" / "data" / "stacks"
INVALID = sorted((DATA / "invalid").glob("*.yaml"))
VALID = sorted((DATA / "valid").glob("*.yaml"))


def parse_file(path: Path, project: Path) -> StackSpec:
    config = yaml.safe_load(path.read_text())["config"]
    platform, models = (config.get(f"model-deployment:{name}") for name in ("platform", "models"))
    return parse(platform, models, project)


def expected(path: Path) -> list[tuple[str, str]]:
    """The `#   <path>: <piece of the message>` lines at the head of a file."""
    lines = path.read_text().splitlines()
    assert lines[0] == "# expect:"
    found = []
    for line in lines[1:]:
        if not line.startswith("#   "):
            break
        where, _, piece = line.removeprefix("#   ").partition(": ")
        found.append((where, piece))
    return found


def test_there_are_enough_wrong_files() -> None:
    assert len(INVALID) >= 60


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_a_wrong_file_is_refused_for_each_of_its_mistakes(path: Path, project: Path) -> None:
    with pytest.raises(StackFileError) as caught:
        parse_file(path, project)
    mistakes = caught.value.mistakes
    assert [mistake.path for mistake in mistakes] == [where for where, _ in expected(path)]
    for mistake, (_, piece) in zip(mistakes, expected(path), strict=True):
        assert piece
        assert piece in str(mistake)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_right_file_is_taken(path: Path, project: Path) -> None:
    assert parse_file(path, project).models


def test_the_local_stack_fits_the_sample_models() -> None:
    spec = parse_file(ROOT / "stacks" / "Pulumi.local.yaml", ROOT)
    assert spec.models["iris"].routes["prod"].weights == {"v1": 90, "v2": 10}


def test_values_arrive_with_their_defaults_and_in_canonical_form(project: Path) -> None:
    spec = parse_file(DATA / "valid" / "everything.yaml", project)
    iris = spec.models["iris"]
    assert iris.latest == "v10"
    assert spec.platform.ingress_controller.node_port == 8000
    assert iris.versions["v1"].resources.cpu == "500m"
    assert iris.versions["v1"].resources.memory == "1Gi"
    assert iris.versions["v1"].deadline_seconds == 60
    assert iris.versions["v2"].replicas == 1
    assert iris.versions["v2"].resources.model_dump() == {"cpu": "500m", "memory": "512Mi"}
    assert iris.routes["prod"].weights == {"v1": 90, "v2": 10, "v10": 0}


def test_a_checked_file_is_not_changed_afterwards(project: Path) -> None:
    spec = parse_file(DATA / "valid" / "smallest.yaml", project)
    with pytest.raises(ValidationError, match="frozen"):
        spec.platform.namespace = "other"


def test_language_and_handler_come_down_from_the_model(project: Path) -> None:
    versions = parse_file(DATA / "valid" / "everything.yaml", project).models["iris"].versions
    assert (versions["v1"].language, versions["v1"].handler) == ("python", "predict:predict")
    assert (versions["v10"].language, versions["v10"].handler) == ("python", "serving.api:predict")


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
