"""The patterns of the golden cases; see harness/contract/README.md."""

import re


def differences(pattern: object, actual: object, path: str = "$") -> list[str]:
    """Return a message with the path of each difference."""
    if isinstance(pattern, dict):
        if not isinstance(actual, dict) or pattern.keys() != actual.keys():
            return [f"{path}: expected the keys {sorted(pattern)}, got {actual!r}"]
        return [
            d for key in pattern for d in differences(pattern[key], actual[key], f"{path}.{key}")
        ]
    if isinstance(pattern, list):
        if not isinstance(actual, list) or len(pattern) != len(actual):
            return [f"{path}: expected {len(pattern)} values, got {actual!r}"]
        pairs = enumerate(zip(pattern, actual, strict=True))
        return [d for i, (item, value) in pairs for d in differences(item, value, f"{path}[{i}]")]
    return [] if _matches(pattern, actual) else [f"{path}: expected {pattern!r}, got {actual!r}"]


def _matches(pattern: object, actual: object) -> bool:
    match pattern:
        case "<integer>":
            return type(actual) is int
        case "<number>":
            return type(actual) in (int, float)
        case "<string>":
            return type(actual) is str
        case str() if pattern.startswith("~"):
            return isinstance(actual, str) and re.fullmatch(pattern[1:], actual) is not None
        case bool() | None:
            return actual is pattern
        case _:
            return type(actual) is not bool and actual == pattern
