"""One model on the test rows: performance, fairness, what each group gets, and ROC by group.

Against the true need, which only a simulation knows, models are assessed when the comparison is concluded: nothing that
fits or chooses may see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.fairness import Assessment, FairnessSpec, Grouping, Task, make_groups, read_design
from rai_kedro.mitigation.compared import ComparedModel, Comparison, GroupCurve, GroupOutcome
from rai_kedro.mitigation.fitting import Attempt, Rows, Setting, measure
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.modelling import predict_rows, sensitive_input
from rai_kedro.performance import Answers, Gain, joint_level, measure_gain

_CURVE_POINTS = 101
_SHOWN: dict[Task, str] = {"classification": "selection rate", "regression": "mean prediction"}
_COUNTED: dict[Task, Literal["sum", "mean"]] = {"classification": "sum", "regression": "mean"}
_PARTS = {"share": "value", "lower": "lower", "upper": "upper"}
# Against the truth these say who is passed over, and who is favoured without need.
_OF_NEED = ("equal_opportunity", "predictive_equality")


def evaluate_models(setting: Setting, attempts: Sequence[Attempt]) -> list[ComparedModel]:
    """Measure all models on the rows of the comparison, the first of them the unmitigated one that others gain over.

    Gains hold for all models at once that could be chosen, so that the chosen one's does.
    """
    (plain, unmitigated), *others = (evaluate_model(setting, one) for one in attempts)
    names, truth = (setting.by.performance, *setting.by.guards), setting.test.target.to_numpy().astype(float)
    if unmitigated is None:
        return [plain, *(model for model, _ in others)]
    rivals = [answers for model, answers in others if answers is not None and model.may_be_used]
    sampling = read_design(setting.test.audit, setting.fairness)
    level = joint_level(names, truth, rivals, unmitigated, level=setting.fairness.level, sampling=sampling)
    models = [plain]
    for model, answers in others:
        gains = (
            ()
            if answers is None
            else tuple(
                _widen(
                    measure_gain(name, truth, answers, unmitigated, level=level, sampling=sampling),
                    setting.fairness.level,
                    len(rivals),
                )
                for name in names
            )
        )
        models.append(model.model_copy(update={"gains": gains}))
    return models


def _widen(gain: Gain, level: float, models: int) -> Gain:
    if gain.level is None or models < 2:  # noqa: PLR2004 - one model is chosen among none
        return gain
    told = f"holds for {models} models at once, each at level {gain.level:.4g} (max-t over their errors on these rows)"
    return gain.model_copy(update={"level": level, "how": f"{gain.how}; {told}"})


def evaluate_model(setting: Setting, attempt: Attempt) -> tuple[ComparedModel, Answers | None]:
    """Measure a model on the rows of the comparison.

    Without figures, and with None for its answers, where there is no model, or where it has no answer for some of the
    rows, such as those of a group that no training row belongs to.
    """
    model, estimator = attempt
    if estimator is None:
        return model, None
    test, by, fairness = setting.test, setting.by, setting.fairness
    try:
        answers = answer(test, by.column, estimator)
    except MitigationError as error:
        return model.without_model("failed", error.tell()), None
    target = test.target.to_numpy()
    truth = target.astype(float)
    sampling = read_design(test.audit, fairness)
    assessment = assess(setting.task, answers, target, test.audit, fairness)
    grouping = _group(test, fairness, by.column)
    found = {
        "performance": tuple(measure(setting.task, target, answers, setting.level, sampling)),
        "assessment": assessment,
        "outcomes": _list_outcomes(setting.task, truth, answers, grouping, assessment),
        "curves": () if answers.score is None else tuple(_draw_curves(truth, answers.score, grouping)),
    }
    return model.model_copy(update=found), answers


def answer(rows: Rows, column: str, estimator: Any) -> Answers:
    """Return what a fitted model says of rows; it gets the sensitive column only if it needs it.

    Raises:
        ModellingError: A score is no probability.
        UnknownGroupError: Rows belong to a group that the model was not fitted for.
    """
    features = rows.features_for(column, needs_sensitive=sensitive_input(estimator) is not None)
    predicted = predict_rows(estimator, features).astype(float)
    return Answers(predicted["prediction"].to_numpy(), predicted["score"].to_numpy() if "score" in predicted else None)


def assess(
    task: Task, answers: Answers, truth: npt.NDArray[Any], audit: pd.DataFrame, spec: FairnessSpec
) -> Assessment:
    """Assess what a model says of rows; ``truth`` has shape (rows,)."""
    from rai_kedro.fairness import examine_classification, examine_regression

    if task == "regression":
        return examine_regression(truth, answers.prediction, audit, spec)
    return examine_classification(truth, answers.prediction.astype(np.int64), answers.score, audit, spec)


def hold_against_need(
    comparison: Comparison, test: Rows, true_need: pd.Series[Any], fairness: FairnessSpec
) -> Comparison:
    """Assess every fitted model against the true need: a fair model of an unfair label need not be fair.

    ``true_need`` is what the label should have been, shape (rows,), of the test rows that the comparison was made on;
    ``fairness`` has the groups of the comparison (see ``resolve_cuts``).

    Raises:
        MitigationError: There is not one true need for each test row.
    """
    if len(true_need) != len(test.target) or true_need.isna().any():
        raise MitigationError(
            "The true need is not known for every test row.",
            how_many=f"{int(true_need.notna().sum())} known, {len(test.target)} test rows",
            remedy="simulate again, so that need and stores are of the same visits",
        )
    task, column = comparison.task, comparison.by.column
    values = true_need.to_numpy(dtype=float)
    needed = _count(values, _group(test, fairness, column), task)
    models = []
    for model in comparison.models:
        found = {}
        if model.name in comparison.estimators:
            answers = answer(test, column, comparison.estimators[model.name])
            found = {
                "need_assessment": _assess_need(task, answers, values, test.audit, fairness),
                "outcomes": tuple(one.model_copy(update={"needed": needed[one.group]}) for one in model.outcomes),
            }
        models.append(model.model_copy(update=found))
    return comparison.model_copy(update={"models": tuple(models)})


def _assess_need(
    task: Task, answers: Answers, need: npt.NDArray[np.float64], audit: pd.DataFrame, spec: FairnessSpec
) -> Assessment:
    if task == "regression":
        return assess(task, answers, need, audit, spec)
    of_need, off = (
        spec.model_copy(update={"metrics": metrics})
        for metrics in (tuple(dict.fromkeys([*spec.metrics, *_OF_NEED])), ("mean_signed_error",))
    )
    found = assess(task, answers, need.astype(np.int64), audit, of_need)
    # Selection rates say nothing of need by themselves: their distance from the share in need does.
    distance = assess("regression", answers, need, audit, off)
    return Assessment(disparities=found.disparities + distance.disparities, tables=found.tables + distance.tables)


def _group(rows: Rows, fairness: FairnessSpec, column: str) -> Grouping:
    return make_groups(rows.audit, next(one for one in fairness.groupings if one.name == column))


def _count(values: npt.NDArray[Any], grouping: Grouping, task: Task) -> dict[str, float]:
    """Return the sum of each group's values, or of a regression their mean."""
    counted = _COUNTED[task]
    return {group: float(getattr(values[grouping.codes == at], counted)()) for at, group in enumerate(grouping.groups)}


