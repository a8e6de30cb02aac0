"""Dashboard and alert rules, and the metrics that they query."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
ALERTS = [
    rule
    for group in yaml.safe_load((ROOT / "monitoring/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((ROOT / "monitoring/dashboard.json").read_text())
_PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [target for panel in _PANELS for target in panel["targets"]]
EXPRESSIONS = [
    *((rule["alert"], rule["expr"]) for rule in ALERTS),
    *((panel["title"], target["expr"]) for panel in _PANELS for target in panel["targets"]),
]
"""Each expression with the name of its panel or alert."""


def parse_expression(expression: str) -> dict[str, set[str]]:
    """Return the metrics of an expression, with their selected labels.

    Labels of groupings are under the empty name, since they belong to all metrics.
    """
    selectors = re.sub(r"\[[^]]*\]|\boffset \w+", "", expression)
    groups = re.findall(r"\b(?:by|on) \(([^)]*)\)", selectors)
    selectors = re.sub(r"\b(?:by|on) \([^)]*\)", "", selectors)
    metrics: dict[str, set[str]] = {"": {label for text in groups for label in text.split(", ")}}
    selector = r"([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})?(?!\s*\()"
    for match in re.finditer(rf"(?<![\w$\"]){selector}(?![\w(])", selectors):
        name, labels = match[1], match[2] or ""
        if name not in {"and", "or", "unless"}:
            metrics.setdefault(name, set()).update(re.findall(r"(\w+)(?:=~|!=|=)", labels))
    return metrics
