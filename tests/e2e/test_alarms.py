"""Alarms through the real commands: alerts once, the gate of monitoring, a run that fails on purpose, two versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MONITOR = ("run", "--pipelines", "monitoring")
# Nobody answers there; what cannot be delivered must not end a run.
NOBODY = {"to": "webhook", "url": "http://127.0.0.1:9/hook", "limit_s": 1}


def send_to(project: Any, *receivers: dict[str, Any], **others: Any) -> None:
    alerts = {"receivers": list(receivers), **others}
    project.edit(
        "conf/test/housing/parameters.yml",
        lambda content: content["housing"].update({"monitoring": {"alerts": alerts}}),
    )


def alerts_of(project: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project.root / "out.jsonl").read_text().splitlines()]


def read_json(output: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output[output.index("{\n") : output.rindex("}") + 1])
    return found


def test_an_alarm_is_told_once_and_the_gate_closes(
    approved: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(approved)
    assert project.kedro("rai", "gate", "--stage", "monitoring").code == 3
    send_to(project, {"to": "file", "path": "out.jsonl"}, NOBODY)
    outcome = project.succeed(*MONITOR)
    assert "alerts: 1 delivered, 1 waiting" in outcome.output
    [alert] = alerts_of(project)
    assert (alert["month"], alert["weight"], alert["key"]) == ("2024-05", "alarm", "performance MAE ratio labels")
    assert (project.root / alert["link"]).is_file()

    gate = project.kedro("rai", "gate", "--stage", "monitoring", "--json")
    found = read_json(gate.output)
    assert (gate.code, found["exit_code"], found["outcome"], found["month"]) == (1, 1, "alarm", "2024-06")
    assert found["findings"][0]["text"].startswith("MAE is ")

    error = assert_one_screen(project.kedro(*MONITOR, "--params", "housing.monitoring.fail_on=alarm"))
    assert "2024-06, the newest month: alarm: MAE" in error
    assert len(alerts_of(project)) == 1


def test_an_environment_says_where_alerts_go_and_not_what_raises_them(
    monitored: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(monitored)
    send_to(project, {"to": "log"}, min_weight="watch")
    assert "monitoring.alerts.min_weight" in assert_one_screen(project.kedro(*MONITOR))


def test_two_versions_are_compared_in_shadow(monitored: Any, copy_of: Callable[[Any], Any]) -> None:
    project = copy_of(monitored)
    before = project.digests()
    project.succeed("run", "--pipelines", "training", "--params", "housing.training.random_state=7")
    outcome = project.succeed("rai", "compare", "champion", "challenger", "--months", "2024-01:2024-05", "--json")
    found = read_json(outcome.output)
    assert (found["old"]["version"], found["old"]["review"]) == ("1", "approved")
    assert (found["new"]["version"], found["new"]["review"]) == ("2", "not reviewed")
    assert found["months"] == ["2024-02", "2024-03", "2024-04", "2024-05"]
    assert found["left_out"] == {"2024-01": "versions 1, 2 were trained on it"}
    assert found["rows"] == 4 * 506
    assert all(one["lower"] <= one["value"] <= one["upper"] for one in found["gains"])
    assert found == json.loads((project.reports / "comparison_1_2.json").read_text())
    assert project.digests() == before
    assert "housing: version 2 beside version 1" in (project.reports / "comparison_1_2.html").read_text()
    assert "housing/comparison_1_2.html" in (project.reports.parent / "index.html").read_text()
