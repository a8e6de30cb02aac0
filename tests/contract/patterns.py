"""The patterns of the golden cases; see harness/contract/README.md."""

import re


def differences(pattern: object, found: object, where: str = "$") -> list[str]:
    """Return what does not match, each with its place; empty if all does."""
    if isinstance(pattern, dict):
        if not isinstance(found, dict) or pattern.keys() != found.keys():
            return [f"{where}: wanted the keys {sorted(pattern)}, found {found!r}"]
        return [
            d for key in pattern for d in differences(pattern[key], found[key], f"{where}.{key}")
        ]
    if isinstance(pattern, list):
        if not isinstance(found, list) or len(pattern) != len(found):
            return [f"{where}: wanted {len(pattern)} values, found {found!r}"]
        pairs = enumerate(zip(pattern, found, strict=True))
        return [d for i, (one, other) in pairs for d in differences(one, other, f"{where}[{i}]")]
    return [] if _matches(pattern, found) else [f"{where}: wanted {pattern!r}, found {found!r}"]


def _matches(pattern: object, found: object) -> bool:
    match pattern:
        case "<integer>":
            return type(found) is int
        case "<number>":
            return type(found) in (int, float)
        case "<string>":
            return type(found) is str
        case str() if pattern.startswith("~"):
            return isinstance(found, str) and re.fullmatch(pattern[1:], found) is not None
        case bool() | None:
            return found is pattern
        case _:
            return type(found) is not bool and found == pattern
