"""The Evidently workspace: read back through Evidently itself, also after kills."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rai_kedro.datasets.evidently_workspace import EvidentlyWorkspaceDataset
from rai_kedro.files import move_into_place, staging_folder
from rai_kedro.monitoring import (
    MonitoringPolicy,
    MonthDrift,
    MonthRecord,
    Timeline,
    detect_drift,
    digest_record,
    find_published,
    judge_month,
    project_id,
    publish_month,
    rebuild_dashboard,
    remove_project,
    save_html,
)
from rai_kedro.monitoring.workspace import _EMBEDDED

COLUMNS = ["CRIM", "LSTAT", "prediction"]
MONTHS = ["2024-04", "2024-05"]


def record_of(drift: MonthDrift, run_id: str = "") -> MonthRecord:
    """Make a record of a month of which nothing but the drift is known."""
    drift = drift.model_copy(update={"run_id": run_id})
    verdict = judge_month(drift, None, MonitoringPolicy())
    return MonthRecord(
        month=drift.month, model_version=drift.model_version, look=1, verdict=verdict, drift=drift, labels="none yet"
    )


@pytest.fixture(scope="module")
def months() -> dict[str, MonthRecord]:
    rng = np.random.default_rng(3)
    reference = pd.DataFrame(rng.normal(size=(167, 3)), columns=COLUMNS)
    measured = {}
    for month, shift in zip(MONTHS, (0.0, 2.0), strict=True):
        current = pd.DataFrame(rng.normal(size=(506, 3)), columns=COLUMNS)
        current["LSTAT"] += shift
        measured[month] = record_of(detect_drift(reference, current, month=month, model_version="1"))
    return measured


def read(workspace: Path, name: str) -> tuple[Any, dict[str, Any]]:
    """Open the workspace as ``evidently ui`` does, which refuses damaged files."""
    from evidently.ui.workspace import Workspace

    opened = Workspace(str(workspace))
    (project,) = opened.search_project(name)
    runs = [opened.get_run(project.id, run) for run in opened.list_runs(project.id)]
    return project, {f"{run.metadata['month']}/{run.metadata['model_version']}": run for run in runs}


def publish(workspace: Path, record: MonthRecord, run_id: str = "abc") -> Any:
    assert record.drift is not None
    return publish_month(workspace, "housing", record_of(record.drift, run_id))


def test_each_month_is_one_run_on_the_first_of_the_month(tmp_path: Path, months: Any) -> None:
    for month in MONTHS:
        publish(tmp_path / "evidently", months[month])
    project, runs = read(tmp_path / "evidently", "housing")
    assert project.id == project_id("housing")
    assert sorted(runs) == ["2024-04/1", "2024-05/1"]
    drifted = runs["2024-05/1"]
    assert drifted.timestamp.isoformat() == "2024-05-01T12:00:00+00:00"
    assert drifted.metadata["run_id"] == "abc"
    assert drifted.metadata["drifted_columns"] == "LSTAT"
    assert drifted.tags == ["month=2024-05", "model_version=1", "run_id=abc", "watch"]


def test_publishing_again_replaces_the_run(tmp_path: Path, months: Any) -> None:
    publish(tmp_path, months["2024-05"], "first")
    publish(tmp_path, months["2024-05"], "second")
    _, runs = read(tmp_path, "housing")
    assert {key: run.metadata["run_id"] for key, run in runs.items()} == {"2024-05/1": "second"}
    assert len(list(tmp_path.glob("*/snapshots/*.json"))) == 1


def test_two_models_have_two_projects(tmp_path: Path, months: Any) -> None:
    publish(tmp_path, months["2024-05"])
    publish_month(tmp_path, "hospital", months["2024-04"])
    assert list(read(tmp_path, "housing")[1]) == ["2024-05/1"]
    assert list(read(tmp_path, "hospital")[1]) == ["2024-04/1"]


def test_the_dashboard_has_every_panel_once_however_often_it_is_rebuilt(tmp_path: Path, months: Any) -> None:
    publish(tmp_path, months["2024-05"])
    for _ in range(3):
        rebuild_dashboard(tmp_path, "housing", list(months.values()))
    dashboard = read(tmp_path, "housing")[0].dashboard.model()
    titles = [panel.title for panel in dashboard.panels]
    assert titles == [
        "2024-05, model version 1: watch: drift in LSTAT",
        "Verdict",
        "Findings",
        "Drift",
        "Number of drifted columns",
        "Which columns drifted",
        "Largest effects",
        *(f"{name}: effect" for name in COLUMNS),
    ]
    assert [tab.title for tab in dashboard.tabs] == ["Verdict", "Drift"], "of the rest nothing is known"
    placed = [panel for tab in dashboard.tabs for panel in tab.panels]
    assert placed == [panel.id for panel in dashboard.panels]
    assert len(set(placed)) == len(placed)


def test_the_panels_find_their_values_in_the_runs(tmp_path: Path, months: Any) -> None:
    """Ask Evidently's own service layer for what each panel would plot."""
    import asyncio

    from evidently.ui.service.base import SeriesFilter
    from evidently.ui.service.storage.local.base import InMemoryDataStorage

    for month in MONTHS:
        publish(tmp_path, months[month])
    rebuild_dashboard(tmp_path, "housing", list(months.values()))
    project, _ = read(tmp_path, "housing")
    storage = InMemoryDataStorage(str(tmp_path))
    plotted = {}
    for panel in (one for one in project.dashboard.model().panels if one.values):
        filters = [
            SeriesFilter(
                tags=value.tags,
                metadata=value.metadata,
                metric=value.metric,
                metric_labels=value.metric_labels,
            )
            for value in panel.values
        ]
        answer = asyncio.run(storage.get_data_series(project.id, filters, None, None))
        assert [source.timestamp.strftime("%Y-%m") for source in answer.sources] == MONTHS
        plotted[panel.title] = [series.values for series in answer.series]
    assert plotted["Number of drifted columns"] == [[0, 1]]
    assert plotted["Which columns drifted"] == [[0, 0], [0, 1], [0, 0]]
    lstat = [months[month].drift.by_column["LSTAT"].value for month in MONTHS]
    assert plotted["LSTAT: effect"] == [[pytest.approx(value) for value in lstat], [0.1, 0.1]]


