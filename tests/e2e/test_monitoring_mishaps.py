"""What can go wrong between two monitorings: nothing of it ends without a word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rai_kedro.files import locked
from rai_kedro.monitoring import MonthRecord

pytestmark = pytest.mark.e2e

MONITOR = ("run", "--pipelines", "monitoring")


@pytest.mark.parametrize(
    "command",
    [
        MONITOR,
        pytest.param(("run", "--pipelines", "simulation"), marks=pytest.mark.slow),
        pytest.param(("rai", "reset", "--yes"), marks=pytest.mark.slow),
    ],
)
def test_one_at_a_time_and_who_is_at_work_is_named(
    approved: Any, command: tuple[str, ...], copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(approved)
    before = project.digests()
    with locked(project.predictions.with_name(".lock")):
        error = assert_one_screen(project.kedro(*command))

    assert "Another command is at work" in error
    assert "held by process" in error
    assert project.digests() == before
    # The run that was refused has left no open run in MLflow.
    assert project.query("SELECT count(*) FROM runs WHERE status = 'RUNNING'") == [(0,)]


def rewrite(project: Any, month: str, change: Callable[[pd.DataFrame], pd.DataFrame], store: str = "features") -> None:
    """Write one month of a store anew, as an export that was corrected would."""
    file = getattr(project, store) / f"month={month}" / "part-0.parquet"
    change(pd.read_parquet(file, partitioning=None)).to_parquet(file, index=False)


def timeline_of(project: Any) -> dict[str, Any]:
    timeline: dict[str, Any] = json.loads((project.reports / "monitoring.json").read_text())
    return timeline


def scored_months(project: Any) -> list[str]:
    return sorted(folder.name.removeprefix("month=") for folder in project.predictions.glob("month=*"))


def carbon_logged(project: Any) -> list[tuple[Any, ...]]:
    """Return the steps at which the newest run logged emissions."""
    return project.query(
        "SELECT step FROM metrics WHERE key = 'monitoring.carbon.per_thousand_g' AND run_uuid = "
        "(SELECT run_uuid FROM runs ORDER BY start_time DESC LIMIT 1) ORDER BY step"
    )


def test_training_months_are_marked(monitored: Any) -> None:
    marked = {month["month"]: month["used_in_training"] for month in timeline_of(monitored)["months"]}
    assert [month for month, used in marked.items() if used] == ["2024-01"]
    assert "2024-01  version 1  insufficient evidence; used in training" in monitored.succeed("rai", "status").output
    assert "used in training" in (monitored.reports / "monitoring.html").read_text()


@pytest.mark.slow
def test_a_month_whose_past_changed_is_stale_until_it_is_scored_again(
    monitored: Any, copy_of: Callable[[Any], Any]
) -> None:
    project = copy_of(monitored)
    results = project.digests(project.predictions, project.drift)
    # The same rows in another order, and columns in another order, are the same month.
    rewrite(project, "2024-02", lambda frame: frame.sample(frac=1, random_state=1)[frame.columns[::-1]])
    rewrite(project, "2024-03", lambda frame: frame.assign(RM=frame["RM"] + 3))
    rewrite(project, "2024-04", lambda frame: frame.assign(MEDV=frame["MEDV"] + 1), store="labels")
    shutil.rmtree(project.features / "month=2024-06")
    shutil.rmtree(project.labels / "month=2024-06")

    outcome = project.succeed(*MONITOR)

    stale = {month["month"]: month["stale"] for month in timeline_of(project)["months"] if month["stale"]}
    assert stale == {
        "2024-03": "its features changed after it was scored",
        "2024-06": "the feature store no longer has it",
    }
    labels = {month["month"]: month["labels"] for month in timeline_of(project)["months"]}
    assert labels == {**dict.fromkeys(labels, "unchanged"), "2024-06": "gone since"}
    assert "2024-03 is stale: its features changed" in outcome.output
    assert "stale       2024-03, 2024-06" in outcome.output
    assert "STALE: its features changed after it was scored" in project.succeed("rai", "status").output
    assert project.digests(project.predictions, project.drift) == results
    assert carbon_logged(project) == [], "nothing was scored, so nothing was emitted by scoring"

    again = project.succeed("rai", "rescore", "--month", "2024-03", "--reason", "corrected export")

    assert "2024-03 is scored again; recorded" in again.output
    months = {month["month"]: month for month in timeline_of(project)["months"]}
    assert (months["2024-03"]["stale"], MonthRecord.from_dict(months["2024-03"]).drifted_columns[0]) == ("", "RM")
    assert carbon_logged(project) == [(3,)]
    entries = [json.loads(line) for line in project.evidence.read_text().splitlines()]
    (body,) = (entry["body"] for entry in entries if entry["kind"] == "rescore")
    assert (body["month"], body["reason"], bool(body["by"])) == ("2024-03", "corrected export", True)
    verified = project.succeed("rai", "verify").output
    assert "the chain is whole" in verified
    assert "Note: 2024-06 is stale" in verified and "2024-03 is stale" not in verified


def test_a_month_that_was_never_scored_is_not_scored_again(
    approved: Any, assert_one_screen: Callable[[Any], str]
) -> None:
    error = assert_one_screen(approved.kedro("rai", "rescore", "--month", "2031-01"))
    assert "was not scored, so it cannot be scored again" in error


@pytest.mark.slow
def test_one_bad_month_does_not_end_the_others(
    approved: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(approved)
    good = {month: (project.features / f"month={month}" / "part-0.parquet").read_bytes() for month in ("2024-02",)}
    rewrite(project, "2024-02", lambda frame: frame.assign(NOX=frame["NOX"] + 100))
    rewrite(project, "2024-04", lambda frame: frame.head(5))
    shutil.rmtree(project.labels / "month=2024-04")

    error = assert_one_screen(project.kedro(*MONITOR))

    assert "2024-02 not scored; everything else is done" in error
    assert "506 rows" in error
    assert scored_months(project) == ["2024-01", "2024-03", "2024-04", "2024-05", "2024-06"]
    timeline = timeline_of(project)
    assert [month["month"] for month in timeline["months"] if month["drift"]] == scored_months(project)
    assert [(gap["month"], gap["missing"]) for gap in timeline["gaps"]] == [("2024-02", "not scored")]
    few = "2024-04  version 1  insufficient evidence: 5 rows, at least 30 are needed"
    assert few in project.succeed("rai", "status").output
    # What is broken in between leaves the gate's answer open.
    assert project.kedro("rai", "gate", "--stage", "monitoring").code in (1, 2)
    carbon = json.loads((project.reports / "inference_carbon.json").read_text())
    assert sorted(carbon) == [f"month={month}/model_version=1" for month in scored_months(project)]

    (project.features / "month=2024-02" / "part-0.parquet").write_bytes(good["2024-02"])
    # A month of few rows is no reason to fail in every later run.
    project.succeed(*MONITOR)
    assert [month["month"] for month in timeline_of(project)["months"]][1] == "2024-02"


@pytest.mark.slow
def test_a_lost_workspace_is_made_again_from_the_results(monitored: Any, copy_of: Callable[[Any], Any]) -> None:
    project = copy_of(monitored)
    workspace = project.data / "08_reporting" / "evidently"
    before = project.digests(project.predictions, project.drift)
    shutil.rmtree(workspace)
    (project.reports / "drift" / "2024-03_version_1.html").unlink()
    # Not even the data are needed for it.
    shutil.rmtree(project.features / "month=2024-05")
    shutil.rmtree(project.labels / "month=2024-05")

    project.succeed(*MONITOR)

    assert len(list(workspace.glob("*/snapshots/*.json"))) == 6
    assert (project.reports / "drift" / "2024-03_version_1.html").is_file()
    assert project.digests(project.predictions, project.drift) == before


def stores_of(project: Any) -> tuple[Path, ...]:
    return project.predictions, project.drift, project.outcomes


@pytest.mark.slow
def test_a_range_of_months_by_parameter(approved: Any, copy_of: Callable[[Any], Any]) -> None:
    project = copy_of(approved)
    project.succeed(*MONITOR, "--params", "housing.monitoring.months=2024-01:2024-02")
    assert scored_months(project) == ["2024-01", "2024-02"]


@pytest.mark.slow
def test_several_monitorings_at_once_end_like_one(approved: Any, monitored: Any, copy_of: Callable[[Any], Any]) -> None:
    import os
    import subprocess
    import sys

    project = copy_of(approved)
    environment = {**os.environ, "KEDRO_ENV": "test", "KEDRO_DISABLE_TELEMETRY": "true"}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "kedro", *MONITOR],
            cwd=project.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in running]

    assert any(process.returncode == 0 for process in running), outputs
    for process, output in zip(running, outputs, strict=True):
        assert process.returncode == 0 or "Another command is at work" in output, output
    assert project.digests(*stores_of(project)) == monitored.digests(*stores_of(monitored))
    assert len(json.loads((project.reports / "inference_carbon.json").read_text())) == 6
