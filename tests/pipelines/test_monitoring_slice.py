"""Monitoring through its own nodes on months made by hand: what a bad month does, and that nothing is half-written."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from pydantic import ValidationError
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from rai_kedro import frames
from rai_kedro.contract import Contract, check_frame, read_contract
from rai_kedro.datasets import partition_file
from rai_kedro.datasets.engine import Engine, LocalEngine
from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.datasets.record import RecordDataset
from rai_kedro.errors import RaiError
from rai_kedro.monitoring import Baseline, MonitoringPolicy, MonthRecord, Timeline, VersionReference, ask_gate, digests
from rai_kedro.months import month_of_key
from rai_kedro.pipelines.monitoring import blocks, create_pipeline
from rai_kedro.pipelines.monitoring.nodes import report_problems
from rai_kedro.pipelines.monitoring.plan import Problem
from rai_kedro.pipelines.parameters import MonitoringParameters
from rai_kedro.release import MonthEntry, read_evidence

MONTHS = ("2024-01", "2024-02", "2024-03", "2024-04")
BAD = "2024-03"
PARAMETERS = MonitoringParameters(policy=MonitoringPolicy())
_RESULTS = ("prediction_store", "drift_store", "outcome_store")
_CONTRACT = """
toy.feature_store:
  metadata:
    rai:
      owner: tests
      purpose: predict y
      key: [id]
      time: month
      columns:
        size: {type: float, range: [-10, 10], flags: [], use: model, nullable: true, description: a number}
        kind: {type: category, flags: [], use: model, description: a category}
        group: {type: category, categories: [a, b], flags: [], use: audit, description: of people}
toy.label_store:
  metadata:
    rai:
      owner: tests
      purpose: learn y
      key: [id]
      time: month
      columns:
        y: {type: float, range: [-1000, 1000], flags: [], use: model, description: what is predicted}
