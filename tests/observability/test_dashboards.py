"""Dashboards and alerts: every query is PromQL, and asks for what a running stack tells."""

import importlib
import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from leadwire import paths
from support.manifests import rendered
from support.seen import metrics_of
from support.stack import Stack

for module in ("gateway.metrics", "leads.main.api", "leads.relay", "leads.worker", "notifier.metrics"):
    importlib.import_module(module)  # it declares what a process tells

FOLDER = paths.CHECKOUT / "deploy/observability"
DASHBOARDS = sorted((FOLDER / "grafana/dashboards").glob("*.json"))
RULES = FOLDER / "rules/leadwire.yml"
JOBS = {
    "leads-api": "api",
    "leads-relay": "relay",
    "leads-worker": "worker",
    "notifier": "notifier",
    "gateway": "gateway",
}
"""Prometheus' job → our process."""
OF_PROMETHEUS = {"up"}
"""Series that Prometheus makes itself."""
UNITS = {"s", "short", "ops", "reqps", "bytes", "percentunit"}
GENERATE = runpy.run_path(str(FOLDER / "grafana/generate.py"))


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def panels(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text())["panels"])


def queries() -> dict[str, str]:
    """Return every expression by where it stands."""
    found = {f"alert {rule['alert']}": rule["expr"] for rule in rules()}
    for path in DASHBOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                found[f"{path.stem}: {panel['title']} {target['refId']}"] = target["expr"]
    return found


def selectors(expression: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield the metrics of an expression, each with its matchers."""
    tree = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    pending = [tree]
    while pending:
        node = pending.pop()
        match node:
            case promql_parser.VectorSelector():
                assert node.name, expression
                yield node.name, list(node.matchers.matchers)
            case promql_parser.MatrixSelector():
                pending.append(node.vector_selector)
            case promql_parser.Call():
                pending.extend(node.args)
            case promql_parser.AggregateExpr():
                pending.append(node.expr)
            case promql_parser.BinaryExpr():
                pending.extend((node.lhs, node.rhs))
            case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
                pending.append(node.expr)
            case _:
                assert isinstance(node, promql_parser.NumberLiteral | promql_parser.StringLiteral), node


def told(stack: Stack) -> dict[str, set[str]]:
    """Return process → series, of everything that `/metrics` tells, also of what has not happened yet."""
    found: dict[str, set[str]] = {}
    for process, text in metrics_of(stack).items():
        series = found[process] = set()
        for family in text_string_to_metric_families(text):
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
            series.update(family.name + suffix for suffix in suffixes)
    return found


def labels_of(series: str) -> set[str]:
    """Return the labels that a series has."""
    collector = REGISTRY._names_to_collectors.get(family(series))
    own = set() if collector is None else set(getattr(collector, "_labelnames", ()))
    return {"job", "instance"} | own | ({"le"} if series.endswith("_bucket") else set())


def test_there_is_a_dashboard_for_every_part() -> None:
    assert [path.stem for path in DASHBOARDS] == ["database", "feed", "gateway", "notifier", "overview"]


def test_the_files_are_what_the_generator_writes() -> None:
    for path in DASHBOARDS:
        assert path.read_text() == GENERATE["text"](path.stem), f"run {FOLDER / 'grafana/generate.py'}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_one_that_grafana_reads(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    taken = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        assert panel["type"] in {"timeseries", "stat"}
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            labels = re.findall(r"{{(\w+)}}", target["legendFormat"])
            grouped = re.search(r"by \(([^)]*)\)", target["expr"])
            if grouped:
                assert set(labels) <= set(grouped[1].split(", ")), target
    assert dashboard["uid"] == f"leadwire-{path.stem}"
    assert dashboard["templating"]["list"][0]["name"] == "datasource"
    assert [panel["id"] for panel in dashboard["panels"]] == list(range(1, len(dashboard["panels"]) + 1))


@pytest.mark.system
def test_every_query_asks_for_what_a_running_stack_tells(watched: Stack) -> None:
    processes = told(watched)
    everything = set().union(OF_PROMETHEUS, *processes.values())
    for where, expression in queries().items():
        names = {name for name, _ in selectors(expression)}
        grouped = {label for found in re.findall(r"by \(([^)]*)\)", expression) for label in found.split(", ")}
        assert grouped <= set().union(*map(labels_of, names)), where
        for name, matchers in selectors(expression):
            assert name in everything, f"{where}: nobody tells {name}"
            for matcher in matchers:
                assert matcher.name in labels_of(name), f"{where}: {name} has no label {matcher.name}"
                if matcher.name == "job" and matcher.value in JOBS and name not in OF_PROMETHEUS:
                    assert name in processes[JOBS[matcher.value]], f"{where}: {matcher.value} does not tell {name}"


@pytest.mark.system
def test_everything_that_is_told_is_on_a_dashboard(watched: Stack) -> None:
    shown = {family(name) for expression in queries().values() for name, _ in selectors(expression)}
    ours = {
        family(name)
        for series in told(watched).values()
        for name in series
        if not name.startswith(("process_", "python_"))
    }

    assert ours - shown == set()


def test_a_misspelt_metric_or_label_is_noticed() -> None:
    ((name, (matcher,)),) = selectors('sum by (job) (rate(gateway_pushes_totl{jbo="gateway"}[$__rate_interval])) > 2')

    assert (name, matcher.name, matcher.value) == ("gateway_pushes_totl", "jbo", "gateway")
    assert matcher.name not in labels_of("gateway_pushes_total")


def family(series: str) -> str:
    return re.sub(r"_(bucket|count|sum)$", "", series)


def test_every_alert_says_what_to_do() -> None:
    page = (paths.CHECKOUT / "docs/operations.md").read_text()
    anchors = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}
    alerts = [rule["alert"] for rule in rules()]

    assert len(set(alerts)) == len(alerts)
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "runbook_url"}
        path, _, fragment = rule["annotations"]["runbook_url"].partition("#")
        assert path == "docs/operations.md"
        assert fragment == anchor(rule["alert"])
        assert fragment in anchors, fragment
    assert set(re.findall(r"^### (Leadwire\w+)$", page, re.MULTILINE)) == set(alerts)


def anchor(heading: str) -> str:
    """Return the fragment that leads to a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_kubernetes_has_the_same_rules() -> None:
    (resource,) = rendered("prod", "PrometheusRule")

    assert resource["spec"] == yaml.safe_load(RULES.read_text())
