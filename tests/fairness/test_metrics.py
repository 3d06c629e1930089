"""Metrics: equal to fairlearn where it has them, to scipy, and to small tables worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rai_kedro.fairness.assessment import FairnessSpec, MetricError
from rai_kedro.fairness.estimates import Disparity
from rai_kedro.fairness.grouping import GroupingSpec
from rai_kedro.fairness.individual import SimilaritySpec
from rai_kedro.fairness.metrics import METRICS

from .conftest import assess_classification, assess_regression

G = (GroupingSpec(columns=("g",), categorical=True),)


def _classify(frame: pd.DataFrame, *metrics: str, **spec: Any) -> dict[tuple[str, str], Disparity]:
    request = FairnessSpec(groupings=spec.pop("groupings", G), metrics=metrics, **spec)
    score = frame.get("s")
    found = assess_classification(frame["y"], frame["p"], score, frame, request)
    return {(one.metric, one.kind): one for one in found}


def _regress(frame: pd.DataFrame, *metrics: str, **spec: Any) -> dict[tuple[str, str], Disparity]:
    found = assess_regression(frame["y"], frame["p"], frame, FairnessSpec(groupings=G, metrics=metrics, **spec))
    return {(one.metric, one.kind): one for one in found}


def _values(found: dict[tuple[str, str], Disparity], kind: str) -> dict[str, float | None]:
    return {metric: one.value for (metric, its_kind), one in found.items() if its_kind == kind}


def test_documented_figures_of_metric_frame() -> None:
    # Arrays and results of fairlearn's user guide, "Common fairness metrics" and "Performing a fairness assessment".
    frame = pd.DataFrame(
        {
            "y": [0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1],
            "p": [0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0],
            "g": list("bbabbcccaacabccbcc"),
        }
    )
    found = _classify(frame, "statistical_parity", "equalized_odds", "equal_opportunity", "predictive_equality")
    assert _values(found, "difference") == pytest.approx(
        {"statistical_parity": 0.25, "equalized_odds": 1.0, "equal_opportunity": 0.2, "predictive_equality": 1.0}
    )
    assert _values(found, "ratio") == pytest.approx(
        {"statistical_parity": 2 / 3, "equalized_odds": 0.0, "equal_opportunity": 2 / 3, "predictive_equality": 0.0}
    )
    selection = {figure.group: (figure.value, figure.n) for figure in found["statistical_parity", "ratio"].groups}
    assert selection == {"a": (0.75, 4), "b": (0.5, 6), "c": (0.5, 8)}


_FAIRLEARN = {
    "statistical_parity": "demographic_parity",
    "equal_opportunity": "equal_opportunity",
    "predictive_equality": "false_positive_rate",
    "equalized_odds": "equalized_odds",
    "overall_accuracy_equality": "accuracy_score",
}


def _equals_fairlearn(frame: pd.DataFrame) -> None:
    import fairlearn.metrics
    from sklearn.metrics import precision_score

    parts = frame.groupby("g")
    assume((parts.y.nunique() == 2).all() and (parts.p.nunique() == 2).all())
    found = _classify(frame, *_FAIRLEARN, "predictive_parity", "negative_predictive_parity")
    for metric, theirs in _FAIRLEARN.items():
        for kind in ("difference", "ratio"):
            reference = getattr(fairlearn.metrics, f"{theirs}_{kind}")(
                frame.y, frame.p, sensitive_features=frame.g.astype(str)
            )
            ours = found[metric, kind].value
            assert (np.isnan(reference) and ours is None) or ours == pytest.approx(reference), (metric, kind)
    for metric, positive in (("predictive_parity", 1), ("negative_predictive_parity", 0)):

        def precision(y: Any, p: Any, at: int = positive) -> float:
            return float(precision_score(y, p, pos_label=at))

        table = fairlearn.metrics.MetricFrame(
            metrics=precision, y_true=frame.y, y_pred=frame.p, sensitive_features=frame.g.astype(str)
        )
        assert found[metric, "difference"].value == pytest.approx(table.difference("between_groups"))
        if table.group_max() > 0:
            assert found[metric, "ratio"].value == pytest.approx(table.ratio("between_groups"))


@settings(max_examples=10)
@given(st.integers(2, 5), st.integers(30, 300), st.floats(0.1, 0.9), st.integers(0, 2**32 - 1))
def test_classification_equals_fairlearn(groups: int, rows: int, rate: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"g": rng.integers(0, groups, rows), "y": rng.random(rows) < rate, "p": rng.random(rows) < 1 - rate}
    ).astype(int)
    assume(frame.g.nunique() == groups)
    _equals_fairlearn(frame)


@settings(max_examples=10)
@given(st.integers(2, 5), st.integers(20, 300), st.integers(0, 2**32 - 1))
def test_regression_equals_fairlearn(groups: int, rows: int, seed: int) -> None:
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error

    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"g": rng.integers(0, groups, rows), "y": rng.normal(5, 1, rows)})
    frame["p"] = frame.y + rng.normal(0.2, 1, rows) + 5
    assume(frame.g.nunique() == groups)
    theirs: dict[str, Callable[..., Any]] = {
        "mean_prediction": lambda _, p: float(np.mean(p)),
        "mean_absolute_error": mean_absolute_error,
        "root_mean_squared_error": root_mean_squared_error,
        "mean_signed_error": lambda y, p: float(np.mean(p - y)),
    }
    table = MetricFrame(metrics=theirs, y_true=frame.y, y_pred=frame.p, sensitive_features=frame.g)
    found = _regress(frame, *theirs)
    for metric in theirs:
        assert found[metric, "difference"].value == pytest.approx(table.difference("between_groups")[metric])
        if "ratio" in METRICS[metric].kinds:
            assert found[metric, "ratio"].value == pytest.approx(table.ratio("between_groups")[metric])


def _table(group: str, tp: int, fp: int, fn: int, tn: int) -> pd.DataFrame:
    cells = [(1, 1, tp), (0, 1, fp), (1, 0, fn), (0, 0, tn)]
    rows = [(group, y, p) for y, p, n in cells for _ in range(n)]
    return pd.DataFrame(rows, columns=["g", "y", "p"])


def test_definitions_of_verma_and_rubin_on_a_table_worked_out_by_hand() -> None:
    # a: TP 30, FP 10, FN 20, TN 40; b: TP 12, FP 8, FN 6, TN 24.
    frame = pd.concat([_table("a", 30, 10, 20, 40), _table("b", 12, 8, 6, 24)], ignore_index=True)
    by_hand = {
        "statistical_parity": (40 / 100, 20 / 50),
        "equal_opportunity": (30 / 50, 12 / 18),
        "predictive_equality": (10 / 50, 8 / 32),
        "predictive_parity": (30 / 40, 12 / 20),
        "negative_predictive_parity": (40 / 60, 24 / 30),
        "overall_accuracy_equality": (70 / 100, 36 / 50),
        "treatment_equality": (20 / 10, 6 / 8),
    }
    found = _classify(frame, *by_hand, "equalized_odds", "conditional_use_accuracy_equality")
    for metric, pair in by_hand.items():
        assert found[metric, "difference"].value == pytest.approx(max(pair) - min(pair)), metric
        assert found[metric, "ratio"].value == pytest.approx(min(pair) / max(pair)), metric
        assert [figure.value for figure in found[metric, "ratio"].groups] == pytest.approx(pair)
    assert found["equalized_odds", "difference"].value == pytest.approx(12 / 18 - 30 / 50)
    assert found["equalized_odds", "ratio"].value == pytest.approx(0.2 / 0.25)
    assert found["conditional_use_accuracy_equality", "difference"].value == pytest.approx(0.15)
    assert found["conditional_use_accuracy_equality", "ratio"].value == pytest.approx(0.6 / 0.75)
    assert [figure.n for figure in found["predictive_parity", "ratio"].groups] == [40, 20]


def test_conditional_parity_explains_a_gap_between_departments() -> None:
    # Simpson: within each stratum the rates are .8 and .2 for both groups, overall .68 against .32.
    cells = [("a", "easy", 80, 64), ("a", "hard", 20, 4), ("b", "easy", 20, 16), ("b", "hard", 80, 16)]
    rows = [(g, s, int(at < k)) for g, s, n, k in cells for at in range(n)]
    frame = pd.DataFrame(rows, columns=["g", "stratum", "p"]).assign(y=0)
    strata = GroupingSpec(columns="stratum")
    names = ("statistical_parity", "conditional_statistical_parity")
    for summary in ("standardised", "worst"):
        found = _classify(frame, *names, strata=strata, strata_summary=summary)
        assert found["statistical_parity", "difference"].value == pytest.approx(0.36)
        assert found["conditional_statistical_parity", "difference"].value == pytest.approx(0)
        assert found["conditional_statistical_parity", "ratio"].value == pytest.approx(1)


def test_conditional_parity_standardises_to_all_rows() -> None:
    # Stratum u (60 rows): a 10/20, b 10/40; stratum v (40 rows): a 5/30, b 5/10.
    cells = [("a", "u", 20, 10), ("b", "u", 40, 10), ("a", "v", 30, 5), ("b", "v", 10, 5)]
    rows = [(g, s, int(at < k)) for g, s, n, k in cells for at in range(n)]
    frame = pd.DataFrame(rows, columns=["g", "stratum", "p"]).assign(y=0)
    strata = GroupingSpec(columns="stratum")
    a, b = 0.6 * 0.5 + 0.4 / 6, 0.6 * 0.25 + 0.4 * 0.5
    found = _classify(frame, "conditional_statistical_parity", strata=strata)
    assert found["conditional_statistical_parity", "difference"].value == pytest.approx(a - b)
    assert found["conditional_statistical_parity", "ratio"].value == pytest.approx(b / a)
    worst = _classify(frame, "conditional_statistical_parity", strata=strata, strata_summary="worst")
    assert worst["conditional_statistical_parity", "difference"].value == pytest.approx(0.5 - 1 / 6)


def test_scores_by_hand() -> None:
    frame = pd.DataFrame(
        {
            "g": list("aaaabbbb"),
            "y": [1, 1, 0, 0, 1, 1, 0, 0],
            "s": [0.9, 0.7, 0.3, 0.1, 0.6, 0.6, 0.4, 0.2],
            "p": [1, 1, 0, 0, 1, 1, 0, 0],
        }
    )
    names = ("balance_positive_class", "balance_negative_class", "overall_balance", "calibration", "well_calibration")
    found = _classify(frame, *names, score_bins=2)
    assert _values(found, "difference") == pytest.approx(
        {
            "balance_positive_class": 0.2,
            "balance_negative_class": 0.1,
            "overall_balance": 0.2,
            "calibration": 0.0,
            "well_calibration": 0.4,
        }
    )
    assert _values(found, "ratio") == pytest.approx(
        {
            "balance_positive_class": 0.75,
            "balance_negative_class": 2 / 3,
            "overall_balance": 2 / 3,
            "calibration": 1.0,
            "well_calibration": 0.0,
        }
    )


def test_calibration_is_the_worst_bin() -> None:
    # Bin 0-.5: a 1/4, b 1/4; bin .5-1: a 3/4, b 2/4. Mean scores .25 and .75 make a perfectly calibrated.
    rows = [("a", 0.25, [1, 0, 0, 0]), ("b", 0.25, [1, 0, 0, 0]), ("a", 0.75, [1, 1, 1, 0]), ("b", 0.75, [1, 1, 0, 0])]
    frame = pd.DataFrame([(g, s, y) for g, s, ys in rows for y in ys], columns=["g", "s", "y"]).assign(p=1)
    found = _classify(frame, "calibration", "well_calibration", score_bins=2)
    assert found["calibration", "difference"].value == pytest.approx(0.25)
    assert found["calibration", "ratio"].value == pytest.approx(2 / 3)
    assert found["well_calibration", "difference"].value == pytest.approx(0.25)
    assert found["well_calibration", "ratio"].value == pytest.approx(2 / 3)


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_distances_equal_scipy_up_to_the_grid(seed: int) -> None:
    from scipy import stats

    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"g": rng.choice(list("ab"), 300), "p": rng.normal(size=300)}).assign(y=0.0)
    frame.loc[frame.g == "a", "p"] += rng.random()
    a, b = (frame.p[frame.g == group] for group in "ab")
    found = _regress(frame, "prediction_distribution")
    wide = float(np.ptp(frame.p)) / 256
    wasserstein = found["prediction_distribution", "wasserstein"]
    smirnov = found["prediction_distribution", "kolmogorov_smirnov"]
    assert wasserstein.value == pytest.approx(stats.wasserstein_distance(a, b), abs=wide)
    exact = stats.ks_2samp(a, b).statistic
    assert smirnov.value is not None
    assert smirnov.lower is not None
    assert smirnov.upper is not None
    assert exact - 0.06 <= smirnov.value <= exact + 1e-12
    assert smirnov.lower <= exact <= smirnov.upper


def test_every_metric_is_computed() -> None:
    rng = np.random.default_rng(1)
    rows = 400
    frame = pd.DataFrame(
        {"g": rng.choice(list("ab"), rows), "y": rng.integers(0, 2, rows), "s": rng.random(rows), "x": rng.random(rows)}
    ).assign(p=lambda f: (f.s > 0.5).astype(int))
    similarity = SimilaritySpec(columns="x", distance="euclidean")
    names = [name for name, metric in METRICS.items() if "classification" in metric.tasks]
    found = _classify(frame, *names, strata=GroupingSpec(columns="x"), similarity=similarity)
    assert set(found) == {(name, kind) for name in names for kind in METRICS[name].kinds}
    names = [name for name, metric in METRICS.items() if "regression" in metric.tasks]
    regression = _regress(frame.assign(p=frame.s + frame.x), *names, similarity=similarity)
    assert set(regression) == {(name, kind) for name in names for kind in METRICS[name].kinds}
    for one in (found | regression).values():
        assert one.value is not None
        assert one.lower is not None
        assert one.upper is not None
        assert one.lower <= one.value <= one.upper, one
        assert all(figure.lower <= figure.value <= figure.upper for figure in one.groups), one


def test_the_registry_holds_the_canonical_names() -> None:
    assert list(METRICS) == [
        "statistical_parity",
        "conditional_statistical_parity",
        "equal_opportunity",
        "predictive_equality",
        "equalized_odds",
        "predictive_parity",
        "negative_predictive_parity",
        "conditional_use_accuracy_equality",
        "overall_accuracy_equality",
        "treatment_equality",
        "balance_positive_class",
        "balance_negative_class",
        "overall_balance",
        "calibration",
        "well_calibration",
        "mean_prediction",
        "mean_absolute_error",
        "root_mean_squared_error",
        "mean_signed_error",
        "prediction_distribution",
        "consistency",
        "fairness_through_awareness",
    ]
    assert all(name == metric.name and metric.formula and metric.source for name, metric in METRICS.items())


_TINY = pd.DataFrame({"g": list("ab"), "y": [0, 1], "p": [0, 1], "x": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        ("mean_absolute_error", "fits regression"),
        ("calibration", "needs scores"),
        ("conditional_statistical_parity", "needs legitimate columns"),
        ("consistency", "needs a declared distance"),
    ],
)
def test_a_metric_that_lacks_something_is_refused(metric: str, problem: str) -> None:
    with pytest.raises(MetricError, match=problem):
        _classify(_TINY, metric)


def test_a_classification_metric_is_refused_for_regression_and_one_without_groups_too() -> None:
    with pytest.raises(MetricError, match="fits classification"):
        _regress(_TINY, "equalized_odds")
    with pytest.raises(MetricError, match="needs groups"):
        _classify(_TINY, "statistical_parity", groupings=())


def test_a_misspelt_metric_is_refused_with_the_right_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'equalized_odds'"):
        FairnessSpec(groupings=G, metrics=("equalised_odds",))
