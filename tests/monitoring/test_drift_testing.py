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
    DriftPolicy,
    Kind,
    MonitoringPolicy,
    MonthDrift,
    ReferenceProfile,
    detect_drift,
    drift_frame,
    from_frame,
    profile_reference,
)
from rai_kedro.monitoring.statistics import category_p_value
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
    rate: float = 0.01,
    **policy: Any,
) -> MonthDrift:
    judged = DriftPolicy(**policy)
    return detect_drift(
        reference, current, kinds=kinds, policy=judged, rate=rate, month="2024-05", model_version="3", look=5
    )


def run_of(drift: MonthDrift) -> Any:
    from rai_kedro.monitoring import MonitoringPolicy, MonthRecord, judge_month
    from rai_kedro.monitoring.evidently_run import make_run

    verdict = judge_month(drift, None, MonitoringPolicy())
    return make_run(MonthRecord(month=drift.month, model_version="3", look=5, verdict=verdict, drift=drift))


def entry(drift: MonthDrift, column: str, aspect: str = "values") -> Any:
    (found,) = [test for test in drift.columns if (test.column, test.aspect) == (column, aspect)]
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_p_values_shown_are_those_of_scipy(seed: int) -> None:
    current = sample(seed, 506)
    drift = measure(current)
    for name in NUMERICAL:
        exact = stats.ks_2samp(REFERENCE[name], current[name]).pvalue
        assert 0.9 * exact <= entry(drift, name).p_value <= max(3 * exact, exact + 0.2), "at 31 cut points: not smaller"
    table = pd.concat([side["district"].value_counts() for side in (REFERENCE, current)], axis=1).to_numpy().T
    assert entry(drift, "district").p_value == pytest.approx(category_p_value(table), rel=1e-12)
    assert entry(drift, "district").p_value == pytest.approx(stats.chi2_contingency(table).pvalue, rel=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_effect_is_the_distance_at_the_reference_s_quantiles(seed: int) -> None:
    current = sample(seed, 506)
    current["number_1"] += 0.7
    found = entry(measure(current), "number_1")
    exact = stats.ks_2samp(REFERENCE["number_1"], current["number_1"]).statistic
    assert exact - 1 / 32 <= found.value <= exact
    assert found.lower < found.value < found.upper
    assert found.level == 0.99
    assert "31 shares of rows" in found.how


def test_the_rate_is_shared_by_all_that_may_be_compared() -> None:
    drift = measure(sample(1, 506))
    assert drift.comparisons == 4 * 2 + 3
    with_missing = sample(1, 506)
    with_missing.loc[:3, "number_0"] = np.nan
    more = measure(with_missing)
    assert (len(more.columns), more.comparisons) == (6, drift.comparisons), "what is missing has no say in it"
    assert entry(more, "number_1").lower == entry(drift, "number_1").lower


def test_the_margin_decides_and_a_column_may_have_its_own() -> None:
    reference, current = sample(0, 20_000), sample(1, 20_000)
    current[["number_1", "number_2"]] += 0.4
    drift = measure(current, reference=reference, margins={"number_2": 0.3})
    assert {name: found.verdict for name, found in drift.by_column.items()} == {
        "number_0": "no_relevant_drift",
        "number_1": "drift",
        "number_2": "no_relevant_drift",
        "number_3": "no_relevant_drift",
        "district": "no_relevant_drift",
    }
    assert (entry(drift, "number_1").margin, entry(drift, "number_2").margin) == (0.1, 0.3)
    assert entry(drift, "number_2").p_value < 1e-100, "a p-value decides nothing"


def test_a_small_shift_of_many_rows_is_no_relevant_drift() -> None:
    rng = np.random.default_rng(4)
    reference, current = rng.normal(size=(100_000, 3)), rng.normal(size=(100_000, 3)) + 0.03
    drift = detect_drift(reference, current, rate=0.05 / 60)
    assert drift.verdict == "no_relevant_drift"
    assert stats.ks_2samp(reference[:, 0], current[:, 0]).pvalue < 1e-4, "which a test calls drift"


def test_once_the_budget_is_spent_nothing_is_decided() -> None:
    current = sample(1, 506)
    current["number_1"] += 2
    current.loc[0, "district"] = "harbour"
    for rate in (0.0, 1e-52):
        drift = measure(current, rate=rate)
        assert {found.verdict for found in drift.columns} == {"insufficient_evidence"}
        assert all("error budget" in found.note for found in drift.columns)
        assert drift.visible.effect is None
    assert "visible" in drift.__class__.__dict__


@pytest.mark.parametrize("seed", range(5))
def test_a_shift_of_two_standard_deviations_is_always_named(seed: int) -> None:
    current = sample(100 + seed, 506)
    current[["number_1", "number_3"]] += 2
    drift = measure(current)
    assert drift.drifted_columns == ("number_1", "number_3")
    assert drift.verdict == "drift"
    assert (drift.count, drift.share) == (2, 0.4)


def test_unchanged_data_are_no_drift() -> None:
    drift = measure(REFERENCE.copy())
    assert drift.verdict == "insufficient_evidence", "167 rows cannot exclude a tenth of them elsewhere"
    assert drift.visible.excluded > 0.1
    assert (drift.count, drift.share, drift.drifted_columns) == (0, 0.0, ())
    assert all(test.p_value == pytest.approx(1) for test in drift.columns)


def test_a_changed_mix_of_categories_is_found() -> None:
    current = sample(1, 506)
    current.loc[:200, "district"] = "east"
    assert measure(current).drifted_columns == ("district",)


def test_a_category_the_reference_never_had_is_named_and_found_when_common() -> None:
    current = sample(1, 506)
    current.loc[:150, "district"] = "harbour"
    found = entry(measure(current), "district", "new categories")
    assert found.drifted
    assert (found.note, found.value) == ("not in the reference: harbour", 151 / 506)


def test_a_change_in_the_share_of_missing_values_is_found_by_fishers_test() -> None:
    current = sample(1, 506)
    current.loc[current.index % 5 == 0, "number_2"] = np.nan
    current.loc[current.index % 4 == 0, "district"] = None
    drift = measure(current)
    found = entry(drift, "number_2", "missing")
    assert found.p_value == pytest.approx(stats.fisher_exact([[0, 167], [102, 404]]).pvalue, rel=1e-9)
    assert found.note == "missing: 0.0% in the reference, 20.2% in the month"
    assert (found.n_reference, found.n) == (167, 506)
    assert entry(drift, "number_2").n == 404
    assert not entry(drift, "number_2").drifted
    assert found.value == pytest.approx(102 / 506)
    assert drift.drifted_columns == ("number_2", "district")
    assert drift.share == 2 / 5, "a column counts once, however many of its tests find drift"


def test_equal_shares_of_missing_values_are_no_drift() -> None:
    reference, current = sample(0, 200), sample(1, 500)
    reference.loc[reference.index % 10 == 0, "number_0"] = np.nan
    current.loc[current.index % 10 == 0, "number_0"] = np.nan
    drift = measure(current, reference=reference)
    assert entry(drift, "number_0", "missing").p_value == pytest.approx(1)
    assert not drift.drifted_columns


@pytest.mark.parametrize("column", ["number_0", "district"])
@pytest.mark.parametrize("empty_side", ["reference", "month"])
def test_values_on_one_side_only_cannot_be_compared_and_that_they_are_missing_is_drift(
    column: str, empty_side: str
) -> None:
    reference, current = REFERENCE.copy(), sample(1, 506)
    emptied = reference if empty_side == "reference" else current
    emptied[column] = None
    drift = measure(current, reference=reference)
    run = run_of(drift)
    found = entry(drift, column)
    assert (found.method, found.p_value, found.value, found.verdict) == ("none", None, None, "insufficient_evidence")
    assert found.note == f"no value in the {empty_side}"
    assert entry(drift, column, "missing").drifted
    assert drift.drifted_columns == (column,)
    assert sum(test.status.value == "FAIL" for test in run.tests_results) == 1, "Evidently shows the same"


def test_values_on_neither_side_are_no_change() -> None:
    reference, current = REFERENCE.copy(), sample(1, 506)
    reference["number_0"] = current["number_0"] = np.nan
    drift = measure(current, reference=reference)
    assert entry(drift, "number_0").note == "no value in the reference and the month"
    assert entry(drift, "number_0").verdict == "no_relevant_drift"


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
    assert not drift.drifted_columns
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
        (sample(1, 506).iloc[:0], r"no row in the data of month 2024-05"),
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
    with pytest.raises(RaiError, match=r"no row in the reference data"):
        measure(sample(1, 506), reference=REFERENCE.head(0))
    with pytest.raises(RaiError, match=r"No column was given"):
        measure(sample(1, 506), {})


@pytest.mark.parametrize(
    ("current", "reference", "why"),
    [
        (
            sample(1, 29).assign(number_0=99.0),
            REFERENCE,
            "29 rows in the data of month 2024-05, at least 30 are needed",
        ),
        (sample(1, 506).assign(number_0=99.0), REFERENCE.head(5), "5 rows in the reference data, at least 30"),
    ],
)
def test_of_too_few_rows_nothing_is_decided_however_far_they_lie(
    current: pd.DataFrame, reference: pd.DataFrame, why: str
) -> None:
    found = measure(current, reference=reference)
    assert {one.verdict for one in found.columns} == {"insufficient_evidence"}
    assert why in entry(found, "number_0").note
    assert found.visible.effect is None


@pytest.mark.parametrize("wrong", ["2024-5-1", "May 2024", "202405", "2024-13"])
def test_a_month_must_be_written_as_year_and_month(wrong: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM"):
        month_start(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"error_rate": 0},
        {"error_rate": 1},
        {"correction": "none"},
        {"looks": {"spending": "none"}},
        {"drift": {"margin": 0}},
        {"drift": {"margins": {"AGE": 1.5}}},
        {"drift": {"treshold": 0.1}},
        {"drift": {"min_rows": 1}},
        {"performance": {"worse_by": -1}},
    ],
)
def test_the_policy_refuses_wrong_names_and_values(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValidationError, match=next(iter(wrong[name])) if isinstance(wrong[name], dict) else name):
        MonitoringPolicy(**wrong)