def _list_outcomes(
    task: Task, truth: npt.NDArray[np.float64], answers: Answers, grouping: Grouping, assessment: Assessment
) -> tuple[GroupOutcome, ...]:
    table = next(one for one in assessment.tables if one.column == grouping.column)
    shown = {one.group: one for one in table.figures if one.rate == _SHOWN[task]}
    observed, predicted = _count(truth, grouping, task), _count(answers.prediction, grouping, task)
    return tuple(
        GroupOutcome(
            group=group,
            rows=int((grouping.codes == at).sum()),
            observed=observed[group],
            predicted=predicted[group],
            **{of: getattr(shown.get(group), part, None) for of, part in _PARTS.items()},
        )
        for at, group in enumerate(grouping.groups)
    )


def _draw_curves(truth: npt.NDArray[Any], score: npt.NDArray[Any], grouping: Grouping) -> list[GroupCurve]:
    from sklearn.metrics import roc_auc_score, roc_curve

    curves = []
    for at, group in enumerate(grouping.groups):
        mine = grouping.codes == at
        drawn: dict[str, Any] = {}
        if len(np.unique(truth[mine])) == 2:  # noqa: PLR2004 - a curve needs both classes
            false, true, _ = roc_curve(truth[mine], score[mine])
            kept = np.unique(np.linspace(0, len(false) - 1, _CURVE_POINTS).astype(int))
            points = [tuple(np.round(rates[kept], 6).tolist()) for rates in (false, true)]
            auc = float(roc_auc_score(truth[mine], score[mine]))
            drawn = {"false_positive_rates": points[0], "true_positive_rates": points[1], "auc": auc}
        curves.append(GroupCurve(group=group, rows=int(mine.sum()), **drawn))
    return curves