def test_a_removed_project_is_gone_and_starts_anew(tmp_path: Path, months: Any) -> None:
    publish(tmp_path, months["2024-04"])
    assert remove_project(tmp_path, "housing")
    assert not remove_project(tmp_path, "housing")
    assert list(tmp_path.iterdir()) == []
    publish(tmp_path, months["2024-05"])
    assert list(read(tmp_path, "housing")[1]) == ["2024-05/1"]


@pytest.mark.parametrize("damage", ["absent", "half"])
def test_a_project_left_without_a_readable_description_is_mended(tmp_path: Path, months: Any, damage: str) -> None:
    publish(tmp_path, months["2024-04"])
    description = tmp_path / str(project_id("housing")) / "metadata.json"
    if damage == "absent":
        description.unlink()
    else:
        description.write_text(description.read_text()[:20])
    publish(tmp_path, months["2024-05"])
    assert sorted(read(tmp_path, "housing")[1]) == ["2024-04/1", "2024-05/1"]


def test_a_report_is_one_file_that_loads_nothing_from_elsewhere(tmp_path: Path, months: Any) -> None:
    page = save_html(publish(tmp_path / "evidently", months["2024-05"]), tmp_path / "html" / "2024-05.html")
    assert "p = " in page.read_text(encoding="utf-8")
    assert "<script src=" not in page.read_text(encoding="utf-8")
    assert [path.name for path in page.parent.iterdir()] == ["2024-05.html"]


