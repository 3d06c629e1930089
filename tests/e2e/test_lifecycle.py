"""The lifecycle through the real commands, in environment ``test``: six months, drift from the fifth."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rai_kedro.monitoring import MonthRecord

pytestmark = pytest.mark.e2e

MONITOR = ("run", "--pipelines", "monitoring")
REVIEW = ("--reviewer", "R. Viewer", "--statement", "figures and card read")
# 167 test rows are too few for the fairness gate of housing.
RISK = ("--accept-risk", "teaching data, nobody is decided about")


def months_by_version(project: Any) -> dict[str, str]:
    """Return the model version under which each month is predicted."""
    files = project.predictions.glob("month=*/model_version=*/part-0.parquet")
    return {
        file.parent.parent.name.removeprefix("month="): file.parent.name.removeprefix("model_version=")
        for file in sorted(files)
    }


def status_of(project: Any) -> dict[str, Any]:
    output = project.succeed("rai", "status", "--json").output
    status: dict[str, Any] = json.loads(output[output.index("{\n") :])
    return status


def train_another(project: Any) -> None:
    """Train version 2 with another split, so that model and reference differ from those of version 1."""
    project.succeed("run", "--pipelines", "training", "--params", "housing.training.random_state=7")


def test_drift_appears_in_may_and_not_before(monitored: Any) -> None:
    timeline = json.loads((monitored.reports / "monitoring.json").read_text())
    truth = json.loads((monitored.features.parent / "drift_ground_truth.json").read_text())

    assert {month["month"]: month["verdict"]["outcome"] for month in timeline["months"]} == {
        "2024-01": "insufficient_evidence",
        "2024-02": "insufficient_evidence",
        "2024-03": "insufficient_evidence",
        "2024-04": "insufficient_evidence",
        "2024-05": "alarm",
        "2024-06": "alarm",
    }
    assert timeline["first_drift"] == timeline["first_alarm"] == "2024-05" == truth["drifted_months"][0]
    for month in timeline["months"]:
        assert set(truth["drifted_columns"][month["month"]]) <= set(MonthRecord.from_dict(month).drifted_columns)
    assert len(truth["drifted_columns"]["2024-05"]) == 4


def test_predictions_carry_month_version_and_run(monitored: Any) -> None:
    [(run_id,)] = monitored.query("SELECT run_id FROM model_versions WHERE version = 1")
    frame = pd.read_parquet(monitored.predictions / "month=2024-05")

    assert months_by_version(monitored) == {f"2024-0{number}": "1" for number in range(1, 7)}
    assert len(frame) == frame["tract"].nunique() == 506
    assert set(frame["run_id"]) == {run_id}
    assert frame["prediction"].notna().all()


def test_reports_name_month_version_and_run(monitored: Any) -> None:
    [(run_id,)] = monitored.query("SELECT run_id FROM model_versions WHERE version = 1")
    snapshots = list((monitored.data / "08_reporting" / "evidently").glob("*/snapshots/*.json"))
    labels = [json.loads(file.read_text())["metadata"] for file in snapshots]

    assert sorted(label["month"] for label in labels) == [f"2024-0{number}" for number in range(1, 7)]
    assert {(label["model_version"], label["run_id"]) for label in labels} == {("1", run_id)}
    pages = sorted(page.name for page in (monitored.reports / "drift").glob("*.html"))
    assert pages == [f"2024-0{number}_version_1.html" for number in range(1, 7)]


def test_monitoring_again_changes_no_store(monitored: Any, copy_of: Callable[[Any], Any]) -> None:
    project = copy_of(monitored)
    timeline = (project.reports / "monitoring.json").read_bytes()
    before = project.digests()

    outcome = project.succeed(*MONITOR)

    assert "none, all are done" in outcome.output
    assert project.digests() == before
    assert (project.reports / "monitoring.json").read_bytes() == timeline


def test_simulating_again_changes_no_store(simulated: Any, copy_of: Callable[[Any], Any]) -> None:
    project = copy_of(simulated)
    before = project.digests()

    project.succeed("run", "--pipelines", "simulation")

    assert project.digests() == before


@pytest.mark.slow
def test_months_keep_the_version_that_scored_them(approved: Any, monitored: Any, copy_of: Callable[[Any], Any]) -> None:
    """One month under version 1, a training in between, approval of version 2, the next month under version 2."""
    project = copy_of(approved)
    project.edit(
        "conf/test/housing/parameters.yml",
        lambda content: content["housing"].update(monitoring={"months": "next"}),
    )
    project.succeed(*MONITOR)
    assert months_by_version(project) == {"2024-01": "1"}

    train_another(project)
    project.succeed(*MONITOR)
    assert months_by_version(project) == {"2024-01": "1", "2024-02": "1"}
    first_two = project.digests(project.predictions, project.drift)
    # The training changed nothing in what production predicts, nor in what it is compared with.
    assert first_two.items() <= monitored.digests(monitored.predictions, monitored.drift).items()

    project.succeed("rai", "approve", "--version", "2", *REVIEW, *RISK)
    project.succeed(*MONITOR)
    assert months_by_version(project) == {"2024-01": "1", "2024-02": "1", "2024-03": "2"}
    now = project.digests(project.predictions, project.drift)
    assert {name: now[name] for name in first_two} == first_two

    project.succeed("rai", "reject", "--version", "2", "--reviewer", "R. Viewer", "--statement", "second thoughts")
    refused = project.kedro(*MONITOR)
    assert refused.code == 1
    assert "No version of housing is in production" in refused.output
    again = project.kedro("rai", "approve", "--version", "2", *REVIEW, *RISK)
    assert again.code == 1
    assert "was rejected and cannot be approved" in again.output
    kinds = [json.loads(line)["kind"] for line in project.evidence.read_text().splitlines()]
    assert [kind for kind in kinds if kind not in ("trained", "month")] == ["approve", "approve", "reject"]
    assert f"{len(kinds)} entries, the chain is whole" in project.succeed("rai", "verify").output


@pytest.mark.slow
def test_closed_gate_says_the_same_on_every_route(
    trained: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(trained)
    assert project.query("SELECT value FROM model_version_tags WHERE key = 'rai.fairness_gate'") == [
        ("insufficient_evidence",)
    ]
    asked = project.kedro("rai", "gate")
    # The first line says that the copy is not the project that MLflow was last used in. One gate fails: the proxies'.
    assert (asked.code, asked.output.splitlines()[2]) == (1, "fail")
    assert re.search(r"fairness +insufficient evidence", asked.output)
    error = assert_one_screen(project.kedro("rai", "approve", "--version", "1", *REVIEW))
    assert "fairness (insufficient evidence), proxies (fail)" in error
    assert '--accept-risk "REASON"' in error

    # One word edited on disk: the command line does not take it for a pass.
    file = project.reports / "fairness_gate.json"
    decision = json.loads(file.read_text())
    file.write_text(json.dumps({**decision, "outcome": "pass", "exit_code": 0}))
    asked = project.kedro("rai", "gate")
    assert (asked.code, asked.output.splitlines()[1]) == (3, "could not be evaluated")
    assert "judged anew its intervals say insufficient evidence" in asked.output


def test_status(monitored: Any) -> None:
    status = status_of(monitored)
    [version] = status["versions"]

    assert status["use_case"] == "housing"
    assert version["aliases"] == ["candidate", "production"]
    assert (version["review"], version["reviewer"]) == ("approved", "R. Viewer")
    assert 0.6 < version["metrics"]["training.test.R2"] < 0.8
    assert status["pending_months"] == []
    outcomes = [month["verdict"]["outcome"] for month in status["monitoring"]]
    assert outcomes == ["insufficient_evidence"] * 4 + ["alarm"] * 2
    words = monitored.succeed("rai", "status").output
    assert "approved by R. Viewer" in words
    accepted = f"fairness gate said: insufficient evidence; risk accepted: {RISK[1]}"
    assert (version["fairness_gate"], version["accepted_risk"]) == ("insufficient_evidence", RISK[1])
    assert accepted in words
    assert accepted in monitored.succeed("rai", "verify").output
    for ending in ("html", "md"):
        assert accepted in (monitored.reports / f"model_card_v1.{ending}").read_text(encoding="utf-8")
    assert re.search(r"2024-05 +version 1 +alarm: MAE; watch: drift in ", words)


def test_status_before_anything_is_trained(fresh: Any, trained: Any) -> None:
    assert status_of(trained)["pending_months"] == [f"2024-0{number}" for number in range(1, 7)]
    assert status_of(trained)["versions"][0]["review"] is None


@pytest.mark.slow
def test_reset_starts_the_months_over(monitored: Any, copy_of: Callable[[Any], Any]) -> None:
    project = copy_of(monitored)
    kept, record = project.digests(project.features, project.labels), project.evidence.read_text()

    project.succeed("rai", "reset", "--yes")

    assert months_by_version(project) == {}
    assert not list((project.data / "08_reporting" / "evidently").glob("*/snapshots/*.json"))
    assert project.digests(project.features, project.labels) == kept
    # What happened is added to, never taken away; that the months were taken back is an entry of its own.
    added = project.evidence.read_text().removeprefix(record)
    assert json.loads(added)["kind"] == "reset"
    status = status_of(project)
    assert len(status["pending_months"]) == 6
    assert status["monitoring"] == []


def test_reset_asks_first(monitored: Any) -> None:
    before = monitored.digests()

    assert monitored.kedro("rai", "reset").code != 0

    assert monitored.digests() == before


def test_one_run_for_each_command_with_tags_that_find_it(monitored: Any) -> None:
    rows = monitored.query(
        "SELECT runs.name, tags.key, tags.value FROM runs JOIN tags ON runs.run_uuid = tags.run_uuid"
    )
    tags: dict[str, dict[str, str]] = {}
    for name, key, value in rows:
        tags.setdefault(name, {})[key] = value

    assert sorted(tags) == ["housing: governance, training", "housing: monitoring", "housing: simulation"]
    assert len(monitored.query("SELECT run_uuid FROM runs")) == 3
    for name, found in tags.items():
        assert found["rai.use_case"] == "housing"
        assert found["rai.environment"] == "test"
        assert found["rai.stages"] == name.removeprefix("housing: ")


def test_version_has_all_that_belongs_to_it(trained: Any) -> None:
    [(run_id, source)] = trained.query("SELECT run_id, storage_location FROM model_versions")
    [(artifacts,)] = trained.query(f"SELECT artifact_uri FROM runs WHERE run_uuid = '{run_id}'")  # noqa: S608
    model, companions = Path(source), Path(artifacts)
    tags = dict(trained.query("SELECT key, value FROM model_version_tags"))
    description = (model / "MLmodel").read_text()

    assert trained.query("SELECT alias, version FROM registered_model_aliases") == [("candidate", 1)]
    assert (model / "model.skops").is_file()
    assert not list(model.glob("*.pkl"))
    assert "serialization_format: skops" in description
    assert "signature:" in description
    assert (model / "input_example.json").is_file()
    assert (model / "requirements.txt").read_text().count("==") >= 4
    contract = json.loads(next(companions.rglob("contract.json")).read_text())
    assert contract["datasets"]["feature_store"]["columns"]["LSTAT"]["use"] == "audit"
    reference = pd.read_parquet(next(companions.rglob("*.parquet")))
    assert len(reference) == 167
    assert {"RM", "B", "LSTAT", "MEDV", "prediction"} <= set(reference)
    assert [row[0] for row in trained.query("SELECT name FROM datasets")] == ["housing-training"]
    assert {"rai.data_fingerprint", "rai.manifest", "rai.use_case", "rai.card"} <= set(tags)
    assert sorted(path.suffix for path in (companions / "model_card").iterdir()) == [".html", ".json", ".md"]
    names = {row[0] for row in trained.query("SELECT DISTINCT key FROM metrics")}
    assert {"training.train.R2", "training.test.MAE", "carbon.training.energy_kwh"} <= names


def test_governed_files_are_written_and_logged(trained: Any) -> None:
    register = json.loads((trained.reports / "risk_register.json").read_text())
    [(artifacts,)] = trained.query("SELECT artifact_uri FROM runs WHERE name = 'housing: governance, training'")
    flagged = {row["name"]: row for row in register if "risky" in row["flags"]}

    assert set(flagged) == {"B", "LSTAT"}
    assert not any(row["model_uses"] for row in flagged.values())
    logged = {path.name for path in (Path(artifacts) / "governance").iterdir()}
    assert logged == {"risk_register.json", "data_profile.json", "governance.html", "contract.json"}


@pytest.mark.slow
def test_another_use_case_is_a_folder_of_yaml(simulated: Any, copy_of: Callable[[Any], Any]) -> None:
    project = copy_of(simulated)
    for environment in ("base", "test"):
        for file in (project.root / "conf" / environment / "housing").iterdir():
            copy = project.root / "conf" / environment / "boston" / file.name
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(file.read_text().replace("housing", "boston"))

    project.succeed("run", "--pipelines", "boston")

    assert project.query("SELECT name, version FROM model_versions") == [("boston", 1)]
    assert (project.data / "08_reporting" / "boston" / "model_card_v1.html").is_file()


def test_environment_keeps_to_its_own_places(monitored: Any) -> None:
    """What an environment says of paths and servers holds for everything that is written."""
    elsewhere = [
        str(path.relative_to(monitored.root))
        for path in monitored.root.rglob("*")
        if path.is_file()
        and path.relative_to(monitored.root).parts[0] not in ("conf", "mlruns")
        and path.suffix not in (".toml",)
        and not path.is_relative_to(monitored.data)
    ]

    assert sorted(elsewhere) == ["data/01_raw/README.md", "data/01_raw/boston.csv", "data/mlflow_test.db"]
