"""Models held against the true need, which only a simulation knows, and which nothing that fits or chooses may see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from rai_kedro.fairness.grouping import make_groups
from rai_kedro.fairness.request import FairnessSpec
from rai_kedro.mitigation.comparison.compared import ComparedModel
from rai_kedro.mitigation.comparison.comparing import Comparison
from rai_kedro.mitigation.comparison.evaluation import answer, assess
from rai_kedro.mitigation.comparison.paired import Answers
from rai_kedro.mitigation.comparison.rows import Rows
from rai_kedro.mitigation.sensitive import MitigationError

if TYPE_CHECKING:
    from rai_kedro.fairness.assessment import Assessment

# Against the truth these say who is passed over, and who is favoured without need.
_OF_NEED = ("equal_opportunity", "predictive_equality")


def hold_against_need(
    comparison: Comparison, test: Rows, true_need: pd.Series[Any], fairness: FairnessSpec
) -> Comparison:
    """Assess every fitted model against the true need: a fair model of an unfair label need not be fair.

    The comparison is concluded before: neither the fits nor the choice can know the need.

    Args:
        comparison: The concluded comparison, with its fitted models.
        test: The test rows it was made on.
        true_need: What the label should have been, 0 or 1 (or the true value of a regression), shape (rows,).
        fairness: What is assessed, with the groups of the comparison (see ``grouping.resolve_cuts``).

    Returns:
        The same comparison, each fitted model with ``need_assessment`` and the need of each group.

    Raises:
        MitigationError: There is not one true need for each test row.
    """
    if len(true_need) != len(test.target) or true_need.isna().any():
        raise MitigationError(
            "The true need is not known for every test row.",
            how_many=f"{int(true_need.notna().sum())} known, {len(test.target)} test rows",
            remedy="simulate again, so that need and stores are of the same visits",
        )
    models = tuple(_add_need(model, comparison, test, true_need, fairness) for model in comparison.models)
    return replace(comparison, models=models)


def _add_need(
    model: ComparedModel, comparison: Comparison, test: Rows, need: pd.Series[Any], fairness: FairnessSpec
) -> ComparedModel:
    estimator = comparison.estimators.get(model.name)
    if estimator is None:
        return model
    answers = answer(test, comparison.by.column, estimator)
    grouping = make_groups(test.audit, next(one for one in fairness.groupings if one.name == comparison.by.column))
    values = need.to_numpy(dtype=float)
    counted: Literal["sum", "mean"] = "sum" if comparison.task == "classification" else "mean"
    needed = {
        group: float(getattr(values[grouping.codes == at], counted)()) for at, group in enumerate(grouping.groups)
    }
    outcomes = tuple(replace(outcome, needed=needed[outcome.group]) for outcome in model.outcomes)
    assessment = _assess_need(comparison, answers, need, test.audit, fairness)
    return replace(model, need_assessment=assessment, outcomes=outcomes)


def _assess_need(
    comparison: Comparison, answers: Answers, need: pd.Series[Any], audit: pd.DataFrame, spec: FairnessSpec
) -> Assessment:
    from rai_kedro.fairness.assessment import Assessment, examine_regression

    if comparison.task == "regression":
        return assess("regression", answers, need.to_numpy(dtype=float), audit, spec)
    metrics = tuple(dict.fromkeys([*spec.metrics, *_OF_NEED]))
    of_need = spec.model_copy(update={"metrics": metrics})
    found = assess("classification", answers, need.to_numpy(dtype=np.int64), audit, of_need)
    # Selection rates say nothing of need by themselves: their distance from the share in need does.
    off = examine_regression(
        pd.Series(need.to_numpy(dtype=float), index=audit.index),
        pd.Series(answers.prediction, index=audit.index),
        audit,
        spec.model_copy(update={"metrics": ("mean_signed_error",)}),
    )
    return Assessment(disparities=found.disparities + off.disparities, tables=found.tables + off.tables)
