"""What differs between two plain trees, as the engine's detailed diff wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from local.plugins.paths import Path
from local.plugins.values import Json

Kind = Literal["add", "delete", "update"]


@dataclass(frozen=True)
class Change:
    """One place that differs."""

    path: Path
    kind: Kind


def compare(old: Json, new: Json, path: Path = ()) -> list[Change]:
    """Each place where `new` differs from `old`; maps by key, lists by position."""
    if isinstance(old, dict) and isinstance(new, dict):
        changes: list[Change] = []
        for key in [*old, *(key for key in new if key not in old)]:
            changes += _at((*path, key), old.get(key), new.get(key))
        return changes
    if isinstance(old, list) and isinstance(new, list):
        changes = []
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else None
            after = new[index] if index < len(new) else None
            changes += _at((*path, index), before, after)
        return changes
    return [] if same(old, new) else [Change(path, "update")]


def _at(path: Path, old: Json, new: Json) -> list[Change]:
    if old is None and new is None:
        return []
    if old is None:
        return [Change(path, "add")]
    if new is None:
        return [Change(path, "delete")]
    return compare(old, new, path)


def same(old: Json, new: Json) -> bool:
    """Equality that tells `1` from `True`, which Python's does not."""
    return old == new and isinstance(old, bool) == isinstance(new, bool)
