"""The schema in the repository is the models' own, and editors find with it what they can find."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from components.spec import schema

ROOT = Path(__file__).parents[4]
INVALID = sorted((ROOT / "tests/data/stacks/invalid").glob("*.yaml"))
VALID = [
    *sorted((ROOT / "tests/data/stacks/valid").glob("*.yaml")),
    *sorted((ROOT / "stacks").glob("Pulumi.*.yaml")),
]
# What no schema can know: sums, references between sections, and the disk.
BEYOND_A_SCHEMA = (
    *("collision_", "weights_below", "weights_above", "weights_empty", "weight_of_", "source_"),
    *("handler_", "language_missing", "registry_digest", "registry_tag", "hostname_", "cpu_zero"),
    *("memory_without_unit", "ingress_image_", "environment_value_nul", "replicas_float"),
    *("weight_float", "cpu_half", "environment_date", "mirror_of_", "failover_", "ingress_gpu"),
    *("secrets_and", "secrets_unknown", "secrets_nothing", "autoscaling_max_below", "git_path_"),
    *("git_handler", "git_ref_branch", "git_ref_head", "git_ref_unknown", "git_wrong", "git_with_"),
    *("git_empty_folder", "git_syntax", "git_ref_range", "git_ref_slash", "node_selector_prefix"),
    *("node_selector_name_number", "tokens_misspelled", "tokens_nothing_like_it", "tokens_with_"),
    *("r_", "python_handler_of_r", "broker_image_", "broker_memory_", "broker_gpu", "watcher_gpu"),
    *("watcher_token_unknown", "across_"),
)


def validator() -> jsonschema.Draft7Validator:
    content = json.loads((ROOT / schema.SCHEMA_FILE).read_text())
    jsonschema.Draft7Validator.check_schema(content)
    return jsonschema.Draft7Validator(content)


def in_json(path: Path) -> object:
    return json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))


def test_the_schema_is_not_stale() -> None:
    written = (ROOT / schema.SCHEMA_FILE).read_text(encoding="utf-8")
    assert written == schema.text(), "run: python -m components.spec"


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_right_file_fits_the_schema(path: Path) -> None:
    assert [error.message for error in validator().iter_errors(in_json(path))] == []


def test_the_local_stack_is_among_them() -> None:
    assert "Pulumi.local.yaml" in {path.name for path in VALID}


@pytest.mark.parametrize(
    "path",
    [path for path in INVALID if not path.stem.startswith(BEYOND_A_SCHEMA)],
    ids=lambda path: path.stem,
)
def test_a_wrong_file_does_not_fit_the_schema(path: Path) -> None:
    assert not validator().is_valid(in_json(path))


def test_most_wrong_files_are_found_by_the_schema() -> None:
    found = [path for path in INVALID if not validator().is_valid(in_json(path))]
    assert len(found) > 0.7 * len(INVALID)


def test_every_key_has_a_description() -> None:
    for name, definition in json.loads(schema.text())["definitions"].items():
        for key, value in definition["properties"].items():
            assert value.get("description"), f"{name}.{key}"
