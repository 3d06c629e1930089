"""Bad input to fairness and mitigation: a one-screen error that names the key, or a verdict that says what is missing.

Most cases go through the nodes of the training stage on a small table; a few through the real command.
Broken tables, delimiters and encodings: tests/sources/test_file.py, tests/commands/test_new_use_case.py and
test_own_data.py beside this file. Answers files: tests/fairness/test_questionnaire.py and
tests/commands/test_questionnaire_command.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.validation import ParameterValidationError, instantiate_model
from sklearn.linear_model import LogisticRegression

from rai_kedro.commands.errors import explain
from rai_kedro.contract import Contract, read_contract
from rai_kedro.errors import RaiError
from rai_kedro.pipelines.parameters import FairnessParameters, MitigationParameters, Statements, TrainingParameters
from rai_kedro.pipelines.training import mitigation_nodes, nodes
from rai_kedro.pipelines.training.settings import check_settings

pytestmark = pytest.mark.e2e

TODAY = date(2026, 1, 1)
ROWS = 300
HEIGHT, WIDTH = 24, 120
PARAMETERS = "conf/base/housing/parameters.yml"
# A third group of which there are few rows or strange ones, beside two large groups.
RARE = "Other"


class LogitsAsScores(LogisticRegression):
    """A classifier whose ``predict_proba`` gives decision values, as some libraries do."""

    def predict_proba(self, X: Any) -> Any:
        values = self.decision_function(X)
        return np.column_stack([-values, values])


class NeverFitted:
    """Stands for a model that is not to be reached."""

    def __init__(self) -> None:
        raise AssertionError("a model was fitted before the settings were checked")


def make_loans() -> pd.DataFrame:
    draw = np.random.default_rng(4)
    income, years = draw.normal(40, 10, ROWS), draw.normal(5, 2, ROWS)
    return pd.DataFrame(
        {
            "row": range(ROWS),
            "month": "2024-01",
            "income": income,
            "years": years,
            "race": draw.choice(["White", "Black"], ROWS),
            "sex": draw.choice(["female", "male"], ROWS),
            "secret": draw.choice(["a", "b"], ROWS),
            "count": (np.arange(ROWS) % 150).astype(str),
            "repaid": (income + draw.normal(0, 10, ROWS) > 38).astype(int),
        }
    )


def column(**keys: Any) -> dict[str, Any]:
    plain = {"description": "a column", "flags": [], "nullable": False}
    return plain | keys


def sensitive(values: list[str], **keys: Any) -> dict[str, Any]:
    flags = {"flags": ["risky", "demographic"], "risk": "describes people", "nullable": True}
    return column(type="category", categories=values, **(flags | {"use": "audit"} | keys))


COLUMNS = {
    "income": column(type="float", use="model"),
    "years": column(type="float", use="model"),
    "race": sensitive(["White", "Black", RARE]),
    "sex": sensitive(["female", "male"]),
    "secret": sensitive(["a", "b"], use="forbidden"),
    "count": sensitive([f"{one}" for one in range(150)]),
}
TRAINING: dict[str, Any] = {
    "task": "classification",
    "month": "2024-01",
    "target": "repaid",
    "test_size": 0.5,
    "random_state": 0,
    "estimator": {"class": "sklearn.linear_model.LogisticRegression"},
    "allowed_modules": ["sklearn."],
}
FAIRNESS: dict[str, Any] = {
    "groupings": [{"columns": ["race"]}],
    "metrics": ["statistical_parity", "equal_opportunity"],
    "tolerances": [{"metric": "equal_opportunity", "limit": 0.1}],
}
MITIGATION: dict[str, Any] = {"sensitive_column": "race", "methods": [{"method": "reweighing"}]}
SVC = {"class": "sklearn.svm.LinearSVC"}
TAKES_NO_WEIGHTS = {"class": "sklearn.discriminant_analysis.LinearDiscriminantAnalysis"}


@dataclass(frozen=True)
class Asked:
    """What is trained on, and with which parameters.

    Attributes:
        table: Changes the table.
        training: Training parameters that differ from the good ones.
        fairness: Fairness parameters that differ.
        mitigation: Mitigation parameters that differ; None compares nothing.
        label_range: Range of the label in the contract.
        model: A fitted model's class in the place of the configured one.
    """

    table: Callable[[pd.DataFrame], pd.DataFrame] = field(default=lambda frame: frame)
    training: Mapping[str, Any] = field(default_factory=dict)
    fairness: Mapping[str, Any] = field(default_factory=dict)
    mitigation: Mapping[str, Any] | None = None
    label_range: tuple[int, int] = (0, 1)
    model: type | None = None


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[int, int]], Contract]:
    """Read the contract of the small table."""

    def make(label_range: tuple[int, int]) -> Contract:
        label = column(type="integer", range=list(label_range), use="model")
        governed = {"owner": "nobody", "purpose": "a test", "key": ["row"], "time": "month"}
        entries = {
            "loans.feature_store": {"metadata": {"rai": governed | {"columns": COLUMNS}}},
            "loans.label_store": {"metadata": {"rai": governed | {"columns": {"repaid": label}}}},
        }
        path = tmp_path_factory.mktemp("contract") / "loans" / "catalog.yml"
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(entries), encoding="utf-8")
        return read_contract(path, as_of=TODAY)

    return make


@pytest.fixture
def train(read: Callable[[tuple[int, int]], Contract]) -> Callable[[Asked], dict[str, Any]]:
    """Take the small table through the nodes of the training stage, up to the gate."""

    def run(asked: Asked) -> dict[str, Any]:
        contract, frame = read(asked.label_range), asked.table(make_loans())
        training = TrainingParameters(**TRAINING | dict(asked.training))
        fairness = FairnessParameters(**FAIRNESS | dict(asked.fairness))
        compared = {"sensitive_column": None} if asked.mitigation is None else MITIGATION | dict(asked.mitigation)
        said = Statements(model_name="loans", intended_use="a test", out_of_scope_use="all else")
        settings = check_settings(contract, training, fairness, MitigationParameters(**compared), said)
        features, labels = frame.drop(columns="repaid"), frame[["row", "month", "repaid"]]
        stores = {"month=2024-01": features.copy}, {"month=2024-01": labels.copy}
        lanes = nodes.separate_lanes(*stores, settings)
        split, audit_train, audit_choose, audit_test = nodes.split_months(*lanes[:4], settings)
        model = nodes.fit_model(split, settings)
        if asked.model is not None:
            model = asked.model().fit(split.features_train, split.target_train)
        audits = audit_train, audit_choose, audit_test
        model, compared = mitigation_nodes.compare_mitigations(model, split, *audits, settings)
        inputs = mitigation_nodes.admit_inputs(model, split, audit_train, audit_test, settings)
        predictions = nodes.predict_splits(model, inputs)
        assessment, gate = nodes.assess_fairness(inputs, audit_test, predictions, compared, settings)
        performance = nodes.assess_performance(inputs, predictions, settings, audit_train, audit_test)
        return {"compared": compared, "assessment": assessment, "gate": gate, "performance": performance}

    return run


def only(values: Any, rows: int, **label: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Give the last rows a race, and a label if one is named; the very last row is held out."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        places = frame.index[-rows:]
        frame.loc[places, "race"] = values
        if "repaid" in label:
            frame.loc[places, "repaid"] = label["repaid"]
        return frame

    return change


def grouped(**keys: Any) -> dict[str, Any]:
    return {"groupings": [{"columns": ["race"], **keys}]}


def compare(*methods: dict[str, Any], **keys: Any) -> Asked:
    return Asked(mitigation={"methods": list(methods), **keys} if methods else keys)


def measured(*metrics: str, **keys: Any) -> Asked:
    return Asked(fairness={"metrics": metrics, "tolerances": [], **keys})


EXPONENTIATED = {"method": "exponentiated_gradient"}
ERRORS = {
    # metric and task
    "metric of the other task": (measured("mean_absolute_error"), "fairness.metrics", "fits regression, not"),
    "metric of the other task, compared by": (
        Asked(fairness={"metrics": ["mean_absolute_error"], "tolerances": []}, mitigation={}),
        "fairness.metrics",
        "fits regression, not classification",
    ),
    "metric without strata": (measured("conditional_statistical_parity"), "fairness.metrics", "'strata'"),
    "metric without similarity": (measured("consistency"), "fairness.metrics", "'similarity'"),
    "metric without groups": (measured("statistical_parity", groupings=[]), "fairness.metrics", "'groupings'"),
    "model without scores": (Asked(training={"estimator": SVC}), "training.estimator", "LinearSVC gives no prob"),
    "model of the other task": (
        Asked(training={"estimator": {"class": "sklearn.linear_model.LinearRegression"}}),
        "training.task and estimator.class",
        "LinearRegression is no estimator for classification",
    ),
    "task of the other model": (
        Asked(training={"task": "regression"}),
        "training.task and estimator.class",
        "LogisticRegression is no estimator for regression",
    ),
    "favourable value that the label has not": (
        Asked(fairness={"favourable": "yes"}),
        "fairness.favourable",
        "cannot be 'yes'",
    ),
    "favourable value that the scores are not of": (
        Asked(fairness={"favourable": 0}),
        "fairness.favourable",
        "models score the label 1",
    ),
    # groups
    "grouping by a model column": (
        Asked(fairness={"groupings": [{"columns": ["income"]}]}),
        "fairness.groupings",
        "'income' that groups",
    ),
    "grouping by a forbidden column": (
        Asked(fairness={"groupings": [{"columns": ["race", "secret"]}]}),
        "fairness.groupings",
        "there are: count, race, sex",
    ),
    "strata of an unknown column": (
        measured("conditional_statistical_parity", strata={"columns": ["religion"]}),
        "fairness.strata",
        "'religion'",
    ),
    "reference group without rows": (
        Asked(fairness=grouped(reference="Green")),
        "fairness.groupings, grouping 'race'",
        "'Green' has no rows",
    ),
    "text that is to be cut": (
        Asked(fairness=grouped(cuts={"race": [3]})),
        "fairness.groupings, grouping 'race'",
        "'race' is to be cut, but holds values that are not numbers",
    ),
    "tolerance for a metric that is not measured": (
        Asked(fairness={"tolerances": [{"metric": "calibration", "limit": 0.1}]}),
        "fairness.tolerances",
        "'calibration', which is not measured",
    ),
    "tolerance for a kind that is not made": (
        Asked(fairness={"tolerances": [{"metric": "equal_opportunity", "kind": "wasserstein", "limit": 0.1}]}),
        "fairness.tolerances",
        "the wasserstein of equal_opportunity",
    ),
    "tolerance for a column that is not grouped by": (
        Asked(fairness={"tolerances": [{"metric": "equal_opportunity", "limit": 0.1, "column": "sex"}]}),
        "fairness.tolerances",
        "equal_opportunity by 'sex', which is no grouping",
    ),
    "more groups than are compared": (
        Asked(fairness={"groupings": [{"columns": ["count", "sex"]}]}, model=NeverFitted),
        "fairness.groupings, grouping 'count & sex'",
        "at most 200 are compared",
    ),
    # target
    "target of three values": (
        Asked(lambda frame: frame.assign(repaid=frame.index % 3), label_range=(0, 2)),
        "training.target and task",
        "not binary",
    ),
    "target of one class in training": (
        Asked(lambda frame: frame.assign(repaid=1)),
        "training.target and task",
        "1: 150 rows",
    ),
    "scores that are no probabilities": (Asked(model=LogitsAsScores), "predict_proba", "of 150 rows"),
    "scores that are no probabilities, compared": (
        Asked(model=LogitsAsScores, mitigation={}),
        "predict_proba",
        "of 150 rows",
    ),
    "month that is not there": (Asked(training={"last_month": "2024-03"}), "loans.feature_store", "month 2024-02"),
    # what is mitigated for, and by what
    "sensitive column unknown": (
        compare(sensitive_column="religion"),
        "mitigation.sensitive_column",
        "it is not in the contract",
    ),
    "sensitive column of the model": (
        compare(sensitive_column="income"),
        "mitigation.sensitive_column",
        "its use is 'model'",
    ),
    "sensitive column forbidden": (
        compare(sensitive_column="secret"),
        "mitigation.sensitive_column",
        "its use is 'forbidden'",
    ),
    "sensitive column not grouped by": (
        compare(sensitive_column="sex"),
        "mitigation.sensitive_column",
        "no grouping by 'sex'",
    ),
    "mitigation by a metric that is not assessed": (
        compare(metric="calibration"),
        "mitigation.metric",
        "not among those assessed",
    ),
    "mitigation by an unknown metric": (compare(metric="magic"), "mitigation.metric", "equal_opportunity"),
    "mitigation by another kind": (compare(kind="wasserstein"), "mitigation.kind", "difference, ratio"),
    "mitigation by an unknown figure": (compare(performance="F1"), "mitigation.performance", "accuracy, AUC"),
    "mitigation by a figure of the other task": (compare(performance="R2"), "mitigation.performance", "no figure"),
    # methods
    "unknown method": (compare({"method": "reweihing"}), "mitigation.methods", "did you mean 'reweighing'?"),
    "method twice": (
        compare({"method": "reweighing"}, {"method": "reweighing"}),
        "mitigation.methods",
        "name 'reweighing'",
    ),
    "unknown parameter of a method": (
        compare({"method": "reweighing", "parameters": {"strength": 2}}),
        "parameters of reweighing",
        "it takes: cuts, target_bins",
    ),
    "parameter of another type": (
        compare(EXPONENTIATED | {"parameters": {"max_iter": "many"}}),
        "parameters of exponentiated_gradient, max_iter",
        "valid integer",
    ),
    "parameter that is none of the words": (
        compare(EXPONENTIATED | {"parameters": {"decision": "often"}}),
        "parameters of exponentiated_gradient, decision",
        "'score' or 'mixed'",
    ),
    "constraint that there is not": (
        compare(EXPONENTIATED | {"parameters": {"constraint": "magic"}}),
        "parameters of exponentiated_gradient, constraint",
        "there are: demographic_parity",
    ),
    "parameter out of range": (
        compare({"method": "disparate_impact_removal", "parameters": {"repair_level": 3}}),
        "mitigation.methods, parameters of disparate_impact_removal, repair_level",
        "less than or equal to 1",
    ),
    "split by a column that is not there": (
        Asked(training={"split": {"by": "column", "column": "part"}}),
        "parameters.yml, training.split.column",
        "there is no column 'part'",
    ),
    "split by a column of other words": (
        Asked(training={"split": {"by": "column", "column": "race"}}),
        "parameters.yml, training.split.column",
        "White: ",
    ),
    "split by months not trained on": (
        Asked(training={"split": {"by": "months", "test": ["2025-01"]}}),
        "parameters.yml, training.split.test",
        "trained on: 2024-01",
    ),
    "split by the one unit there is": (
        Asked(lambda f: f.assign(race="White"), training={"split": {"by": "unit", "column": "race"}}),
        "parameters.yml, training.split.column",
        "names one unit only",
    ),
    "choice that is not compared": (compare(chosen="magic"), "mitigation.chosen", "it is not in the comparison"),
    "choice that the contract refuses": (
        compare({"method": "threshold_optimisation"}, chosen="threshold_optimisation"),
        "mitigation.chosen",
        "the contract does not permit",
    ),
    "choice for the other task": (
        compare({"method": "bounded_group_loss"}, chosen="bounded_group_loss"),
        "mitigation.chosen",
        "is for regression, not for classification",
    ),
    "choice that the model cannot serve": (
        replace(compare(chosen="reweighing"), training={"estimator": TAKES_NO_WEIGHTS}),
        "mitigation.chosen",
        "LinearDiscriminantAnalysis takes no weights",
    ),
    "choice whose constraint is not feasible": (
        compare(EXPONENTIATED | {"parameters": {"tolerance": 0.0, "max_iter": 2}}, chosen="exponentiated_gradient"),
        "mitigation.chosen",
        "is not kept on the training rows, so that there is no model",
    ),
    "alternative outside the allowed modules": (
        compare(alternatives={"odd": {"class": "subprocess.Popen"}}),
        "mitigation.alternatives.odd.class",
        "outside the allowed modules",
    ),
    "alternative without scores": (
        compare(alternatives={"svc": SVC}),
        "mitigation.alternatives.svc",
        "gives no probabilities",
    ),
    "alternative for the other task": (
        compare(alternatives={"line": {"class": "sklearn.linear_model.LinearRegression"}}),
        "mitigation.alternatives.line",
        "is for regression",
    ),
    "alternative that cannot be fitted": (
        compare(alternatives={"odd": {"class": "sklearn.linear_model.LogisticRegression", "params": {"C": -1}}}),
        "mitigation.alternatives.odd",
        "'C' parameter",
    ),
}


@pytest.mark.parametrize("case", ERRORS.values(), ids=ERRORS)
def test_what_cannot_be_done_names_the_key_on_one_screen(
    case: tuple[Asked, str, str], train: Callable[[Asked], dict[str, Any]]
) -> None:
    asked, where, words = case

    with pytest.raises(RaiError) as caught:
        train(asked)

    error, shown = caught.value, str(caught.value)
    assert where in (error.where or "")
    assert words in shown
    assert sum(1 + len(line) // WIDTH for line in shown.splitlines()) <= HEIGHT


@pytest.mark.parametrize(
    ("section", "changes", "words"),
    [
        (FairnessParameters, {"metrics": ["statistical_partiy"]}, "did you mean 'statistical_parity'"),
        (FairnessParameters, {"metrics": []}, "at least 1 item"),
        (FairnessParameters, {"level": 1.2}, "less than 1"),
        (FairnessParameters, {"tolerances": [{"metric": "statistical_parity", "limit": -1}]}, "greater than or equal"),
        (FairnessParameters, {"tolerances": [{"metric": "statistical_parity", "kind": "gap", "limit": 1}]}, "kind"),
        (TrainingParameters, {"last_month": "2023-12"}, "'last_month' 2023-12 lies before 'month' 2024-01"),
        (TrainingParameters, {"last_month": "2024-13"}, "last_month"),
        (MitigationParameters, {"methods": [{"methd": "reweighing"}]}, "methd"),
        (MitigationParameters, {"tolerance": -0.1}, "greater than or equal"),
    ],
)
def test_what_the_parameters_refuse_before_anything_runs(section: type, changes: dict[str, Any], words: str) -> None:
    good = {FairnessParameters: FAIRNESS, TrainingParameters: TRAINING, MitigationParameters: MITIGATION}[section]
    name = f"loans.{section.__name__.removesuffix('Parameters').lower()}"
    instantiate_model(name, good, section)

    with pytest.raises(ParameterValidationError) as caught:
        instantiate_model(name, good | changes, section)

    # As Kedro gathers the errors of all sections.
    gathered = ParameterValidationError(f"Parameter validation failed:\n- Parameter '{name}': {caught.value}")
    shown = explain(gathered) or ""
    assert words in shown
    assert f"where:    conf/base/loans/parameters.yml (or that of the environment), {name}" in shown
    assert "pydantic" not in shown


def test_a_misspelt_key_is_named_with_the_right_ones() -> None:
    with pytest.raises(ParameterValidationError) as caught:
        instantiate_model("loans.training", TRAINING | {"test_sise": 0.5}, TrainingParameters)

    shown = explain(ParameterValidationError(f"- Parameter 'loans.training': {caught.value}")) or ""

    assert "loans.training.test_sise" in shown
    assert "there are: task, month, last_month, target, unit, features, test_size" in shown


JUDGED = {"tolerances": [{"metric": "equal_opportunity", "limit": 0.1}, {"metric": "statistical_parity", "limit": 0.1}]}
VERDICTS = {
    "group of one row": (only(RARE, 1), JUDGED, "insufficient_evidence", f"{RARE} (1 rows)"),
    "group of one class, without positives": (
        only(RARE, 40, repaid=0),
        JUDGED,
        "insufficient_evidence",
        f"not assessed: {RARE}: no rows with a favourable label",
    ),
    "group of one class, without negatives": (
        only(RARE, 40, repaid=1),
        {"metrics": ["predictive_equality"], "tolerances": [{"metric": "predictive_equality", "limit": 0.1}]},
        "insufficient_evidence",
        f"not assessed: {RARE}: no rows with an unfavourable label",
    ),
    "sensitive column constant": (
        lambda f: f.assign(race="White"),
        JUDGED,
        "could_not_be_evaluated",
        "race: only the group 'White' has rows",
    ),
    "sensitive column all missing": (
        lambda f: f.assign(race=None),
        JUDGED,
        "could_not_be_evaluated",
        "race: only the group 'missing' has rows",
    ),
    "declared group absent": (
        lambda f: f,
        JUDGED | {"groupings": [{"columns": ["race"], "declared": [RARE]}]},
        "insufficient_evidence",
        f"not assessed: {RARE}",
    ),
    "no tolerance": (lambda f: f, {"tolerances": []}, "could_not_be_evaluated", "no tolerance is set"),
}


def told(gate: dict[str, Any]) -> str:
    """Everything that the gate says in words."""
    figures = [figure for verdict in gate["verdicts"] for figure in verdict["disparity"]["groups"]]
    reasons = [verdict["reason"] for verdict in gate["verdicts"]]
    return " | ".join([*gate["problems"], *reasons, *(f"{one['group']} ({one['n']} rows)" for one in figures)])


@pytest.mark.parametrize("case", VERDICTS.values(), ids=VERDICTS)
def test_what_the_data_lack_is_a_verdict_that_says_so(
    case: tuple[Callable[[pd.DataFrame], pd.DataFrame], dict[str, Any], str, str],
    train: Callable[[Asked], dict[str, Any]],
) -> None:
    table, fairness, outcome, words = case

    found = train(Asked(table, fairness=fairness))

    assert found["gate"]["outcome"] == outcome
    assert words in told(found["gate"])
    # Nobody is dropped: every group in the data is in the table of the groups.
    groups = {figure["group"] for table in found["assessment"]["tables"] for figure in table["figures"]}
    assert groups >= set(table(make_loans())["race"].dropna())


def test_one_class_in_the_test_rows_is_measured_as_far_as_it_goes(train: Callable[[Asked], dict[str, Any]]) -> None:
    """The split is random, so the rows that are held out are found first."""
    held_out: list[int] = []

    def find(frame: pd.DataFrame) -> pd.DataFrame:
        from rai_kedro.modelling import split_rows

        split = split_rows(frame[["income"]], frame["repaid"], test_size=0.5, random_state=0)
        held_out.extend(split.target_test.index)
        frame.loc[held_out, "repaid"] = 0
        return frame

    found = train(Asked(find, fairness=JUDGED))

    assert found["gate"]["outcome"] == "could_not_be_evaluated"
    assert "equal_opportunity" in " ".join(found["gate"]["problems"])
    auc = next(one for one in found["performance"] if (one["split"], one["name"]) == ("test", "AUC"))
    assert auc["value"] is None
    assert auc["note"] == "fewer than two rows of a class"


def test_a_split_by_unit_may_use_an_identifier(train: Callable[[Asked], dict[str, Any]]) -> None:
    """Each row its own unit: as many rows as at random, and others."""
    plain, by_unit = (train(Asked(training=one)) for one in ({}, {"split": {"by": "unit", "column": "row"}}))

    sizes = [next(one["n"] for one in found["performance"] if one["split"] == "test") for found in (plain, by_unit)]
    assert sizes[0] == sizes[1]
    assert plain["performance"] != by_unit["performance"]


STRANGE = {
    "group of one row": (
        lambda f: f.assign(race=f["race"].where(f.index > 0, RARE)),
        "reweighing",
        "'Other': 1 row(s)",
    ),
    "group without positives": (only(RARE, 40, repaid=0), "reweighing", "none of outcome 1|some groups lack one"),
    "column constant": (lambda f: f.assign(race="White"), "reweighing", "only one group"),
    "column all missing": (lambda f: f.assign(race=None), "reweighing", "has no value"),
    "constraint not feasible": (lambda f: f, "exponentiated_gradient", "is not kept on the training rows"),
    "constraint not feasible on the grid": (lambda f: f, "grid_search", "not kept|no model"),
}
STRICT = {
    "exponentiated_gradient": {"tolerance": 0.0, "max_iter": 2},
    "grid_search": {"tolerance": 0.0, "grid_size": 3},
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_method_that_gives_no_model_is_on_record_and_said(
    name: str, train: Callable[[Asked], dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    table, method, words = STRANGE[name]
    asked = compare({"method": method, "parameters": STRICT.get(method, {})})

    found = train(replace(asked, table=table))

    model = next(one for one in found["compared"].models if one.name == method)
    assert (model.status, model.may_be_used) == ("failed", False)
    assert any(word in model.reason for word in words.split("|")), model.reason
    assert found["compared"].chosen != method
    assert method not in found["compared"].estimators
    assert f"{method} gives no model (failed)" in caplog.text


@pytest.mark.parametrize(
    ("method", "estimator", "words"),
    [
        ("bounded_group_loss", None, "is for regression, not for classification"),
        ("threshold_optimisation", None, "the contract does not permit"),
        ("reweighing", TAKES_NO_WEIGHTS, "LinearDiscriminantAnalysis takes no weights"),
    ],
)
def test_a_method_that_does_not_apply_is_refused_and_said(
    method: str,
    estimator: dict[str, Any] | None,
    words: str,
    train: Callable[[Asked], dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    training = {"estimator": estimator} if estimator else {}

    found = train(replace(compare({"method": method}), training=training))

    model = next(one for one in found["compared"].models if one.name == method)
    assert (model.status, model.may_be_used) == ("refused", False)
    assert words in model.reason
    assert found["compared"].chosen == "unmitigated"
    assert f"{method} gives no model (refused)" in caplog.text


def test_a_group_that_only_the_test_rows_have_stops_what_cannot_answer_for_it_and_nothing_else(
    train: Callable[[Asked], dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    found = train(replace(compare({"method": "reweighing"}), table=only(RARE, 1), fairness=JUDGED))

    models = {one.name: one for one in found["compared"].models}
    assert models["post_processed"].status == "failed"
    assert f"unknown: {RARE}" in models["post_processed"].reason
    assert "post_processed" not in found["compared"].estimators
    assert "post_processed gives no model (failed)" in caplog.text
    assert {group.group for group in models["reweighing"].outcomes} == {"Black", RARE, "White"}


def test_a_method_that_aims_at_another_metric_says_so(train: Callable[[Asked], dict[str, Any]]) -> None:
    found = train(compare({"method": "reweighing"}, metric="equal_opportunity"))

    model = next(one for one in found["compared"].models if one.name == "reweighing")
    assert "does not aim at equal_opportunity" in model.reason


# Through the real command: what is configured in YAML, on the project as shipped.


def edit(section: str, **changes: Any) -> Callable[[Any], None]:
    return lambda project: project.edit(PARAMETERS, lambda content: content["housing"][section].update(changes))


TIGHT = {"method": "bounded_group_loss", "parameters": {"upper_bound": 0.001}}
COMMANDS = {
    "infeasible choice": (
        edit("mitigation", methods=[TIGHT], chosen="bounded_group_loss"),
        ("'bounded_group_loss' cannot be used", "mitigation.chosen", "there is no model", "choose one of: unmitigated"),
    ),
    "metric of the other task": (
        edit("fairness", metrics=["statistical_parity"]),
        ("'statistical_parity' fits classification, not regression", "parameters.yml, fairness.metrics"),
    ),
    "sensitive column not audited": (
        edit("mitigation", sensitive_column="RM"),
        ("'RM' is not audited", "parameters.yml, mitigation.sensitive_column", "B, LSTAT"),
    ),
    "misspelt metric": (
        edit("fairness", metrics=["mean_absolut_error"]),
        ("did you mean 'mean_absolute_error'", "parameters.yml", "housing.fairness.metrics"),
    ),
    "last month before the first": (
        edit("training", last_month="2023-12"),
        ("'last_month' 2023-12 lies before 'month' 2024-01", "parameters.yml", "housing.training"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", COMMANDS.values(), ids=COMMANDS)
def test_the_command_stops_and_registers_nothing(
    case: tuple[Callable[[Any], None], tuple[str, ...]],
    trained: Any,
    copy_of: Callable[[Any], Any],
    assert_one_screen: Callable[[Any], str],
) -> None:
    breaks, words = case
    project = copy_of(trained)
    breaks(project)
    before = written(project), project.query("SELECT count(*) FROM model_versions")

    outcome = project.kedro("run", "--pipelines", "training")

    error = " ".join(assert_one_screen(outcome).split())
    assert [word for word in words if word not in error] == []
    assert (written(project), project.query("SELECT count(*) FROM model_versions")) == before


def written(project: Any) -> dict[str, str]:
    """Digest of every file that a run writes; energy used by a run that stopped is on record all the same."""
    digests: dict[str, str] = project.digests(project.data)
    carbon = {"training_carbon.json", ".training_carbon.lock"}
    return {path: digest for path, digest in digests.items() if Path(path).name not in carbon}


@pytest.mark.slow
def test_a_table_without_a_second_group_ends_in_a_closed_gate(fresh: Any, copy_of: Callable[[Any], Any]) -> None:
    """A classification of one's own, whose sensitive column is constant: everything runs, nothing passes."""
    project = copy_of(fresh)
    table = make_loans().drop(columns=["row", "month", "secret"])
    table.to_csv(project.root / "mine.csv", index=False)
    asked = ("--data", "mine.csv", "--target", "repaid", "--task", "classification", "--month", "2024-01")
    project.succeed("rai", "new-use-case", "loans", *asked, "--accept-draft", "R. Viewer")
    table.assign(race="White").to_csv(project.root / "mine.csv", index=False)

    outcome = project.succeed("run", "--pipelines", "loans")
    gate = project.kedro("rai", "gate", "--use-case", "loans")

    assert re.search(r"fairness +not assessed", outcome.output)
    assert "reweighing gives no model (failed)" in " ".join(outcome.output.split())
    assert gate.code == 3
    assert "race" in gate.output
