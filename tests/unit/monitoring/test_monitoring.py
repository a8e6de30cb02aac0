"""Dashboard and alert rules use metrics and labels that exist.

The metrics of watcher and harness come from their code; those of Traefik and RabbitMQ were recorded
from running processes, one line per name (`tests/data/metrics`).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.monitoring import ALERTS, DASHBOARD, EXPRESSIONS, ROOT, TARGETS, parse_expression

RECORDED = sorted((ROOT / "tests/data/metrics").glob("*.prom"))
#: Labels that Prometheus itself adds to what it scrapes.
SCRAPED = {"instance"}

_WATCHER = """
from prometheus_client import generate_latest
from watcher import metrics
metrics.VERSIONS.labels("Failed").set(1)
print(generate_latest().decode())
"""
_HARNESS = """
import sys
sys.path.insert(0, "harness/python")
from types import SimpleNamespace
from model_harness.observability import metrics, worker_stats
cells = [1.0] * worker_stats.COUNTER_CELLS
table = SimpleNamespace(slots=[SimpleNamespace(counters=cells)], in_flight=lambda: 1)
named = SimpleNamespace(name="iris", version="v1")
print(metrics.Exposition(named, table).text().decode())
"""


def exported_metrics() -> Iterator[str]:
    """All that Prometheus would read; from processes of their own, since metrics are global."""
    for program in (_WATCHER, _HARNESS):
        command = [sys.executable, "-c", program]
        yield subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    yield from (path.read_text() for path in RECORDED)


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """The labels of each metric."""
    labels: dict[str, set[str]] = {}
    for text in exported_metrics():
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


def test_expression_parser_returns_metrics_and_labels() -> None:
    text = 'sum by (a, le) (rate(x_total{b=~"1|2", c="$d"}[5m])) / sum(y offset 5m) > 0 and z'
    assert parse_expression(text) == {
        "": {"a", "le"},
        "x_total": {"b", "c"},
        "y": set(),
        "z": set(),
    }


@pytest.mark.parametrize(
    ("title", "expression"), EXPRESSIONS, ids=[pair[0] for pair in EXPRESSIONS]
)
def test_expressions_use_exported_metrics(
    exported: dict[str, set[str]], title: str, expression: str
) -> None:
    required = parse_expression(expression)
    grouped = required.pop("")
    assert required, "no metric in it"
    assert required.keys() <= exported.keys()
    for name, labels in required.items():
        assert labels <= exported[name]
        assert grouped <= exported[name] | SCRAPED


def test_unknown_metric_is_detected(exported: dict[str, set[str]]) -> None:
    assert "watcher_versions" in exported
    assert "watcher_version" not in exported
    assert exported["model_requests_total"] == {"model", "version", "status"}


def test_alerts_cover_every_component() -> None:
    for expressions in ([rule["expr"] for rule in ALERTS], [target["expr"] for target in TARGETS]):
        names = {
            name.partition("_")[0]
            for text in expressions
            for name in parse_expression(text)
            if name
        }
        assert names == {"model", "watcher", "traefik", "rabbitmq"}


def test_alert_has_unique_name_severity_and_description() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        # the summary uses only labels that the expression keeps
        used_labels = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert used_labels <= parse_expression(rule["expr"])[""]


def test_panels_use_selected_data_source_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    occupied: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & occupied
        assert place["x"] + place["w"] <= 24
        occupied |= cells
    assert {target["datasource"]["uid"] for target in TARGETS} == {"${datasource}"}