"""


def make_rows(seed: int, rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size, kind = rng.normal(size=rows), rng.choice(["x", "y", "z"], rows)
    frame = pd.DataFrame({"id": range(rows), "size": size, "kind": kind, "group": rng.choice(["a", "b"], rows)})
    return frame.assign(y=3 * size + (kind == "x") + rng.normal(size=rows))


def fit_model(rows: pd.DataFrame) -> Any:
    prepare = make_column_transformer(
        (SimpleImputer(), ["size"]), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["kind"])
    )
    return make_pipeline(prepare, LinearRegression()).fit(rows[["size", "kind"]], rows["y"])


class _Kept(MemoryDataset):
    """Holds what a run came to after the run, too."""

    def _release(self) -> None:
        pass


@dataclass
class Toy:
    """Stores in a folder, a model in production, and the stage that scores the first by the second."""

    folder: Path
    contract: Contract
    model: Any
    reference: Callable[[str], VersionReference]
    problems: list[Problem] = field(default_factory=list)
    unrecorded: list[Problem] = field(default_factory=list)

    def store(self, name: str) -> MonthStore:
        second = {"feature_store": [], "label_store": [], "measured_labels": ["labels_digest"]}
        return MonthStore(filepath=self.folder / name, partition_by=["month", *second.get(name, ["model_version"])])

    def write(self, month: str, change: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows) -> None:
        rows = change(make_rows(seed=int(month[-2:]))).assign(month=month)
        self.store("feature_store").save({f"month={month}": rows.drop(columns="y")})
        self.store("label_store").save({f"month={month}": rows[["id", "month", "y"]]})

    def write_labels(self, month: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        labels = self.store("label_store")
        labels.save({f"month={month}": change(labels.load()[f"month={month}"]())})

    def checked(self, name: str) -> Mapping[str, Callable[[], pd.DataFrame]]:
        governed = self.contract.datasets[name]
        return {
            key: replace(load, read=lambda key=key, load=load: check_frame(load(), governed, part=key))
            for key, load in self.store(name).load().items()
        }

    @property
    def written(self) -> list[str]:
        return [month_of_key(key) for key in self.store("feature_store").load()]

    def monitor(
        self,
        months: str = "pending",
        expect: dict[str, int] | None = None,
        as_of: date | None = None,
        engine: Engine | None = None,
    ) -> Timeline:
        """Run the stage but for Evidently and MLflow."""
        contract = self.contract.model_copy(update={"as_of": as_of or self.contract.as_of})
        manifest = SimpleNamespace(digest="5e88")
        production = SimpleNamespace(model=self.model, version="1", run_id="abc", manifest=manifest)
        record = RecordDataset(filepath=self.folder / "evidence" / "toy.jsonl")
        values = {
            "feature_store": self.checked("feature_store"),
            "label_store": self.checked("label_store"),
            "contract": contract,
            "engine": engine or LocalEngine(),
            "scoring_model": production,
            "references": self.reference,
            "inference_carbon": {},
            "params:monitoring": MonitoringParameters(months=months, expect=expect, policy=MonitoringPolicy()),
        }
        stores = {name: self.store(name) for name in (*_RESULTS, "measured_labels")}
        catalog = DataCatalog(
            {
                **{name: MemoryDataset(value, copy_mode="assign") for name, value in values.items()},
                **stores,
                **dict.fromkeys(("record", "scoring_record", "record_history"), record),
                **{f"{name.removesuffix('_store')}_history": store for name, store in stores.items()},
                "month_reader": MemoryDataset(copy_mode="assign"),
                "timeline": _Kept(copy_mode="assign"),
                "problems": _Kept(copy_mode="assign"),
                "recording_problems": _Kept(copy_mode="assign"),
            }
        )
        SequentialRunner().run(_STAGE, catalog)
        timeline: Timeline = catalog.load("timeline")
        self.problems, self.unrecorded = catalog.load("problems"), catalog.load("recording_problems")
        return timeline

    def finish(self) -> None:
        """End the run as the stage does; raises where it would end as failed."""
        timeline = Timeline(use_case="toy", policy=MonitoringPolicy())
        report_problems(self.problems, self.unrecorded, timeline, PARAMETERS, *[None] * 3)

    def stored(self) -> dict[str, tuple[str, ...]]:
        return {name: tuple(month_of_key(key) for key in self.store(name).load()) for name in _RESULTS}


_STAGE: Pipeline = create_pipeline().only_nodes(
    "select_months",
    "score_months",
    "watch_drift",
    "keep_labels",
    "measure_outcomes",
    "summarise_months",
    "record_months",
)


@pytest.fixture(scope="module")
def fitted() -> tuple[Any, VersionReference]:
    rows, test = make_rows(100, 1000), make_rows(101, 1000)
    model = fit_model(rows)
    baseline = Baseline(
        task="regression",
        target="y",
        features=("size", "kind"),
        fairness={"groupings": [{"columns": ["group"]}], "metrics": ["mean_absolute_error"]},
        tolerances=({"metric": "mean_absolute_error", "kind": "difference", "limit": 1.0},),
    )
    test = test.assign(prediction=model.predict(test[["size", "kind"]])).drop(columns="id")
    return model, VersionReference(test, baseline, ("2024-01",))


@pytest.fixture
def toy(tmp_path: Path, fitted: tuple[Any, VersionReference]) -> Toy:
    file = tmp_path / "toy" / "catalog.yml"
    file.parent.mkdir()
    file.write_text(_CONTRACT, encoding="utf-8")
    made = Toy(tmp_path, read_contract(file, as_of=date(2026, 1, 1)), fitted[0], lambda _: fitted[1])
    for month in MONTHS:
        made.write(month)
    return made


def record_of(timeline: Timeline, month: str = BAD) -> MonthRecord:
    return next(one for one in timeline.months if one.month == month)


def test_good_months_are_all_stored(toy: Toy) -> None:
    timeline = toy.monitor()
    assert [one.month for one in timeline.months] == list(MONTHS)
    assert toy.stored() == dict.fromkeys(_RESULTS, MONTHS)
    assert timeline.gaps == ()
    assert [one.verdict.outcome for one in timeline.months[1:]] == ["ok"] * 3


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut months of 400 rows into three blocks, the last one smaller."""
    for module in (frames, blocks, partition_file, digests):
        monkeypatch.setattr(module, "BLOCK_ROWS", 150)


