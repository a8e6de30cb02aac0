"""The stack's configuration as Pulumi hands it over, junk included."""

import json
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime import config as runtime

from components.config.stack_config import load

PLATFORM = {"namespace": "models", "registry": "localhost:5000/models", "hostname": "localhost"}
MODELS = {
    "iris": {
        "language": "python",
        "handler": "predict:predict",
        "versions": {"v1": {"source": "models/iris/v1"}},
    }
}


@pytest.fixture(autouse=True)
def _own_config(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PULUMI_CONFIG", raising=False)
    yield
    runtime.set_all_config({}, [])


def set_config(values: dict[str, object], secrets: tuple[str, ...] = ()) -> None:
    texts = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()
    }
    runtime.set_all_config(
        {key if ":" in key else f"model-deployment:{key}": text for key, text in texts.items()},
        [f"model-deployment:{name}" for name in secrets],
    )


def refused(project: Path) -> list[str]:
    with pytest.raises(pulumi.RunError) as caught:
        load(project)
    return str(caught.value).splitlines()


def test_load_returns_configuration(project: Path) -> None:
    set_config({"platform": PLATFORM, "models": MODELS, "aws:region": "eu-central-1"})
    spec = load(project)
    assert spec.platform.namespace == "models"
    assert spec.models["iris"].latest == "v1"


def test_load_reports_mistakes_of_all_keys_at_once(project: Path) -> None:
    set_config({"platform": {**PLATFORM, "namespace": "A"}, "modles": MODELS})
    lines = refused(project)
    assert lines[0] == "The stack file has 3 errors; nothing was changed."
    assert lines[1].startswith("  platform.namespace: found 'A'")
    assert lines[2].startswith("  models: found no value; set it, for example models: {iris")
    assert lines[3].startswith(
        "  model-deployment:modles: found an unknown key; did you mean models?"
    )


@pytest.mark.parametrize("text", ["hello", "{", "[" * 100_000, '"x', "5", "null", "NaN", ""])
def test_load_malformed_section_is_refused(project: Path, text: str) -> None:
    set_config({"platform": text, "models": MODELS})
    lines = refused(project)
    assert len(lines) == 2
    assert lines[1].startswith("  platform: found ")
    assert "write a map with the keys namespace, registry, hostname" in lines[1]


def test_load_accepts_secret_keys(project: Path) -> None:
    set_config({"platform": PLATFORM, "models": MODELS, "irisTokenA": "hidden"}, ("irisTokenA",))
    assert load(project).models


def test_load_unknown_plain_key_is_refused(project: Path) -> None:
    set_config({"platform": PLATFORM, "models": MODELS, "irisTokenA": "visible"})
    lines = refused(project)
    assert lines[1].startswith("  model-deployment:irisTokenA: found an unknown key; write one of")
    assert "visible" not in lines[1]


def test_load_nested_secret_is_refused_without_its_value(project: Path) -> None:
    set_config({"platform": {**PLATFORM, "namespace": "S3cret"}, "models": MODELS}, ("platform",))
    lines = refused(project)
    hint = "make it a secret key of its own: pulumi config set --secret <name>"
    assert lines[1:] == [f"  platform: found a secret in it; {hint}"]


def test_load_reads_models_from_separate_file(project: Path) -> None:
    (project / "stacks").mkdir(exist_ok=True)
    (project / "stacks/models.yaml").write_text(json.dumps(MODELS))
    set_config({"platform": PLATFORM, "models": "stacks/models.yaml"})
    assert load(project).models["iris"].latest == "v1"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("stacks/none.yaml", None, "which cannot be read (No such file or directory)"),
        ("../models.yaml", "{}", "outside of the project"),
        ("/etc/models.yaml", None, "outside of the project"),
        ("models.yaml", "{", "which is not valid YAML: "),
        ("models.yaml", "iris: {}\niris: {}\n", "duplicate key 'iris'"),
        ("models.yaml", "\x80", "which is not valid YAML: "),
    ],
)
def test_load_unusable_models_file_is_refused(
    project: Path, name: str, content: str | None, message: str
) -> None:
    if content is not None:
        (project / name).write_bytes(content.encode("latin-1"))
    set_config({"platform": PLATFORM, "models": name})
    [_, line] = refused(project)
    assert line.startswith("  models: found ")
    assert message in line


def test_load_reports_paths_of_mistakes_in_models_file(project: Path) -> None:
    (project / "models.yml").write_text(json.dumps({"iris": {**MODELS["iris"], "handler": "x"}}))
    set_config({"platform": PLATFORM, "models": "models.yml"})
    assert refused(project)[1].startswith("  models.iris.handler: found 'x'")
