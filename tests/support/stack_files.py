"""Stack files as tests use them: whole files, and tables of files with mistakes.

A table in `tests/data/stacks/invalid` changes one valid file in many ways:

    base: two_versions.yaml        # in tests/data/stacks/valid
    cases:
      weight_text:                 # the name of the test case, unique in all tables
        remove: [models.iris.routes.prod.sticky]        # optional
        set: {models.iris.routes.prod.weights.v1: "90"} # optional
        secrets: [irisApiKey]      # optional: secret configuration keys that the file declares
        schema: accepts            # only where the JSON Schema cannot find the issue
        expect: "models.iris.routes.prod.weights.v1: ..."  # every message, one or a list

A path joins keys and list indexes with dots and starts at `platform` or `models`; maps on the way
are created. To set a key that contains a dot or is not a string, set the map that contains it.
An expected message that ends in ` ...` is a prefix, where Python's own words differ by release.
"""

import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import yaml

from components.config import StackSpec, parse

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "stacks"
VALID_FILES = sorted((DATA / "valid").glob("*.yaml"))
PREFIX = "model-deployment:"
SECRET = {"secure": "v1:abc"}
Node: TypeAlias = "dict[str, Node] | list[Node]"


@dataclass(frozen=True)
class InvalidStack:
    """A stack file with issues, and what the program and the JSON Schema say about it."""

    name: str
    content: dict[str, dict[str, object]]
    messages: list[str]
    schema_accepts: bool


def read(path: Path) -> dict[str, dict[str, object]]:
    content: dict[str, dict[str, object]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def parse_content(content: dict[str, dict[str, object]], project: Path) -> StackSpec:
    """Parse a stack file as the program does, which reads the sections from Pulumi."""
    config = content["config"]
    secrets = frozenset(
        key.removeprefix(PREFIX)
        for key, value in config.items()
        if isinstance(value, dict) and "secure" in value
    )
    platform, models = (config.get(PREFIX + section) for section in ("platform", "models"))
    return parse(platform, models, project, secrets)


def parse_file(path: Path, project: Path) -> StackSpec:
    return parse_content(read(path), project)


@cache
def invalid_stacks() -> list[InvalidStack]:
    """Return the cases of all tables."""
    return [
        stack for table in sorted((DATA / "invalid").glob("*.yaml")) for stack in _read_table(table)
    ]


def _read_table(path: Path) -> list[InvalidStack]:
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    base = read(DATA / "valid" / table["base"])
    return [_invalid_stack(name, case, base) for name, case in table["cases"].items()]


def _invalid_stack(
    name: str, case: dict[str, object], base: dict[str, dict[str, object]]
) -> InvalidStack:
    unknown = case.keys() - {"remove", "set", "secrets", "schema", "expect"}
    assert not unknown, f"{name}: unknown keys {unknown}"
    content = copy.deepcopy(base)
    config = content["config"]
    for path in case.get("remove", []):
        parent, key = _parent(config, path)
        del parent[key]
    for path, value in case.get("set", {}).items():
        parent, key = _parent(config, path)
        parent[key] = copy.deepcopy(value)
    config.update({PREFIX + secret: SECRET for secret in case.get("secrets", [])})
    expect = case["expect"]
    return InvalidStack(
        name,
        content,
        messages=[expect] if isinstance(expect, str) else expect,
        schema_accepts=case.get("schema") == "accepts",
    )


def _parent(config: Node, path: str) -> tuple[Node, str | int]:
    """Return the map or list that holds the last key of a path, and this key."""
    *parents, last = (PREFIX + path).split(".")
    node = config
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
    return node, int(last) if isinstance(node, list) else last