def results_of(toy: Toy) -> dict[str, str]:
    """Return all that a run stored and put on record, and take it away."""
    found = {
        f"{name} {key}": repr(load().to_dict("list"))
        for name in _RESULTS
        for key, load in toy.store(name).load().items()
    }
    found["record"] = repr([one.body for one in read_evidence(toy.folder / "evidence" / "toy.jsonl")])
    for name in (*_RESULTS, "evidence"):
        shutil.rmtree(toy.folder / name)
    return found


@pytest.mark.usefixtures("small_blocks")
def test_a_month_read_in_parts_comes_out_to_the_last_bit_as_one_read_at_once(toy: Toy) -> None:
    toy.write_labels("2024-03", lambda labels: labels.iloc[160:])
    toy.monitor("2024-02:2024-03", engine=LocalEngine(on_disk=False))
    at_once = results_of(toy)
    toy.monitor("2024-02:2024-03")
    assert results_of(toy) == at_once
    for month in MONTHS:  # not in the order of their key
        toy.write(month, lambda rows: rows.sample(frac=1, random_state=1))
    toy.write_labels("2024-03", lambda labels: labels[labels["id"] >= 160])
    toy.monitor("2024-02:2024-03")
    assert results_of(toy) == at_once


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("case", ["labels twice with different values", "labels for unknown rows", "type changed"])
def test_a_month_read_in_parts_is_refused_as_one_read_at_once_is(toy: Toy, case: str) -> None:
    breaks, reason = REFUSED[case]
    breaks(toy)
    (gap,) = toy.monitor().gaps
    assert (gap.month, reason in gap.reason) == (BAD, True), gap.reason


@pytest.mark.usefixtures("small_blocks")
def test_a_key_that_ends_one_block_and_begins_the_next_is_found(toy: Toy) -> None:
    toy.write(BAD, lambda rows: rows.assign(id=rows["id"].where(rows["id"] != 150, 149)))
    (gap,) = toy.monitor().gaps
    assert "id: the key is there more than once, 2 rows" in gap.reason


@pytest.mark.usefixtures("small_blocks")
def test_predictions_of_a_month_read_in_parts_are_held_against_the_record(toy: Toy) -> None:
    toy.monitor(months=MONTHS[1])
    store, key = toy.store("prediction_store"), f"month={MONTHS[1]}/model_version=1"
    store.save({key: store.load()[key]().assign(prediction=0.0)})
    shutil.rmtree(toy.folder / "drift_store")
    toy.monitor(months=MONTHS[1])
    assert "Its predictions are not those that were recorded." in str(toy.problems)