def test_what_is_published_is_known_without_importing_evidently(tmp_path: Path, months: Any) -> None:
    assert find_published(tmp_path, "housing") == {}
    publish(tmp_path, months["2024-05"], "")
    assert find_published(tmp_path, "housing") == {}, "without a dashboard nothing is to be seen"
    rebuild_dashboard(tmp_path, "housing", list(months.values()))
    assert find_published(tmp_path, "housing") == {("2024-05", "1"): digest_record(months["2024-05"])}


def test_text_of_the_data_cannot_run_in_the_report(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    reference = pd.DataFrame({"side": ["east", "west"] * 40})
    drift = detect_drift(reference, reference.replace("west", evil), month="2024-05", model_version="1")
    page = save_html(publish(tmp_path / "evidently", record_of(drift)), tmp_path / "2024-05.html").read_text(
        encoding="utf-8"
    )
    assert "&lt;/script&gt;" in page
    assert evil not in page


def test_nothing_embedded_ends_the_script_it_stands_in(tmp_path: Path, months: Any) -> None:
    page = save_html(publish(tmp_path / "evidently", months["2024-05"]), tmp_path / "2024-05.html")
    embedded = [line for line in page.read_text(encoding="utf-8").split("\n") if _EMBEDDED.match(line)]
    assert len(embedded) == 2
    assert not any("<" in line for line in embedded)


def test_nothing_is_left_beside_the_workspace(tmp_path: Path, months: Any) -> None:
    publish(tmp_path / "evidently", months["2024-05"])
    rebuild_dashboard(tmp_path / "evidently", "housing", list(months.values()))
    assert [path.name for path in tmp_path.iterdir()] == ["evidently"]


def test_what_a_killed_process_left_in_staging_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".evidently.staging" / "run" / "half.json"
    left.parent.mkdir(parents=True)
    left.write_text("{")
    with staging_folder(tmp_path / "evidently", "run") as staging:
        assert list(staging.iterdir()) == []
    assert not (tmp_path / ".evidently.staging").exists()


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    old, new = tmp_path / "place" / "file", tmp_path / "new"
    old.parent.mkdir()
    old.write_text("old")
    new.write_text("new")
    move_into_place(new, old)
    assert (old.read_text(), new.exists()) == ("new", False)


PUBLISHER = """
import sys
from pathlib import Path
import numpy as np, pandas as pd
from rai_kedro.monitoring import (
    MonitoringPolicy, MonthRecord, detect_drift, judge_month, publish_month, rebuild_dashboard
)

rng = np.random.default_rng(3)
frame = lambda rows: pd.DataFrame(rng.normal(size=(rows, 1)), columns=["RM"])
drift = detect_drift(frame(50), frame(60), month="2024-05", model_version="1")
verdict = judge_month(drift, None, MonitoringPolicy())
record = MonthRecord(month="2024-05", model_version="1", look=1, verdict=verdict, drift=drift, labels="none yet")
publish_month(Path(sys.argv[1]), "housing", record)
print("ready", flush=True)
while True:
    for look in (1, 2):
        publish_month(Path(sys.argv[1]), "housing", record.model_copy(update={"look": look}))
        rebuild_dashboard(Path(sys.argv[1]), "housing", [record])
"""


@pytest.mark.slow
def test_a_workspace_can_be_read_and_used_after_kills(tmp_path: Path, months: Any) -> None:
    workspace = tmp_path / "evidently"
    rng = np.random.default_rng(11)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(workspace)],
            stdout=subprocess.PIPE,
            env=os.environ,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3 + float(rng.uniform(0, 0.4)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        _, runs = read(workspace, "housing")
        assert list(runs) == ["2024-05/1"]
    publish(workspace, months["2024-04"])
    assert sorted(read(workspace, "housing")[1]) == ["2024-04/1", "2024-05/1"]


@pytest.mark.parametrize("damage", [b"", b'{"id": "half', b"\xff\xfe"])
def test_a_damaged_run_is_not_taken_for_a_published_one(tmp_path: Path, months: Any, damage: bytes) -> None:
    for month in MONTHS:
        publish(tmp_path, months[month])
    rebuild_dashboard(tmp_path, "housing", list(months.values()))
    keys = {(month, "1") for month in MONTHS}
    assert set(find_published(tmp_path, "housing")) == keys
    sorted(tmp_path.glob("*/snapshots/*.json"))[0].write_bytes(damage)

    ((left, _),) = find_published(tmp_path, "housing")

    (lost,) = set(MONTHS) - {left}
    publish(tmp_path, months[lost])
    assert set(find_published(tmp_path, "housing")) == keys


def test_every_subject_has_its_panels(tmp_path: Path, housing_timeline: Timeline) -> None:
    for record in housing_timeline.months:
        publish_month(tmp_path, "housing", record)
    rebuild_dashboard(tmp_path, "housing", housing_timeline.months)
    dashboard = read(tmp_path, "housing")[0].dashboard.model()
    panels = {panel.id: panel for panel in dashboard.panels}
    shown = {tab.title: [panels[one].title for one in tab.panels] for tab in dashboard.tabs}
    assert shown["Verdict"] == [
        "2024-08, model version 2: watch: drift in LSTAT, RM",
        "Verdict",
        "Findings",
    ]
    assert shown["Performance"] == ["Performance", "MAE: times the tested one", "MAE", "R2"]
    assert shown["Fairness"] == ["Fairness", "demographic parity (difference) of race"]
    assert shown["Carbon"] == ["Carbon", "g CO2e for 1,000 predictions", "g CO2e of all predictions so far"]
    (judged,) = (panel for panel in dashboard.panels if panel.title == "MAE: times the tested one")
    assert [one.legend for one in judged.values] == ["on labels", "limit", "estimated"]
    assert all(len({one.legend for one in panel.values}) == len(panel.values) <= 6 for panel in dashboard.panels)


def test_a_lost_workspace_is_made_again_to_the_byte(tmp_path: Path, housing_timeline: Timeline) -> None:
    made = []
    for name in ("first", "second"):
        folder = tmp_path / name
        workspace = EvidentlyWorkspaceDataset(
            filepath=str(folder / "evidently"), html_folder=str(folder / "drift"), project="housing"
        )
        workspace.save(housing_timeline.months)
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        made.append({str(file.relative_to(folder)): file.read_bytes() for file in files})
        assert len(workspace.load()) == len(housing_timeline.months)
    assert made[0].keys() == made[1].keys()
    assert [name for name in made[0] if made[0][name] != made[1][name]] == []
    assert max(len(content) for content in made[0].values()) < 5_000_000


def test_only_months_that_say_something_else_are_written_again(tmp_path: Path, housing_timeline: Timeline) -> None:
    workspace = EvidentlyWorkspaceDataset(filepath=str(tmp_path / "e"), html_folder=str(tmp_path / "d"), project="h")
    months = housing_timeline.months
    workspace.save(months)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.json")}
    workspace.save(months)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.json")} == before
    workspace.save([months[0].model_copy(update={"stale": "its labels changed"}), *months[1:]])
    changed = {file.parent.name for file, at in before.items() if file.stat().st_mtime_ns != at}
    assert len([file for file, at in before.items() if file.stat().st_mtime_ns != at]) == 2, changed


def test_a_thousand_columns_make_a_page_that_can_be_sent(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    names = [f"column_{number}" for number in range(1_000)]
    reference, current = (pd.DataFrame(rng.normal(size=(500, 1_000)), columns=names) for _ in range(2))
    current["column_999"] += 3
    record = record_of(detect_drift(reference, current, month="2024-05", model_version="1"))
    page = save_html(publish(tmp_path / "evidently", record), tmp_path / "2024-05.html")
    assert page.stat().st_size < 5_000_000
    text = page.read_text(encoding="utf-8")
    assert "column_999: drift" in text
    assert re.search(r"not shown: \d+ with insufficient evidence, \d+ with no relevant drift", text)
