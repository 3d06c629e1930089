"""The hospital through the real commands: simulated visits, a mitigated candidate, its review, and its months."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rai_kedro.mitigation import METHODS, Comparison
from rai_kedro.monitoring import MonthRecord
from rai_kedro.release import Envelope, Review

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NAME = "hospital"
REVIEW = ("--use-case", NAME, "--version", "1", "--reviewer", "R. Viewer", "--statement", "figures and card read")
REASON = "simulated visits; no patient is decided about"
RECIPE_FIGURES = (
    "figures/05_performance.json",
    "figures/07_roc_by_group.json",
    "figures/06_performance_and_fairness.json",
    "figures/08_predicted_shares.json",
    "figures/09_predicted_numbers.json",
)


@pytest.fixture(scope="module")
def admitted(fresh: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Visits simulated, a candidate registered, nobody's approval."""
    project = fresh.copy_to(tmp_path_factory.mktemp(NAME) / "project")
    project.succeed("run", "--pipelines", NAME)
    return project


@pytest.fixture(scope="module")
def compared(admitted: Any) -> Comparison:
    return Comparison.from_dict(read(admitted, "mitigation_comparison.json"))


def test_a_replay_gives_the_same_card(admitted: Any) -> None:
    project = admitted
    options = ("--use-case", NAME, "--format", "pack", "--output", "hospital.zip")
    project.succeed("rai", "export", *options)
    outcome = project.kedro("rai", "replay", "hospital.zip", "--use-case", NAME)
    assert outcome.code == 0, outcome.output
    assert "Difference: 0." in outcome.output
    (project.root / "hospital.zip").unlink()


def read(project: Any, name: str) -> Any:
    return json.loads((reports(project) / name).read_text(encoding="utf-8"))


def reports(project: Any) -> Path:
    folder: Path = project.data / "08_reporting" / NAME
    return folder


def artifacts(project: Any) -> Path:
    [(run_id,)] = project.query(f"SELECT run_id FROM model_versions WHERE name = '{NAME}'")  # noqa: S608
    [(uri,)] = project.query(f"SELECT artifact_uri FROM runs WHERE run_uuid = '{run_id}'")  # noqa: S608
    return Path(uri)


def test_before_and_after_stand_in_files_and_in_mlflow(admitted: Any) -> None:
    logged = artifacts(admitted)

    for name in ("mitigation.html", "mitigation_comparison.json", "fairness_assessment.json", "fairness_gate.json"):
        assert (logged / "reports" / name).read_bytes() == (reports(admitted) / name).read_bytes(), name
    for name in (*RECIPE_FIGURES, "figures/04_trade_off.json", "figures/03_groups.json"):
        drawn = json.loads((logged / name).read_text(encoding="utf-8"))
        assert drawn == read(admitted, name)
        assert drawn["data"], name
    page = (reports(admitted) / "mitigation.html").read_text(encoding="utf-8")
    assert "before" in page and "true need" in page


def test_every_stage_of_the_recipe_is_compared_and_what_race_forbids_is_refused(compared: Comparison) -> None:
    status = {model.name: model.status for model in compared.models}

    assert status == {
        "unmitigated": "fitted",
        "reweighing": "fitted",
        "disparate_impact_removal": "refused",
        "exponentiated_gradient": "fitted",
        "threshold_optimisation": "refused",
        "post_processed": "fitted",
    }
    for model in compared.models:
        assert model.needs_sensitive == (model.name in {*_refused(compared), "post_processed"}), model.name
        assert model.status == "fitted" or "use: mitigation" in model.reason
    assert not compared.models[-1].may_be_used


def _refused(compared: Comparison) -> set[str]:
    return {model.name for model in compared.models if model.status == "refused"}