def repeat(labels: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([labels, labels.head(3).assign(y=lambda rows: rows["y"] + 1)])


REFUSED: dict[str, tuple[Callable[[Toy], None], str]] = {
    "type changed": (lambda toy: toy.write(BAD, lambda rows: rows.assign(size="1,5")), "size: should be float"),
    "column all missing": (
        lambda toy: toy.write(BAD, lambda rows: rows.assign(group=None)),
        "group: is null and may not be, 400 rows",
    ),
    "category that is not listed": (
        lambda toy: toy.write(BAD, lambda rows: rows.assign(group="c")),
        "group: is not one of ['a', 'b']",
    ),
    "labels twice with different values": (
        lambda toy: toy.write_labels(BAD, repeat),
        "id: the key is there more than once, 6 rows",
    ),
    "labels for unknown rows": (
        lambda toy: toy.write_labels(BAD, lambda labels: labels.assign(id=labels["id"] + 5)),
        "Some labels have no features",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_month_that_is_refused_is_named_passed_over_and_taken_up_once_it_is_mended(toy: Toy, case: str) -> None:
    breaks, reason = REFUSED[case]
    breaks(toy)

    timeline = toy.monitor()

    assert [(gap.month, gap.missing, gap.broken) for gap in timeline.gaps] == [(BAD, "not scored", True)]
    assert reason in timeline.gaps[0].reason
    others = tuple(month for month in MONTHS if month != BAD)
    assert toy.stored() == dict.fromkeys(_RESULTS, others)
    with pytest.raises(RaiError, match=f"{BAD} not scored; everything else is done"):
        toy.finish()

    toy.write(BAD)
    mended = toy.monitor()
    assert mended.gaps == ()
    assert toy.stored() == dict.fromkeys(_RESULTS, MONTHS)


MEASURED: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "column all missing": (lambda rows: rows.assign(size=np.nan), "size"),
    "new category": (lambda rows: rows.assign(kind=np.where(rows["id"] % 2 == 0, "w", rows["kind"])), "kind"),
    "column now constant": (lambda rows: rows.assign(size=0.0), "size"),
    "category now constant": (lambda rows: rows.assign(kind="x"), "kind"),
}


@pytest.mark.parametrize("case", MEASURED)
def test_a_month_that_may_be_read_is_scored_and_its_drift_is_named(toy: Toy, case: str) -> None:
    change, column = MEASURED[case]
    toy.write(BAD, change)

    timeline = toy.monitor()

    assert timeline.gaps == ()
    assert column in record_of(timeline).drifted_columns
    assert record_of(timeline).verdict.outcome in ("watch", "alarm")
    assert record_of(timeline, "2024-04").drifted_columns == ()


@pytest.mark.parametrize("rows", [1, 5, 29])
def test_a_month_of_few_rows_is_scored_and_said_to_be_too_few(toy: Toy, rows: int) -> None:
    toy.write(BAD, lambda frame: frame.head(rows))

    timeline = toy.monitor()

    assert timeline.gaps == ()
    assert record_of(timeline).verdict.outcome == "insufficient_evidence"
    assert f"{rows} row{'s' * (rows > 1)}, at least 30 are needed" in record_of(timeline).summary
    assert record_of(timeline, "2024-04").verdict.outcome == "ok"
    assert toy.stored() == dict.fromkeys(_RESULTS, MONTHS)
    toy.finish()


def test_a_month_without_rows_is_named_and_fails_no_run(toy: Toy) -> None:
    toy.write(BAD, lambda rows: rows.head(0))

    timeline = toy.monitor()

    assert [(gap.month, gap.missing, gap.broken) for gap in timeline.gaps] == [(BAD, "not scored", False)]
    assert "the month is empty" in timeline.gaps[0].reason
    toy.finish()
    toy.write(BAD)
    assert toy.monitor().gaps == ()


def test_a_month_that_never_came_is_named_in_every_run_and_the_later_ones_go_on(
    toy: Toy, caplog: pytest.LogCaptureFixture
) -> None:
    toy.store("feature_store").remove([f"month={BAD}"])
    for _ in range(2):
        caplog.clear()
        timeline = toy.monitor()
        assert f"not in the feature store: {BAD}; the others go on without" in caplog.text
        assert [(gap.month, gap.missing, gap.broken) for gap in timeline.gaps] == [(BAD, "not scored", False)]
        toy.finish()
    assert toy.stored() == dict.fromkeys(_RESULTS, tuple(month for month in MONTHS if month != BAD))


def test_labels_of_a_month_without_rows_are_labels_that_are_not_there_yet(toy: Toy) -> None:
    toy.write_labels(BAD, lambda labels: labels.head(0))
    timeline = toy.monitor()
    assert timeline.gaps == ()
    assert record_of(timeline).outcome.labelled == 0


def damage(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="look") if "look" in frame else frame.assign(outcome="{}")


@pytest.mark.parametrize("name", ["drift_store", "outcome_store"])
def test_a_damaged_result_is_made_again_from_the_month(toy: Toy, name: str, caplog: pytest.LogCaptureFixture) -> None:
    whole = toy.monitor()
    store, key = toy.store(name), f"month={BAD}/model_version=1"
    good = store.load()[key]()
    store.save({key: damage(good)})

    assert toy.monitor() == whole

    assert f"{BAD} is {'tested' if name == 'drift_store' else 'measured'} again" in caplog.text
    pd.testing.assert_frame_equal(store.load()[key](), good)
    (toy.folder / name / key / "part-0.parquet").write_bytes(b"no parquet")
    assert toy.monitor() == whole


def test_a_month_whose_features_changed_is_named_with_what_to_do(toy: Toy, caplog: pytest.LogCaptureFixture) -> None:
    toy.monitor()
    toy.write(BAD, lambda rows: rows.assign(size=rows["size"] / 2))
    toy.monitor()
    assert f"{BAD} is stale: its features changed after it was scored; score it again: kedro rai rescore" in caplog.text


def test_a_range_of_months_is_scored_and_the_rest_waits(toy: Toy) -> None:
    assert [one.month for one in toy.monitor("2024-02:2024-03").months] == ["2024-02", "2024-03"]
    assert [one.month for one in toy.monitor("2024-01").months] == ["2024-01", "2024-02", "2024-03"]
    toy.monitor("next")
    assert toy.stored() == dict.fromkeys(_RESULTS, MONTHS)


@pytest.mark.parametrize("text", ["2024-05:2024-02", "2024-13", "2024-01:", "all", ""])
def test_what_is_no_range_of_months_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match="write pending, next, or a range as 2024-02:2024-05"):
        MonitoringParameters(months=text, policy=MonitoringPolicy())


def test_a_month_that_comes_late_takes_its_place_and_those_after_it_are_measured_again(toy: Toy) -> None:
    toy.monitor("2024-02:2024-04")
    drift = toy.store("drift_store").load()["month=2024-04/model_version=1"]()

    timeline = toy.monitor()

    assert [(one.month, one.look) for one in timeline.months] == [(month, n) for n, month in enumerate(MONTHS, 1)]
    assert [one.outcome.look for one in timeline.months if one.outcome] == [1, 2, 3, 4]
    pd.testing.assert_frame_equal(toy.store("drift_store").load()["month=2024-04/model_version=1"](), drift)


def test_a_reference_that_is_lost_or_of_another_version_stops_no_scoring(toy: Toy) -> None:
    whole = toy.reference
    toy.monitor("2024-01")

    def lost(version: str) -> VersionReference:
        raise RaiError(f"The reference of version {version} is not there.", remedy="restore the artifacts")

    toy.reference = lost
    timeline = toy.monitor()

    assert toy.stored() == {
        "prediction_store": MONTHS,
        "drift_store": ("2024-01",),
        "outcome_store": ("2024-01",),
    }
    assert {gap.missing for gap in timeline.gaps} == {"not tested", "not measured"}
    assert {gap.reason for gap in timeline.gaps} == {"The reference of version 1 is not there."}
    assert [one.verdict.outcome for one in timeline.months[1:]] == ["insufficient_evidence"] * 3
    toy.reference = whole
    assert toy.monitor().gaps == ()
    assert toy.stored() == dict.fromkeys(_RESULTS, MONTHS)


def test_labels_that_come_later_are_measured_without_predicting_again(toy: Toy) -> None:
    toy.store("label_store").remove([f"month={BAD}"])
    assert record_of(toy.monitor()).outcome.labelled == 0
    before = toy.store("prediction_store").load()[f"month={BAD}/model_version=1"]()

    toy.write(BAD)

    assert record_of(toy.monitor()).outcome.labelled == 400
    pd.testing.assert_frame_equal(toy.store("prediction_store").load()[f"month={BAD}/model_version=1"](), before)


def test_labels_that_were_corrected_are_told_from_those_that_came_late_or_were_withdrawn(toy: Toy) -> None:
    toy.write_labels(BAD, lambda labels: labels.iloc[:300])
    assert record_of(toy.monitor()).label_change is None
    labels = {f"month={BAD}": make_rows(seed=3).assign(month=BAD).iloc[10:][["id", "month", "y"]]}
    labels[f"month={BAD}"].loc[20:21, "y"] += 1
    toy.store("label_store").save(labels)

    change = record_of(toy.monitor()).label_change

    assert str(change) == "2 corrected, 10 withdrawn, 100 came late (e.g. id 20)"
    entries = read_evidence(toy.folder / "evidence" / "toy.jsonl")
    assert MonthEntry.from_dict(entries[-2].body).label_change == change
    assert len(toy.store("measured_labels").load()) == len(MONTHS) + 1
    assert record_of(toy.monitor()).label_change == change
    assert len(read_evidence(toy.folder / "evidence" / "toy.jsonl")) == len(entries)


@pytest.mark.slow
def test_a_run_that_is_broken_off_after_any_month_ends_like_an_undisturbed_one(toy: Toy, tmp_path: Path) -> None:
    """Of what a kill leaves: the store's own tests see to a month written by halves, these to what comes after."""
    undisturbed = toy.monitor()
    whole = {name: {key: load() for key, load in toy.store(name).load().items()} for name in _RESULTS}
    saved = [(name, key) for name in _RESULTS for key in whole[name]]
    for cut in (0, 2, 3, 5, 8, 10):
        left = saved[: cut + 1]
        for name in _RESULTS:
            toy.store(name).remove([key for key in whole[name] if (name, key) not in left])
        assert toy.monitor() == undisturbed
        for name in _RESULTS:
            for key, load in toy.store(name).load().items():
                pd.testing.assert_frame_equal(load(), whole[name][key])


def test_every_month_is_on_record_as_it_was_scored_and_as_it_came_out_and_a_second_run_adds_nothing(toy: Toy) -> None:
    toy.monitor()
    record = toy.folder / "evidence" / "toy.jsonl"
    bodies = [MonthEntry.from_dict(entry.body) for entry in read_evidence(record)]
    assert [one.month for one in bodies] == [*MONTHS, *MONTHS]
    assert {one.verdict for one in bodies[:4]} == {""}
    assert all(one.labels and one.predictions and one.drift and one.outcomes and one.verdict for one in bodies[4:])
    before = record.read_bytes()
    toy.monitor()
    assert record.read_bytes() == before
    toy.write_labels(BAD, lambda labels: labels.assign(y=labels["y"] + 1))
    toy.monitor()
    assert [entry.body["month"] for entry in read_evidence(record)[8:]] == [BAD, "2024-04"]


def test_predictions_that_nobody_recorded_fail_the_run_and_are_never_taken_over(toy: Toy) -> None:
    toy.monitor("next")
    store = toy.store("prediction_store")
    forged = store.load()["month=2024-01/model_version=1"]().assign(month=BAD)
    store.save({f"month={BAD}/model_version=1": forged})
    toy.monitor()
    assert [(one.month, one.missing) for one in toy.unrecorded] == [(BAD, "not recorded")]
    assert toy.stored()["drift_store"] == toy.stored()["outcome_store"] == ("2024-01", "2024-02", "2024-04")
    with pytest.raises(RaiError, match=f"{BAD} not recorded"):
        toy.finish()
    assert BAD not in {entry.body["month"] for entry in read_evidence(toy.folder / "evidence" / "toy.jsonl")}


def test_a_result_that_was_planted_before_its_month_was_scored_is_made_again(
    toy: Toy, caplog: pytest.LogCaptureFixture
) -> None:
    whole = toy.monitor()
    store = toy.store("drift_store")
    planted = store.load()[f"month={BAD}/model_version=1"]()
    shutil.rmtree(toy.folder / "evidence")
    for name in _RESULTS:
        toy.store(name).remove()
    store.save({f"month={BAD}/model_version=1": planted.assign(rate=0.5)})
    assert toy.monitor() == whole
    assert f"{BAD} is tested again: what is stored is not what is on record" in caplog.text


WEEKS = ("2020-W52", "2020-W53", "2021-W01", "2021-W02")


def write_weeks(toy: Toy, weeks: tuple[str, ...] = WEEKS) -> None:
    for name in ("feature_store", "label_store"):
        toy.store(name).remove()
    for week in weeks:
        toy.write(week)


def test_weeks_are_monitored_like_months_and_called_weeks(toy: Toy, caplog: pytest.LogCaptureFixture) -> None:
    write_weeks(toy, (*WEEKS[:2], WEEKS[3]))  # one never came
    toy.write(WEEKS[3], lambda rows: rows.head(7))

    timeline = toy.monitor()

    assert [(one.month, one.look) for one in timeline.months] == [(week, n) for n, week in enumerate(toy.written, 1)]
    assert [(gap.month, gap.reason) for gap in timeline.gaps] == [
        ("2021-W01", "the feature store does not have this week, which ended on 2021-01-10")
    ]
    assert "weeks to score: 2020-W52" in caplog.text
    from rai_kedro.report import draw_monitoring, render_monitoring_page

    page = render_monitoring_page(timeline, draw_monitoring(timeline), use_case="toy")
    # Names in addresses stay; whatever a reader sees or hears does not.
    shown = re.sub(r"(?s)<(script|style).*?</\1>| (?:href|id)=\"[^\"]*\"", "", page)
    assert re.findall(r"(?i)[^<>]*\bmonth(?:s|ly)?\b[^<>]*", shown) == []
    assert "the week has 7 rows" in shown


def test_months_and_weeks_in_one_store_are_refused(toy: Toy) -> None:
    toy.write("2024-W20")
    with pytest.raises(RaiError, match=r"(?s)periods of different kinds.*month, week"):
        toy.monitor()


def test_what_the_calendar_expects_and_nobody_sent_is_missing_and_leaves_the_gate_open(toy: Toy) -> None:
    timeline = toy.monitor(expect={"grace_days": 10}, as_of=date(2024, 7, 10))
    assert [gap.month for gap in timeline.gaps] == ["2024-05"]  # June ended ten days ago
    gate = ask_gate(timeline, "1")
    assert (gate.outcome, gate.exit_code) == ("insufficient_evidence", 2)
    assert "2024-05 not scored: the feature store does not have this month" in gate.findings[0].text
    toy.finish()
    later = toy.monitor(expect={"grace_days": 10}, as_of=date(2024, 7, 11))
    assert [gap.month for gap in later.gaps] == ["2024-05", "2024-06"]
    assert toy.monitor(as_of=date(2024, 7, 11)).gaps == ()


def test_predictions_that_were_changed_since_are_not_measured_again_when_labels_come(toy: Toy) -> None:
    toy.monitor()
    store, key = toy.store("prediction_store"), f"month={BAD}/model_version=1"
    store.save({key: store.load()[key]().assign(prediction=lambda rows: rows["prediction"] + 1)})
    toy.write_labels(BAD, lambda labels: labels.assign(y=labels["y"] + 1))
    toy.monitor()
    with pytest.raises(RaiError, match=f"{BAD} not measured; .* are not those that were recorded"):
        toy.finish()
