"""One model on the test rows: performance, fairness, what each group gets, and ROC by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.fairness.grouping import Grouping, make_groups
from rai_kedro.fairness.metrics import Task
from rai_kedro.fairness.request import FairnessSpec
from rai_kedro.mitigation.comparison.compared import (
    Comparator,
    ComparedModel,
    GroupCurve,
    GroupOutcome,
    PerformanceFigure,
)
from rai_kedro.mitigation.comparison.paired import Answers, measure_gain
from rai_kedro.mitigation.comparison.rows import Rows
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.modelling.prediction import predict_rows, sensitive_input

if TYPE_CHECKING:
    from rai_kedro.fairness.assessment import Assessment
    from rai_kedro.mitigation.comparison.fitting import Attempt

_CURVE_POINTS = 101
_SHOWN: dict[Task, str] = {"classification": "selection rate", "regression": "mean prediction"}


@dataclass(frozen=True, eq=False)
class Evaluator:
    """What models are evaluated with.

    Attributes:
        test: Test rows.
        column: The sensitive column.
        fairness: What is assessed.
        measure: Figures of performance of labels, predictions and scores.
        task: The task.
        by: What models are held against each other by.
    """

    test: Rows
    column: str
    fairness: FairnessSpec
    measure: Callable[[Any, Any, Any], Sequence[Any]]
    task: Task
    by: Comparator


def evaluate_model(
    evaluator: Evaluator, attempt: Attempt, unmitigated: Answers | None
) -> tuple[ComparedModel, Answers]:
    """Measure a model on the test rows.

    Args:
        evaluator: Rows, metrics and performance.
        attempt: The model.
        unmitigated: Answers of the unmitigated model; None for itself.

    Returns:
        Its figures (without any where there is no model, or where it has no answer for some of the test rows, such as
        those of a group that no training row belongs to), and its answers.
    """
    told = {name: getattr(attempt, name) for name in attempt.__dataclass_fields__ if name != "estimator"}
    if attempt.estimator is None:
        return ComparedModel(**told), Answers(np.empty(0))
    try:
        answers = answer(evaluator.test, evaluator.column, attempt.estimator)
    except MitigationError as error:
        without = {"status": "failed", "may_be_used": False, "reason": error.tell()}
        return ComparedModel(**told | without), Answers(np.empty(0))
    test, by = evaluator.test, evaluator.by
    figures = evaluator.measure(test.target.to_numpy(), answers.prediction, answers.score)
    truth = test.target.to_numpy(dtype=float)
    level = evaluator.fairness.level
    gains = [] if unmitigated is None else [by.performance, *by.guards]
    assessment = assess(evaluator.task, answers, test.target.to_numpy(), test.audit, evaluator.fairness)
    grouping = make_groups(test.audit, next(g for g in evaluator.fairness.groupings if g.name == by.column))
    model = ComparedModel(
        **told,
        performance=tuple(PerformanceFigure.read(figure) for figure in figures),
        gains=tuple(measure_gain(name, truth, answers, unmitigated or answers, level=level) for name in gains),
        assessment=assessment,
        outcomes=_list_outcomes(evaluator, answers, grouping, assessment),
        curves=() if answers.score is None else tuple(_draw_curves(truth, answers.score, grouping)),
    )
    return model, answers


def answer(rows: Rows, column: str, estimator: Any) -> Answers:
    """Return what a fitted model says of rows; it gets the sensitive column only if it needs it.

    Args:
        rows: The rows.
        column: The sensitive column.
        estimator: A fitted model.

    Raises:
        PredictionError: A score is no probability.
    """
    features = rows.features_for(column, needs_sensitive=sensitive_input(estimator) is not None)
    predicted = predict_rows(estimator, features).astype(float)
    return Answers(predicted["prediction"].to_numpy(), predicted["score"].to_numpy() if "score" in predicted else None)


def assess(
    task: Task, answers: Answers, truth: npt.NDArray[Any], audit: pd.DataFrame, spec: FairnessSpec
) -> Assessment:
    """Assess answers for fairness against the recorded label, or against what is known to be true.

    Args:
        task: The task.
        answers: What a model says of the rows.
        truth: What the answers are held against, shape (rows,).
        audit: Audited columns, shape (rows, columns).
        spec: What is assessed.
    """
    from rai_kedro.fairness.assessment import examine_classification, examine_regression

    held, prediction = pd.Series(truth, index=audit.index), pd.Series(answers.prediction, index=audit.index)
    if task == "regression":
        return examine_regression(held, prediction, audit, spec)
    score = None if answers.score is None else pd.Series(answers.score, index=audit.index)
    return examine_classification(held, prediction.astype(np.int64), score, audit, spec)


def _list_outcomes(
    evaluator: Evaluator, answers: Answers, grouping: Grouping, assessment: Assessment
) -> tuple[GroupOutcome, ...]:
    table = next(one for one in assessment.tables if one.column == grouping.column)
    shown = {one.group: one for one in table.figures if one.rate == _SHOWN[evaluator.task]}
    truth = evaluator.test.target.to_numpy(dtype=float)
    counted: Literal["sum", "mean"] = "sum" if evaluator.task == "classification" else "mean"
    outcomes = []
    for at, group in enumerate(grouping.groups):
        rows = grouping.codes == at
        figure = shown.get(group)
        outcomes.append(
            GroupOutcome(
                group,
                int(rows.sum()),
                float(getattr(truth[rows], counted)()),
                float(getattr(answers.prediction[rows], counted)()),
                figure.value if figure else None,
                figure.lower if figure else None,
                figure.upper if figure else None,
            )
        )
    return tuple(outcomes)


def _draw_curves(truth: npt.NDArray[Any], score: npt.NDArray[Any], grouping: Grouping) -> list[GroupCurve]:
    from sklearn.metrics import roc_auc_score, roc_curve

    curves = []
    for at, group in enumerate(grouping.groups):
        rows = grouping.codes == at
        if len(np.unique(truth[rows])) < 2:  # noqa: PLR2004 - a curve needs both classes
            curves.append(GroupCurve(group, int(rows.sum()), (), (), None))
            continue
        false, true, _ = roc_curve(truth[rows], score[rows])
        kept = np.unique(np.linspace(0, len(false) - 1, _CURVE_POINTS).astype(int))
        auc = float(roc_auc_score(truth[rows], score[rows]))
        points = [tuple(np.round(rates[kept], 6).tolist()) for rates in (false, true)]
        curves.append(GroupCurve(group, int(rows.sum()), points[0], points[1], auc))
    return curves