def test_what_evidently_shows_is_the_verdict() -> None:
    current = sample(1, 506)
    current["number_1"] += 2
    current.loc[current.index % 5 == 0, "number_2"] = np.nan
    drift = measure(current)
    run = run_of(drift)
    shown = {test.metric_config.params["column"]: test.status.value == "FAIL" for test in run.tests_results}
    decided = {test.label: test.drifted for test in drift.columns}
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


def test_a_profile_is_as_good_as_the_rows_and_survives_json() -> None:
    current = sample(1, 506).assign(number_0=0.0)
    current.loc[:9, "district"] = "harbour"
    profile = ReferenceProfile.model_validate_json(profile_reference(REFERENCE, KINDS).model_dump_json())
    assert detect_drift(profile, current, rate=0.01, month="2024-05", model_version="3", look=5) == measure(current)


def test_importance_goes_with_the_column() -> None:
    profile = profile_reference(REFERENCE, KINDS, importance={"number_2": 0.7})
    found = detect_drift(profile, sample(1, 506))
    assert [column.importance for column in found.columns] == [None, None, 0.7, None, None]


def test_values_that_many_rows_share_are_compared_as_such() -> None:
    """A share of zeros from .9 to .8, half above and half below: no distribution function moves by more than .05."""
    rng = np.random.default_rng(9)

    def inflated(share: float, rows: int) -> pd.DataFrame:
        return pd.DataFrame({"paid": rng.normal(size=rows) * (rng.random(rows) < share)})

    found = detect_drift(inflated(0.1, 20_000), inflated(0.3, 20_000), rate=0.001).columns[0]
    assert (found.method, found.verdict) == ("shared_values_and_ks", "drift")
    assert found.value == pytest.approx(0.2, abs=0.01)


