"""The groups that are mitigated are those that are assessed, whatever the grouping says or leaves open."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from rai_kedro.fairness import FairnessSpec, GroupingSpec, make_groups
from rai_kedro.mitigation.comparing import ComparisonRequest, ConfiguredMethod, compare_methods
from rai_kedro.mitigation.fitting import Rows, resolve_cuts
from rai_kedro.mitigation.sensitive import MitigationError


def draw(values, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    features = pd.DataFrame(random.normal(size=(len(values), 2)), columns=["p", "q"])
    target = (features["p"] + random.logistic(size=len(values)) * 0.5 > 0.3).astype(int)
    return Rows(features, target, pd.DataFrame({"s": values}))


def compare(train, test, **grouping):
    request = ComparisonRequest(
        estimator=LogisticRegression(),
        sensitive_column="s",
        fairness=FairnessSpec(groupings=(GroupingSpec(columns=("s",), **grouping),), metrics=("statistical_parity",)),
        methods=(ConfiguredMethod("threshold_optimisation"), ConfiguredMethod("reweighing")),
        permitted=True,
    )
    rows = draw(train, 1), draw(test, 2)
    return request, rows, compare_methods(request, *rows)


RANDOM = np.random.default_rng(0)
CODES_12 = RANDOM.integers(0, 12, 3000)
AGES = RANDOM.normal(45, 15, 1500).round(1)
DAYS = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 300, 1500), unit="D"))
CASES = {
    "twelve codes, each a group": (CODES_12[:2000], CODES_12[2000:], {"categorical": True}, 12),
    "twelve numbers, to be cut": (CODES_12[:2000], CODES_12[2000:], {"categorical": False}, 2),
    "four codes, to be cut": (CODES_12[:2000] % 4, CODES_12[2000:] % 4, {"categorical": {"s": False}}, 2),
    "text numbers, to be cut": (
        (CODES_12[:2000] % 4).astype(str),
        (CODES_12[2000:] % 4).astype(str),
        {"categorical": False},
        2,
    ),
    "ages, nothing said": (AGES[:1000], AGES[1000:] + 10, {}, 2),
    "ages, cut": (AGES[:1000], AGES[1000:], {"cuts": {"s": (30, 60)}}, 3),
    "dates": (DAYS[:1000], DAYS[1000:].reset_index(drop=True), {}, 2),
    "numbers, one of them in training only": (
        np.r_[CODES_12[:2000] % 10, np.full(60, 10)],
        CODES_12[2000:] % 10,
        {"categorical": False},
        2,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_test_row_is_in_one_group_for_both(case):
    train, test, grouping, groups = CASES[case]

    request, rows, found = compare(train, test, **grouping)

    assert {one.name: one.reason for one in found.models if one.status != "fitted"} == {}
    model = found.estimators["threshold_optimisation"]
    settled = resolve_cuts(request.fairness, rows[0].audit)
    assessed = make_groups(rows[1].audit, settled.groupings[0])
    mitigated = model._find_groups(rows[1].features.assign(s=rows[1].audit["s"]))
    assert len(model.groups_) == groups
    assert [model.groups_[code] for code in mitigated] == assessed.labels.tolist()
    assert {tuple(o.group for o in one.outcomes) for one in found.models} == {assessed.groups}
    assert found.estimators["reweighing"].groups_ == model.groups_


def test_the_rule_says_on_which_rows_the_median_was_taken():
    spec = FairnessSpec(groupings=(GroupingSpec(columns=("s",)),), metrics=("statistical_parity",))

    settled = resolve_cuts(spec, pd.DataFrame({"s": AGES}))

    assert resolve_cuts(settled, pd.DataFrame({"s": AGES + 5})) == settled
    found = make_groups(pd.DataFrame({"s": AGES + 20}), settled.groupings[0])
    median = np.median(AGES)
    assert found.rule == f"s cut at {median:g}, the median of the training rows"
    assert found.groups == (f"at or below {median:g}", f"above {median:g}")


def test_intersections_are_settled_by_column_and_absent_columns_left_alone():
    spec = FairnessSpec(
        groupings=(GroupingSpec(columns=("s", "sex")), GroupingSpec(columns=("gone",))), metrics=("statistical_parity",)
    )
    audit = pd.DataFrame({"s": AGES, "sex": np.where(AGES > 40, "f", "m")})

    both, gone = resolve_cuts(spec, audit).groupings

    assert (both.cuts, both.categorical) == ({"s": (np.median(AGES),)}, {"s": False, "sex": True})
    assert gone == GroupingSpec(columns=("gone",), categorical={})


def test_cut_points_of_a_method_that_contradict_the_assessment_are_refused():
    request, rows, _ = compare(AGES[:1000], AGES[1000:])
    own = (ConfiguredMethod("reweighing", {"cuts": [30.0]}),)

    with pytest.raises(MitigationError, match="other groups of 's' than those that are assessed"):
        compare_methods(ComparisonRequest(**{**vars(request), "methods": own}), *rows)