def test_the_true_need_is_held_against_every_model_as_simulated(admitted: Any, compared: Comparison) -> None:
    months = ("2024-01", "2024-02")
    need = pd.concat([load(admitted, "true_need", month) for month in months])
    visits = pd.concat([load(admitted, "feature_store", month) for month in months])
    rows = need.merge(visits[["month", "visit", "race"]], on=["month", "visit"])
    share = rows.groupby("race")["needs_admission"].mean()

    for model in (one for one in compared.models if one.status == "fitted"):
        assert model.need_assessment is not None
        for outcome in model.outcomes:
            assert outcome.needed is not None
            # The test rows are a random 30 % of these visits: five standard errors.
            expected, error = share[outcome.group], (share[outcome.group] / outcome.rows) ** 0.5
            assert abs(outcome.needed / outcome.rows - expected) < 5 * error, outcome
    black = next(one for one in compared.models[0].outcomes if one.group == "Black")
    assert black.observed < (black.needed or 0), "a quarter of those in need are recorded as not admitted"


def load(project: Any, store: str, month: str) -> pd.DataFrame:
    return pd.read_parquet(project.data / "03_primary" / NAME / store / f"month={month}" / "part-0.parquet").assign(
        month=month
    )


def test_the_registered_model_is_the_chosen_one(admitted: Any, compared: Comparison) -> None:
    [(tag,)] = admitted.query("SELECT value FROM model_version_tags WHERE key = 'rai.mitigation'")
    [(folder,)] = admitted.query("SELECT storage_location FROM model_versions")
    with zipfile.ZipFile(Path(folder) / "model.skops") as stored:
        schema = json.loads(stored.read("schema.json"))
    assessed = read(admitted, "fairness_assessment.json")
    [race] = [table for table in assessed["tables"] if table["column"] == "race"]
    shares = {one["group"]: one["value"] for one in race["figures"] if one["rate"] == "selection rate"}

    assert tag == compared.chosen
    assert METHODS[compared.chosen].builder.endswith(f":{schema['__class__']}")
    assert shares == pytest.approx({one.group: one.share for one in compared.chosen_model.outcomes})


def test_the_card_says_why_these_metrics_and_this_model(admitted: Any, compared: Comparison) -> None:
    card = read(admitted, "model_card_v1.json")["card"]

    assert card["questionnaire"]["metrics"] == ["statistical_parity"]
    assert card["questionnaire"]["findings"] == []
    assert (card["mitigation"]["chosen"], card["mitigation"]["reason"]) == (compared.chosen, compared.reason)


def test_a_gate_that_does_not_pass_needs_a_reason_and_then_the_months_are_watched(
    admitted: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(admitted)

    assert read(project, "fairness_gate.json")["exit_code"] > 0
    assert project.kedro("rai", "gate", "--use-case", NAME).code in (1, 2)
    assert "--accept-risk" in assert_one_screen(project.kedro("rai", "approve", *REVIEW))
    project.succeed("rai", "approve", *REVIEW, "--accept-risk", REASON)
    project.succeed("run", "--pipelines", f"{NAME}.monitoring")

    [approval] = [entry for entry in evidence(project) if entry["kind"] == "approve"]
    assert Review.of_envelope(Envelope.from_dict(approval["body"]["envelope"])).accepted_risk == REASON
    timeline = {
        month["month"]: set(MonthRecord.from_dict(month).drifted_columns)
        for month in read(project, "monitoring.json")["months"]
    }
    assert timeline["2024-01"] == timeline["2024-02"] == set()
    assert {"respiratory_rate", "temperature"} <= timeline["2024-03"]
    store = project.data / "07_model_output" / NAME / "prediction_store"
    predictions = pd.concat(pd.read_parquet(path) for path in store.rglob("*.parquet"))
    assert len(predictions) == 3600
    assert predictions["score"].between(0, 1).all() and set(predictions["prediction"]) == {0, 1}


def evidence(project: Any) -> list[dict[str, Any]]:
    record = project.data / "08_reporting" / "evidence" / f"{NAME}.jsonl"
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
