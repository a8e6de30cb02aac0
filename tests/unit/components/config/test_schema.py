"""The committed JSON Schema is generated from the models and finds what a schema can find."""

import json
from pathlib import Path

import jsonschema
import pytest

from components.config import schema
from tests.support.stack_files import ROOT, VALID_FILES, InvalidStack, invalid_stacks, read

INVALID_STACKS = invalid_stacks()
VALID = [*VALID_FILES, *sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft7Validator:
    content = json.loads((ROOT / schema.SCHEMA_FILE).read_text())
    jsonschema.Draft7Validator.check_schema(content)
    return jsonschema.Draft7Validator(content)


def as_json(content: object) -> object:
    return json.loads(json.dumps(content, default=str))


def test_schema_file_matches_models() -> None:
    committed = (ROOT / schema.SCHEMA_FILE).read_text(encoding="utf-8")
    assert committed == schema.text(), "run: make schema"


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_schema_accepts_valid_stack(path: Path, validator: jsonschema.Draft7Validator) -> None:
    assert [error.message for error in validator.iter_errors(as_json(read(path)))] == []


def test_schema_valid_stacks_include_local_stack() -> None:
    assert "Pulumi.local.yaml" in {path.name for path in VALID}


@pytest.mark.parametrize("stack", INVALID_STACKS, ids=lambda stack: stack.name)
def test_schema_refuses_invalid_stack_unless_only_the_program_can(
    stack: InvalidStack, validator: jsonschema.Draft7Validator
) -> None:
    assert validator.is_valid(as_json(stack.content)) == stack.schema_accepts


def test_schema_refuses_most_invalid_stacks() -> None:
    refused = [stack for stack in INVALID_STACKS if not stack.schema_accepts]
    assert len(refused) > 0.7 * len(INVALID_STACKS)


def test_schema_describes_every_key() -> None:
    for name, definition in json.loads(schema.text())["definitions"].items():
        for key, value in definition["properties"].items():
            assert value.get("description"), f"{name}.{key}"
