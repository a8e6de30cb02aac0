"""From the raw sections to a StackSpec, or to every mistake they hold."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from components.errors import Mistake, StackFileError, key_text
from components.spec import cloud, exclusions, folders, messages, references
from components.spec.sections import StackSpec


def parse(
    platform: object, models: object, root: Path, secret_keys: frozenset[str] | None = None
) -> StackSpec:
    """Checks the two sections of a stack file as YAML gives them, whatever that is.

    `root` is the project's folder, which `source` is relative to; `secret_keys` are the names of
    the stack's secrets, if they are known. Raises StackFileError with all mistakes; nothing else,
    for any input.
    """
    data = {"platform": platform, "models": models}
    found: list[Mistake] = []
    spec: StackSpec | None = None
    try:
        spec = StackSpec.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        found += messages.mistakes(error, data)
    found += cloud.mistakes(platform)
    found += references.mistakes(models)
    found += exclusions.mistakes(platform, models, secret_keys)
    found += folders.mistakes(models, root)
    if found or spec is None:
        raise StackFileError(in_file_order(found, data))
    return spec


def in_file_order(found: Iterable[Mistake], data: object) -> list[Mistake]:
    """Each mistake once, in the order in which one meets the lines when reading the file."""
    once: dict[tuple[tuple[str, ...], str], Mistake] = {}
    for mistake in found:
        once.setdefault((mistake.at, mistake.found), mistake)
    return sorted(once.values(), key=lambda mistake: _position(mistake.at, data))


def _position(at: Iterable[str], data: object) -> list[int]:
    position: list[int] = []
    for key in at:
        keys = [key_text(known) for known in data] if isinstance(data, dict) else []
        if key not in keys:
            return [*position, len(keys)]  # what is missing comes after what is there
        position.append(keys.index(key))
        data = data.get(key) if isinstance(data, dict) else None
    return position
