"""What counts as looser, one line a case: the change, and the place that is named, or none for a tightening."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from rai_kedro.policy import Policy, find_loosened, state_policy

PARITY = {"metric": "statistical_parity", "kind": "ratio", "limit": 0.8, "column": "race"}
ERROR = {"metric": "mean_absolute_error", "kind": "difference", "limit": 2.0, "column": None}
COLUMN = {
    "type": "float",
    "flags": ["risky", "demographic"],
    "use": "audit",
    "range": [0, 100],
    "categories": None,
    "nullable": False,
    "justification": None,
    "description": "of no matter",
}
JUSTIFIED = {"by": "Ada", "reason": "needed", "until": "2027-01-01"}
PLAIN = {**COLUMN, "flags": [], "use": "model", "type": "category", "range": None, "categories": ["a", "b"]}
STORE = {
    "dataset": "loans.feature_store",
    "key": ["id"],
    "time": "month",
    "columns": {"age": COLUMN, "kind": PLAIN, "sex": {**COLUMN, "use": "model", "justification": JUSTIFIED}},
}
PARAMETERS: dict[str, Any] = {
    "policy": Policy().to_dict() | {"approval": {**Policy().approval.to_dict(), "roles": ["reviewer", "officer"]}},
    "training": {"allowed_modules": ["sklearn."], "interval_level": 0.95, "month": "2024-01"},
    "fairness": {
        "level": 0.95,
        "metrics": ["statistical_parity", "equal_opportunity"],
        "tolerances": [PARITY, ERROR],
        "groupings": [{"columns": ["race"], "declared": ["White", "Black"], "cuts": {}}],
        "questionnaire": [],
    },
    "mitigation": {"tolerance": 0.02, "chosen": None},
    "monitoring": {
        "policy": {
            "error_rate": 0.05,
            "looks": {"spending": "uniform", "planned": 60},
            "label_delay": 2,
            "drift": {"margin": 0.1, "margins": {"age": 0.05}, "means": "alarm", "min_rows": 30},
            "performance": {"metric": "accuracy", "worse_by": 0.05, "floor": 0.7},
        },
        "alerts": {"min_weight": "watch"},
        "expect": {"grace_days": 10},
    },
}
PARAMETERS["policy"]["gates"]["performance"] |= {"metric": "accuracy", "at_least": 0.8}
PARAMETERS["policy"]["gates"]["carbon"]["most_g"] = 10.0

# Where to write what, which place is then named, and what turns it the other way (or nothing).
LOOSER: list[tuple[str, Any, str]] = [
    ("policy.gates.fairness.fail", "accept_risk", ""),  # as it was
    ("policy.gates.fairness.insufficient_evidence", "allow", "policy.gates.fairness.insufficient_evidence"),
    ("policy.gates.fairness.insufficient_evidence", "block", ""),
    ("policy.gates.performance.at_least", 0.7, "policy.gates.performance.at_least"),
    ("policy.gates.performance.at_least", None, "policy.gates.performance.at_least"),
    ("policy.gates.performance.at_least", 0.9, ""),
    ("policy.gates.performance.metric", "AUC", "policy.gates.performance.metric"),
    ("policy.gates.drift.margin", 0.2, "policy.gates.drift.margin"),
    ("policy.gates.drift.margin", 0.05, ""),
    ("policy.gates.carbon.most_g", None, "policy.gates.carbon.most_g"),
    ("policy.gates.carbon.most_g", 5.0, ""),
    ("policy.approval.roles", ["reviewer"], "policy.approval.roles"),
    ("policy.approval.roles", ["reviewer", "officer", "auditor"], ""),
    ("policy.approval.lasts_days", 400, "policy.approval.lasts_days"),
    ("policy.approval.lasts_days", 30, ""),
    ("policy.approval.trainer_may_approve", True, "policy.approval.trainer_may_approve"),
    ("policy.justification_lasts_days", 700, "policy.justification_lasts_days"),
    ("training.allowed_modules", ["sklearn.", "os"], "training.allowed_modules"),
    ("training.allowed_modules", ["sklearn.linear_model."], ""),
    ("training.interval_level", 0.9, "training.interval_level"),
    ("training.month", "2024-02", ""),
    ("fairness.level", 0.9, "fairness.level"),
    ("fairness.level", 0.99, ""),
    ("fairness.tolerances.0.limit", 0.7, "fairness.tolerances.ratio.statistical_parity of race"),
    ("fairness.tolerances.0.limit", 0.9, ""),
    ("fairness.tolerances.1.limit", 3.0, "fairness.tolerances.difference.mean_absolute_error of every grouping"),
    ("fairness.tolerances.1.limit", 1.0, ""),
    ("fairness.tolerances", [PARITY], "fairness.tolerances.difference"),
    ("fairness.tolerances", [PARITY, ERROR, {**ERROR, "column": "race"}], ""),
    ("fairness.metrics", ["statistical_parity"], "fairness.metrics"),
    ("fairness.groupings", [], "fairness.groupings.race"),
    ("fairness.groupings.0.declared", ["White"], "fairness.groupings.race.declared"),
    ("fairness.groupings.0.cuts", {"age": [65]}, "fairness.groupings.race.cuts"),
    ("fairness.questionnaire", [{"question": "a", "answer": "b"}], ""),
    ("mitigation.tolerance", 0.05, "mitigation.tolerance"),
    ("mitigation.tolerance", 0.01, ""),
    ("monitoring.policy.error_rate", 0.1, "monitoring.policy.error_rate"),
    ("monitoring.policy.error_rate", 0.01, ""),
    ("monitoring.policy.looks.spending", "endless", "monitoring.policy.looks.spending"),
    ("monitoring.policy.label_delay", None, "monitoring.policy.label_delay"),
    ("monitoring.policy.label_delay", 1, ""),
    ("monitoring.policy.drift.margin", 0.2, "monitoring.policy.drift.margin"),
    ("monitoring.policy.drift.margins", {}, "monitoring.policy.drift.margins.age"),
    ("monitoring.policy.drift.margins", {"age": 0.05, "kind": 0.05}, ""),
    ("monitoring.policy.drift.margins", {"age": 0.05, "kind": 0.2}, "monitoring.policy.drift.margins.kind"),
    ("monitoring.policy.drift.means", "watch", "monitoring.policy.drift.means"),
    ("monitoring.policy.performance.worse_by", 0.1, "monitoring.policy.performance.worse_by"),
    ("monitoring.policy.performance.floor", 0.6, "monitoring.policy.performance.floor.at_least"),
    ("monitoring.policy.performance.floor", 0.8, ""),
    ("monitoring.policy.performance.floor", None, "monitoring.policy.performance.floor"),
    ("monitoring.alerts.min_weight", "alarm", "monitoring.alerts.min_weight"),
    ("monitoring.expect.grace_days", 20, "monitoring.expect.grace_days"),
    ("monitoring.expect.grace_days", 5, ""),
    ("monitoring.expect", None, "monitoring.expect"),
    ("columns.age.flags", ["demographic"], "columns.feature_store.age.flags"),
    ("columns.age.use", "mitigation", "columns.feature_store.age.use"),
    ("columns.age.use", "forbidden", ""),
    ("columns.age.range", [0, 120], "columns.feature_store.age.range"),
    ("columns.age.range", [18, 100], ""),
    ("columns.age.nullable", True, "columns.feature_store.age.nullable"),
    ("columns.age.description", "anything", ""),
    ("columns.age", None, "columns.feature_store.age"),
    ("columns.kind.categories", ["a", "b", "c"], "columns.feature_store.kind.categories"),
    ("columns.kind.categories", ["a"], ""),
    ("columns.kind.flags", ["risky"], ""),
    ("columns.new", PLAIN, ""),
    ("columns.sex.justification.until", "2027-06-01", "columns.feature_store.sex.justification.until"),
    ("columns.sex.justification.until", "2026-12-01", ""),
    ("columns.sex.justification.by", "Bob", "columns.feature_store.sex.justification.by"),
    ("columns.sex.justification", None, "columns.feature_store.sex.justification"),
]


def stated(path: str = "", value: Any = None) -> dict[str, Any]:
    parameters, store = deepcopy(PARAMETERS), deepcopy(STORE)
    *way, last = path.split(".")
    inner: Any = store if way[:1] == ["columns"] else parameters
    for key in way:
        inner = inner[int(key) if isinstance(inner, list) else key]
    if path and value is None and last == "age":
        del inner[last]
    elif path:
        inner[last] = value
    return state_policy(parameters, {"datasets": {"feature_store": store}})


@pytest.mark.parametrize(("path", "value", "named"), LOOSER, ids=[f"{one[0]}={one[1]}" for one in LOOSER])
def test_what_is_looser_is_named_and_a_tightening_is_not(path: str, value: Any, named: str) -> None:
    found = find_loosened(stated(), stated(path, value))
    if not named:
        assert found == ()
        return
    assert len(found) == 1, found
    assert found[0].startswith(f"{named}: ")


def test_nothing_is_looser_than_itself_and_a_sentence_gives_both_values() -> None:
    assert find_loosened(stated(), stated()) == ()
    assert find_loosened(stated(), stated("fairness.level", 0.9)) == (
        "fairness.level: 0.95 when the version was approved, 0.9 now",
    )
    assert find_loosened(stated(), stated("policy.approval.trainer_may_approve", True)) == (
        "policy.approval.trainer_may_approve: no when the version was approved, yes now",
    )


def test_a_setting_of_a_later_edition_is_no_loosening() -> None:
    old = stated()
    del old["policy"]["gates"]["proxies"], old["monitoring.policy"]["looks"]["planned"], old["fairness"]["metrics"]
    assert find_loosened(old, stated()) == ()


def test_a_snapshot_survives_json_and_an_empty_one_is_looser_in_all() -> None:
    import json

    kept = json.loads(json.dumps(stated()))
    assert find_loosened(kept, stated()) == ()
    assert len(find_loosened(kept, {})) >= 8
