"""Parse the sections of a stack file into a StackSpec, or report all issues."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from components.config import error_messages
from components.config.checks import aws, exclusive_keys, references, sources
from components.config.models import StackSpec
from components.errors import ConfigIssue, StackFileError, format_key


def parse(
    platform: object, models: object, root: Path, secret_keys: frozenset[str] | None = None
) -> StackSpec:
    """Validate the two sections of a stack file as parsed from YAML; any type is accepted.

    `root` is the project's folder, which `source` is relative to; `secret_keys` are the names of
    the stack's secrets, if they are known. Raises StackFileError with all mistakes; nothing else,
    for any input.
    """
    data = {"platform": platform, "models": models}
    issues: list[ConfigIssue] = []
    spec: StackSpec | None = None
    try:
        spec = StackSpec.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        issues += error_messages.find_issues(error, data)
    issues += aws.find_issues(platform)
    issues += references.find_issues(models)
    issues += exclusive_keys.find_issues(platform, models, secret_keys)
    issues += sources.find_issues(models, root)
    if issues or spec is None:
        raise StackFileError(in_file_order(issues, data))
    return spec


def in_file_order(issues: Iterable[ConfigIssue], data: object) -> list[ConfigIssue]:
    """Return each issue once, in the order of the lines of the file."""
    once: dict[tuple[tuple[str, ...], str], ConfigIssue] = {}
    for issue in issues:
        once.setdefault((issue.path, issue.actual), issue)
    return sorted(once.values(), key=lambda issue: _position(issue.path, data))


def _position(at: Iterable[str], data: object) -> list[int]:
    position: list[int] = []
    for key in at:
        keys = [format_key(name) for name in data] if isinstance(data, dict) else []
        if key not in keys:
            return [*position, len(keys)]  # missing keys come after existing ones
        position.append(keys.index(key))
        data = data.get(key) if isinstance(data, dict) else None
    return position
