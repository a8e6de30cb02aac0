"""Read the section `models` from a separate file, for stacks with hundreds of models.

Pulumi hands the whole configuration to the program in one environment variable, which the kernel
limits to 128 KiB: some 600 models. The stack file then names a file instead.
"""

from collections.abc import Hashable
from pathlib import Path

import yaml

from components.errors import ConfigIssue, StackFileError

YAML_SUFFIXES = (".yaml", ".yml")
_AT = ("models",)


def read(root: Path, name: str) -> object:
    """Return the content of file `name` in the project's folder `root`. Raises StackFileError."""
    path = (root / name).resolve()
    if Path(name).is_absolute() or not path.is_relative_to(root.resolve()):
        raise _wrong(f"{name!r}, outside of the project", "name a file in the project's folder")
    try:
        with path.open(encoding="utf-8") as file:
            data: object = yaml.load(file, _Strict)  # noqa: S506 - a SafeLoader
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _wrong(f"{name!r}, which cannot be read ({reason})", "name a file") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise _wrong(f"{name!r}, which is not valid YAML: {reason}", "fix it") from None
    return data


def _wrong(actual: str, hint: str) -> StackFileError:
    return StackFileError([ConfigIssue(_AT, actual, hint)])


class _Strict(yaml.SafeLoader):
    """Refuses a duplicate key, as Pulumi does in stack files."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        """Return the mapping. Raises yaml.YAMLError."""
        known_keys: set[object] = set()
        for key, _ in node.value:
            if key.value in known_keys:
                message = f"duplicate key {key.value!r}"
                raise yaml.constructor.ConstructorError(None, None, message, key.start_mark)
            known_keys.add(key.value)
        mapping: dict[Hashable, object] = super().construct_mapping(node, deep)
        return mapping