def test_rare_levels_of_a_column_of_very_many_are_no_drift() -> None:
    """Of 167 equally rare levels the 50 most common of a reference are common by chance; grouping by name is immune."""
    rng, levels = np.random.default_rng(10), np.array([f"street {number}" for number in range(167)])
    for _ in range(20):
        reference = pd.DataFrame({"street": rng.choice(levels, 500)})
        assert not detect_drift(reference, {"street": rng.choice(levels, 20_000)}).drifted_columns
    moved = pd.DataFrame({"street": np.where(rng.random(20_000) < 0.3, "street 7", rng.choice(levels, 20_000))})
    assert detect_drift(reference, moved).drifted_columns == ("street",)


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
    with pytest.raises(RaiError, match=r"(?s)no probability.*1.5"):
        detect_drift(frame, frame, rate=1.5)


def test_a_result_shows_itself() -> None:
    current = sample(1, 506)
    current["number_1"] += 2
    current["district"] = "<script>"
    drift = detect_drift(REFERENCE, current)
    assert drift.to_frame()["column"].tolist() == [*NUMERICAL, "district", "district"]
    assert MonthDrift.from_dict(drift.to_dict()) == drift
    page = drift._repr_html_()
    assert "Drift in number_1, district" in page
    assert "<script>" not in page
    (bars,) = drift.plot().data
    assert dict(zip(bars.y, bars.x, strict=True)) == {name: found.value for name, found in drift.by_column.items()}


def test_distributions_count_every_row() -> None:
    current = sample(1, 506)
    current.loc[:5, "number_0"] = np.nan
    for test in measure(current).columns:
        assert sum(test.distribution.reference) == test.n_reference
        assert sum(test.distribution.current) == test.n


def test_a_column_of_very_many_levels_is_tested_at_once_and_told_in_a_line() -> None:
    """Evidently, given such a column, adds up a table anew for each level that one side lacks."""
    import time

    rows = 86_000
    reference = pd.DataFrame({"street": [f"street {number}" for number in range(rows)]})
    current = pd.DataFrame({"street": [f"road {number}" for number in range(rows)]})
    started = time.process_time()
    drift = detect_drift(reference, current)
    run = run_of(drift.model_copy(update={"month": "2024-05", "model_version": "3"}))
    values, new = drift.columns
    assert time.process_time() - started < 30
    assert new.note.startswith("not in the reference: 86,000 levels in 86,000 rows, e.g. road 0, road 1")
    assert not new.drifted, "each of the reference's levels was seen once, so unseen ones are what is to be expected"
    assert values.verdict == "no_relevant_drift"
    assert len(values.distribution.labels) == 21
    assert len(run.tests_results) == 2


def test_pooling_leaves_the_verdict_as_it_is() -> None:
    rng = np.random.default_rng(5)
    levels = np.array([f"level {number}" for number in range(3000)])
    weights = 1 / np.arange(1, 3001)
    reference, current = (
        pd.DataFrame({"level": rng.choice(levels, size=rows, p=weights / weights.sum())}) for rows in (900, 4000)
    )
    drift = detect_drift(reference, current)
    table = pd.concat([side["level"].value_counts() for side in (reference, current)], axis=1).fillna(0).to_numpy().T
    assert drift.columns[0].p_value == pytest.approx(category_p_value(table), rel=1e-12)
    assert not drift.drifted_columns
