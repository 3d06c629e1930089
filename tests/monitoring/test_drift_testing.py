"""A month's decisions: known answers, awkward columns, errors, and the promised false-alarm rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from rai_kedro.errors import RaiError
from rai_kedro.monitoring import (
    DriftParameters,
    Kind,
    MonthDrift,
    detect_drift,
    drift_frame,
    from_frame,
)
from rai_kedro.monitoring.statistics import category_p_value, contingency_table
from rai_kedro.months import month_start

NUMERICAL = [f"number_{position}" for position in range(4)]
KINDS: dict[str, Kind] = {**dict.fromkeys(NUMERICAL, "numerical"), "district": "categorical"}


def sample(seed: int, rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, 4)), columns=NUMERICAL)
    frame["district"] = rng.choice(["north", "south", "east"], size=rows, p=[0.5, 0.3, 0.2])
    return frame


REFERENCE = sample(0, 167)


def measure(
    current: pd.DataFrame,
    kinds: Mapping[str, Kind] = KINDS,
    reference: pd.DataFrame = REFERENCE,
    **parameters: Any,
) -> MonthDrift:
    rate = DriftParameters(**parameters).family_wise_rate
    return detect_drift(reference, current, kinds=kinds, false_alarm_rate=rate, month="2024-05", model_version="3")


def run_of(drift: MonthDrift) -> Any:
    from rai_kedro.monitoring.evidently_run import make_run

    return make_run(drift)


def entry(drift: MonthDrift, column: str, aspect: str = "values") -> Any:
    (found,) = [test for test in drift.columns if (test.column, test.aspect) == (column, aspect)]
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_p_values_are_those_of_scipy(seed: int) -> None:
    current = sample(seed, 506)
    drift = measure(current)
    for name in NUMERICAL:
        assert entry(drift, name).p_value == pytest.approx(
            stats.ks_2samp(REFERENCE[name], current[name]).pvalue, rel=1e-12
        )
    table = contingency_table(REFERENCE["district"], current["district"])
    assert entry(drift, "district").p_value == pytest.approx(category_p_value(table), rel=1e-12)
    assert entry(drift, "district").p_value == pytest.approx(stats.chi2_contingency(table).pvalue, rel=1e-12)


def test_the_rate_is_divided_by_the_number_of_tests() -> None:
    assert {test.threshold for test in measure(sample(1, 506)).columns} == {0.01 / 5}
    with_missing = sample(1, 506)
    with_missing.loc[:3, "number_0"] = np.nan
    drift = measure(with_missing, family_wise_rate=0.05)
    assert {test.threshold for test in drift.columns} == {0.05 / 6}
    assert drift.family_wise_rate == 0.05


@pytest.mark.parametrize("seed", range(5))
def test_a_shift_of_two_standard_deviations_is_always_named(seed: int) -> None:
    current = sample(100 + seed, 506)
    current[["number_1", "number_3"]] += 2
    drift = measure(current)
    assert drift.drifted_columns == ("number_1", "number_3")
    assert drift.verdict
    assert (drift.count, drift.share) == (2, 0.4)


def test_unchanged_data_are_no_drift() -> None:
    drift = measure(REFERENCE.copy())
    assert not drift.verdict
    assert (drift.count, drift.share, drift.drifted_columns) == (0, 0.0, ())
    assert all(test.p_value == pytest.approx(1) for test in drift.columns)


def test_a_changed_mix_of_categories_is_found() -> None:
    current = sample(1, 506)
    current.loc[:200, "district"] = "east"
    assert measure(current).drifted_columns == ("district",)


def test_a_category_the_reference_never_had_is_named_and_found_when_common() -> None:
    current = sample(1, 506)
    current.loc[:150, "district"] = "harbour"
    found = entry(measure(current), "district")
    assert found.drifted
    assert found.note == "not in the reference: harbour"


def test_a_change_in_the_share_of_missing_values_is_found_by_fishers_test() -> None:
    current = sample(1, 506)
    current.loc[current.index % 5 == 0, "number_2"] = np.nan
    current.loc[current.index % 4 == 0, "district"] = None
    drift = measure(current)
    found = entry(drift, "number_2", "missing")
    assert found.p_value == pytest.approx(stats.fisher_exact([[0, 167], [102, 404]]).pvalue, rel=1e-9)
    assert found.note == "missing: 0.0% in the reference, 20.2% in the month"
    assert (found.n_reference, found.n_current) == (167, 506)
    assert entry(drift, "number_2").n_current == 404
    assert not entry(drift, "number_2").drifted
    assert drift.drifted_columns == ("number_2", "district")
    assert drift.share == 2 / 5, "a column counts once, however many of its tests find drift"


def test_equal_shares_of_missing_values_are_no_drift() -> None:
    reference, current = sample(0, 200), sample(1, 500)
    reference.loc[reference.index % 10 == 0, "number_0"] = np.nan
    current.loc[current.index % 10 == 0, "number_0"] = np.nan
    drift = measure(current, reference=reference)
    assert entry(drift, "number_0", "missing").p_value == pytest.approx(1)
    assert not drift.verdict


@pytest.mark.parametrize("column", ["number_0", "district"])
@pytest.mark.parametrize("empty_side", ["reference", "month"])
def test_values_on_one_side_only_are_drift_without_a_p_value(column: str, empty_side: str) -> None:
    reference, current = REFERENCE.copy(), sample(1, 506)
    emptied = reference if empty_side == "reference" else current
    emptied[column] = None
    drift = measure(current, reference=reference)
    run = run_of(drift)
    found = entry(drift, column)
    assert (found.method, found.p_value, found.drifted) == ("no_values", None, True)
    assert found.note == f"no value in the {empty_side}"
    assert entry(drift, column, "missing").drifted
    assert found.threshold == 0.01 / 5, "four value tests and one missing-value test have a p-value"
    assert sum(test.status.value == "FAIL" for test in run.tests_results) == 2, "Evidently shows the same"


def test_values_on_neither_side_are_no_change() -> None:
    reference, current = REFERENCE.copy(), sample(1, 506)
    reference["number_0"] = current["number_0"] = np.nan
    drift = measure(current, reference=reference)
    assert entry(drift, "number_0").note == "no value in the reference and the month"
    assert not drift.verdict


def test_a_single_surviving_value_does_not_hide_that_the_others_are_gone() -> None:
    current = sample(1, 506)
    current.loc[1:, "number_0"] = np.nan
    drift = measure(current)
    assert drift.drifted_columns == ("number_0",)
    assert "fewer than 30 values" in entry(drift, "number_0").note


def test_a_column_that_has_become_constant_is_drift_and_one_that_always_was_is_not() -> None:
    reference, current = REFERENCE.assign(number_1=7.0), sample(1, 506).assign(number_0=0.0, number_1=7.0)
    drift = measure(current, reference=reference)
    assert drift.drifted_columns == ("number_0",)
    assert entry(drift, "number_1").p_value == pytest.approx(1)


def test_booleans_integers_and_pandas_types_are_tested() -> None:
    def convert(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(
            number_0=(frame["number_0"] * 3).round().astype("Int64"),
            number_1=frame["number_1"] > 0,
            district=frame["district"].astype("category"),
        )

    drift = measure(convert(sample(1, 506)), {**KINDS, "number_1": "categorical"}, convert(REFERENCE))
    assert not drift.verdict
    assert entry(drift, "number_1").method == "chi2_contingency"


def test_samples_are_left_as_they_were() -> None:
    current = sample(1, 506)
    before = current.copy()
    measure(current)
    pd.testing.assert_frame_equal(current, before)


def with_infinity() -> pd.DataFrame:
    current = sample(1, 506)
    current.loc[[3, 9], "number_0"] = np.inf
    return current


@pytest.mark.parametrize(
    ("current", "message"),
    [
        (sample(1, 506).iloc[:0], r"too few rows in the data of month 2024-05(.|\n)*0 rows, at least 30"),
        (sample(1, 29), r"29 rows, at least 30"),
        (sample(1, 506).drop(columns="number_2"), r"missing from the data of month 2024-05.\n.*number_2"),
        (with_infinity(), r"infinite values(.|\n)*number_0\n.*2 of 506 rows"),
        (sample(1, 506).assign(number_0="many"), r"holds no numbers(.|\n)*'many'"),
    ],
)
def test_a_month_that_cannot_be_judged_stops_with_an_error(current: pd.DataFrame, message: str) -> None:
    with pytest.raises(RaiError, match=message):
        measure(current)


def test_a_reference_that_cannot_be_compared_with_stops_with_an_error() -> None:
    with pytest.raises(RaiError, match=r"missing from the reference data"):
        measure(sample(1, 506), reference=REFERENCE.drop(columns="district"))
    with pytest.raises(RaiError, match=r"too few rows in the reference data"):
        measure(sample(1, 506), reference=REFERENCE.head(5))
    with pytest.raises(RaiError, match=r"No column was given"):
        measure(sample(1, 506), {})


@pytest.mark.parametrize("wrong", ["2024-5-1", "May 2024", "202405", "2024-13"])
def test_a_month_must_be_written_as_year_and_month(wrong: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM"):
        month_start(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"family_wise_rate": 0},
        {"family_wise_rate": 1},
        {"correction": "none"},
        {"treshold": 0.1},
        {"min_rows": 1},
    ],
)
def test_parameters_refuse_wrong_names_and_values(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        DriftParameters(**wrong)


def test_what_evidently_shows_is_the_verdict() -> None:
    current = sample(1, 506)
    current["number_1"] += 2
    current.loc[current.index % 5 == 0, "number_2"] = np.nan
    drift = measure(current)
    run = run_of(drift)
    shown = {test.metric_config.params["column"]: test.status.value == "FAIL" for test in run.tests_results}
    decided = {test.column + (" (missing)" if test.aspect == "missing" else ""): test.drifted for test in drift.columns}
    assert shown == decided
    counts = [metric["value"] for metric in run.dict()["metrics"] if "DriftedColumns" in metric["metric_name"]]
    assert counts == [{"count": drift.count, "share": drift.share}]
    assert "p = " in run.tests_results[0].description


def test_a_result_survives_its_table(tmp_path: Any) -> None:
    current = sample(1, 506)
    current["number_0"] = np.nan
    drift = measure(current)
    drift_frame(drift).to_parquet(tmp_path / "drift.parquet")
    assert from_frame(pd.read_parquet(tmp_path / "drift.parquet")) == drift


def test_a_table_of_two_months_or_without_a_column_is_refused() -> None:
    frame = drift_frame(measure(sample(1, 506)))
    with pytest.raises(RaiError, match="exactly one month"):
        from_frame(pd.concat([frame, frame.assign(month="2024-06")]))
    with pytest.raises(RaiError, match="lacks the columns p_value"):
        from_frame(frame.drop(columns="p_value"))


def test_months_without_drift_raise_alarms_no_more_often_than_promised() -> None:
    """The tests Evidently makes are those of scipy (shown above), so scipy stands for them here."""
    rng = np.random.default_rng(7)
    months, columns, rate = 400, 12, 0.05
    alarms = 0
    for _ in range(months):
        reference, current = rng.normal(size=(columns, 167)), rng.normal(size=(columns, 506))
        p_values = [stats.ks_2samp(reference[i], current[i]).pvalue for i in range(columns)]
        alarms += min(p_values) <= rate / columns
    assert alarms <= stats.binom.ppf(0.9999, months, rate)
    assert alarms >= stats.binom.ppf(0.0001, months, rate * 0.5), "far fewer alarms would mean far too little power"


def test_months_without_drift_hold_the_default_rate() -> None:
    rng = np.random.default_rng(8)
    months, columns, rate = 200, 12, DriftParameters().family_wise_rate
    alarms = sum(
        min(stats.ks_2samp(rng.normal(size=167), rng.normal(size=506)).pvalue for _ in range(columns)) <= rate / columns
        for _ in range(months)
    )
    assert alarms <= stats.binom.ppf(0.9999, months, rate)


def test_importing_the_room_does_not_import_evidently() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from rai_kedro.monitoring import build_timeline, detect_drift, publish_month;"
        "import pandas as pd; frame = pd.DataFrame({'x': range(50)}); detect_drift(frame, frame)._repr_html_();"
        "sys.exit(bool({'evidently', 'plotly'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_kinds_are_inferred_and_other_tables_taken() -> None:
    frame = REFERENCE.assign(flag=REFERENCE["number_0"] > 0)
    drift = detect_drift(frame, frame.to_dict("list"))
    assert {test.column: test.kind for test in drift.columns} == {**KINDS, "flag": "categorical"}
    assert detect_drift(REFERENCE[NUMERICAL].to_numpy(), REFERENCE[NUMERICAL].to_numpy()).tested_columns == (
        "0",
        "1",
        "2",
        "3",
    )
    with pytest.raises(RaiError, match="holds dates"):
        detect_drift(frame.assign(day=pd.Timestamp("2024-05-01")), frame)
    with pytest.raises(RaiError, match=r"(?s)out of its range.*false_alarm_rate"):
        detect_drift(frame, frame, false_alarm_rate=0.5)


def test_a_result_shows_itself() -> None:
    current = sample(1, 506)
    current["number_1"] += 2
    current["district"] = "<script>"
    drift = detect_drift(REFERENCE, current)
    assert drift.to_frame()["column"].tolist() == [*NUMERICAL, "district"]
    assert MonthDrift.from_dict(drift.to_dict()) == drift
    page = drift._repr_html_()
    assert "Drift in number_1, district" in page
    assert "<script>" not in page
    (bars,) = drift.plot().data
    assert dict(zip(bars.y, (strength > 0 for strength in bars.x), strict=True)) == {
        name: name in drift.drifted_columns for name in KINDS
    }


def test_distributions_count_every_row() -> None:
    current = sample(1, 506)
    current.loc[:5, "number_0"] = np.nan
    for test in measure(current).columns:
        assert sum(test.distribution.reference) == test.n_reference
        assert sum(test.distribution.current) == test.n_current


def test_a_column_of_very_many_levels_is_tested_at_once_and_told_in_a_line() -> None:
    """Evidently, given such a column, adds up a table anew for each level that one side lacks."""
    import time

    rows = 86_000
    reference = pd.DataFrame({"street": [f"street {number}" for number in range(rows)]})
    current = pd.DataFrame({"street": [f"road {number}" for number in range(rows)]})
    started = time.process_time()
    drift = detect_drift(reference, current)
    run = run_of(drift.model_copy(update={"month": "2024-05", "model_version": "3"}))
    (test,) = drift.columns
    assert time.process_time() - started < 30
    assert test.note.startswith("not in the reference: 86,000 levels in 86,000 rows, e.g. road 0, road 1")
    assert "rare levels tested as one" in test.note
    assert test.p_value == category_p_value(contingency_table(reference["street"], current["street"]))
    assert len(test.distribution.labels) == 21
    assert len(run.tests_results) == 1


def test_pooling_leaves_the_verdict_as_it_is() -> None:
    rng = np.random.default_rng(5)
    levels = np.array([f"level {number}" for number in range(3000)])
    weights = 1 / np.arange(1, 3001)
    reference, current = (
        pd.DataFrame({"level": rng.choice(levels, size=rows, p=weights / weights.sum())}) for rows in (900, 4000)
    )
    drift = detect_drift(reference, current)
    table = contingency_table(reference["level"], current["level"])
    assert drift.columns[0].p_value == pytest.approx(category_p_value(table), rel=1e-12)
    assert not drift.verdict
