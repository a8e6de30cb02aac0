"""The JSON Schema of a stack file, for completion and checks in editors.

Draft 7, which YAML language servers support best. `python -m components.config` writes it. Totals,
references and folders are checked by `parse` alone.
"""

import json
from pathlib import Path

from components.config.base import Section
from components.config.models import StackSpec
from components.config.version_sections import REQUIRED, VersionSpec

SCHEMA_FILE = Path("stacks/schema.json")

_DEFINITIONS = "definitions"
_SECRET = {
    "type": "object",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
    "description": "A secret: pulumi config set --secret <name>.",
}
_MODELS_FILE = {
    "type": "string",
    "pattern": "[.]ya?ml$",
    "description": "Name of a file of the project that holds this section: for hundreds of models.",
}
_SALT = {"type": "string", "description": "Written by Pulumi."}


def schema() -> dict[str, object]:
    """Return the schema of the whole file, including Pulumi's keys."""
    stack = StackSpec.model_json_schema(ref_template=f"#/{_DEFINITIONS}/{{model}}")
    definitions = stack.pop("$defs")
    for section in _sections(Section):
        if section.__name__ in definitions:
            _refine(definitions[section.__name__], section)
    _close_maps(stack)
    _close_maps(definitions)
    properties = stack["properties"]
    properties["models"] = {"anyOf": [_MODELS_FILE, properties["models"]]}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Stack file of model-deployment",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {
                    f"model-deployment:{name}": value for name, value in properties.items()
                },
                "patternProperties": {
                    "^model-deployment:(?!(platform|models)$)": _SECRET,
                },
                "required": [f"model-deployment:{name}" for name in properties],
            },
            "encryptionsalt": _SALT,
            "encryptedkey": _SALT,
            "secretsprovider": {"type": "string", "description": "What keeps the secrets."},
        },
        "required": ["config"],
        _DEFINITIONS: definitions,
    }


def text() -> str:
    """Return the content of stacks/schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _sections(parent: type[Section]) -> list[type[Section]]:
    return [section for child in parent.__subclasses__() for section in (child, *_sections(child))]


def _refine(definition: dict[str, object], section: type[Section]) -> None:
    """Remove the required keys that a version inherits from its model."""
    if section is VersionSpec and definition.get("required") == list(REQUIRED):
        del definition["required"]


def _close_maps(node: object) -> None:
    """Refuse keys that do not match a map's pattern, and `null` values."""
    if isinstance(node, list):
        for item in node:
            _close_maps(item)
    if not isinstance(node, dict):
        return
    if "patternProperties" in node:
        node["additionalProperties"] = False
    kinds = node.get("anyOf")
    if isinstance(kinds, list) and {"type": "null"} in kinds:
        del node["anyOf"], node["default"]
        node.update(next(kind for kind in kinds if kind != {"type": "null"}))
    if isinstance(node.get("title"), str):
        del node["title"]  # repeats the field's name
    for value in node.values():
        _close_maps(value)
