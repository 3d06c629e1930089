"""Outcomes of three classes or more: one class against the rest, the worst class, and what wrong decisions cost.

Every class in turn is the favourable outcome, against all others together. A metric's disparity is that of the class
for which it is worst; each class is measured at Bonferroni's level, so that the interval of the worst one holds
whichever class that is. Beside it stands the expected cost: the share of rows decided wrongly, or the mean of what a
cost matrix says of label and decision (of ordered classes by how many steps they lie apart).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.fairness.assessment import (
    Assessment,
    FairnessSpec,
    GroupTable,
    examine_classification,
    examine_regression,
    hold_together,
)
from rai_kedro.fairness.estimates import Disparity
from rai_kedro.fairness.metrics import METRICS, MetricError
from rai_kedro.fairness.tables import GroupCounts, OutcomeError, StratumCounts
from rai_kedro.intervals import combine_worst, part_level

EXPECTED_COST = "expected_cost"
FEWEST, MOST = 3, 50
_BY_RIGHT_OR_WRONG = ("statistical_parity", "selection rate")
_BY_AMOUNT = ("mean_prediction", "mean prediction")


def examine_classes(  # noqa: PLR0913 - as examine_classification, and the classes
    y: Any,
    prediction: Any,
    audit: pd.DataFrame,
    spec: FairnessSpec,
    *,
    classes: Sequence[Any] | None = None,
    costs: Any = None,
) -> Assessment:
    """Assess decisions among several classes.

    Args:
        y: Labels, shape (rows,); missing where not known.
        prediction: Decisions among the same classes, shape (rows,); missing where withheld.
        audit: Audited columns of the same rows.
        spec: What is assessed; metrics of shares of decisions, of all classes alike.
        classes: All classes, in their order; those found, sorted, if None.
        costs: What a decision costs, shape (classes, classes), a row for each label and a column for each decision, in
            the order of ``classes``; ``"steps"``: how many classes lie between them; 1 for each wrong one if None.

    Returns:
        The disparities of the worst class and of the expected cost; those of each class in ``by_class``.

    Raises:
        MetricError: A metric is not one of shares of decisions.
        OutcomeError: There are fewer than three classes, or many as of an amount; or costs do not fit them.
    """
    labels, decided = (pd.Series(one).reset_index(drop=True) for one in (y, prediction))
    audit = audit.reset_index(drop=True)
    _check_metrics(spec)
    names = _list_classes(labels, decided, classes)
    matrix = _read_costs(costs, len(names))

    def measure(level: float) -> tuple[list[Disparity], dict[str, Assessment], tuple[GroupTable, ...]]:
        part = spec.model_copy(update={"level": part_level(level, len(names)), "favourable": 1})
        found = {
            str(name): examine_classification(_is(labels, name), _is(decided, name), None, audit, part)
            for name in names
        }
        worst = [_find_worst([one.disparities[at] for one in found.values()], found, level) for at in _places(found)]
        paid, tables = _measure_cost(labels, decided, names, matrix, audit, spec.model_copy(update={"level": level}))
        return [*worst, *paid], found, tables

    _, by_class, tables = measure(spec.level)
    disparities = hold_together(lambda level, _: measure(level)[0], spec.level)
    sample = next(iter(by_class.values())).sample
    return Assessment(disparities=tuple(disparities), tables=tables, sample=sample, by_class=by_class)


def _check_metrics(spec: FairnessSpec) -> None:
    of_decisions = [name for name, one in METRICS.items() if one.table in (GroupCounts, StratumCounts)]
    allowed = [name for name in of_decisions if name != "overall_accuracy_equality"]
    for name in spec.metrics:
        if name not in allowed:
            accuracy = name == "overall_accuracy_equality"
            raise MetricError(
                f"The metric {name!r} does not fit more than two classes.",
                where="fairness.metrics",
                remedy="leave it out: 'expected_cost' is the share of rows decided wrongly, and always measured"
                if accuracy
                else f"choose among: {', '.join(allowed)}",
            )


def _list_classes(labels: pd.Series[Any], decided: pd.Series[Any], classes: Sequence[Any] | None) -> list[Any]:
    found = list(dict.fromkeys([*labels.dropna().unique().tolist(), *decided.dropna().unique().tolist()]))
    names = sorted(found, key=lambda one: (isinstance(one, str), one)) if classes is None else list(classes)
    strange = [one for one in found if one not in names]
    if strange or not FEWEST <= len(names) <= MOST or len(set(map(str, names))) < len(names):
        raise OutcomeError(
            "The outcomes are not among the classes named."
            if strange
            else "The outcomes are not of three classes or more, each with a name of its own.",
            where="label",
            how_many=f"{len(found)} different values",
            example=", ".join(map(repr, (strange or found)[:5])),
            remedy="name every class in 'classes'; assess two classes as classification, an amount as regression",
        )
    return names


def _read_costs(costs: Any, classes: int) -> npt.NDArray[np.float64]:
    """Return what each decision costs, shape (classes, classes)."""
    if costs is None:
        return 1 - np.eye(classes)
    if isinstance(costs, str) and costs == "steps":
        steps = np.arange(classes, dtype=float)
        return np.abs(steps[:, None] - steps)
    try:
        matrix = np.asarray(costs, dtype=float)
    except (TypeError, ValueError):
        matrix = np.array([])
    if matrix.shape != (classes, classes) or not np.isfinite(matrix).all() or (matrix < 0).any():
        raise OutcomeError(
            "The costs are not one number, 0 or more, for each label and decision.",
            where="costs",
            how_many=f"shape {matrix.shape}, and there are {classes} classes",
            remedy="give a row for each label and a column for each decision, in the order of 'classes'; or 'steps'",
        )
    return matrix


def _is(values: pd.Series[Any], name: Any) -> pd.Series[Any]:
    """Return 1 where a row is of a class, 0 where it is of another, missing where nothing is known."""
    found: pd.Series[Any] = (values == name).astype(float).where(values.notna())
    return found


def _places(found: Mapping[str, Assessment]) -> range:
    return range(len(next(iter(found.values())).disparities))


def _find_worst(parts: Sequence[Disparity], names: Mapping[str, Assessment], level: float) -> Disparity:
    """Return the disparity of the class for which it is worst, with an interval that holds whichever class that is."""
    kind = parts[0].kind
    interval = combine_worst(parts, level, kind="ratio" if kind == "ratio" else "difference")
    known = [(one.value, name, one) for name, one in zip(names, parts, strict=True) if one.value is not None]
    missing = dict.fromkeys(why for one in parts for why in one.not_assessed)
    told = {"level": level, "lower": interval.lower, "upper": interval.upper, "how": interval.how}
    rest = {"groups": (), "by_group": (), "jointly": None, "not_assessed": tuple(missing)}
    if not known:
        return parts[0].model_copy(update={**told, **rest})
    value, name, worst = (min if kind == "ratio" else max)(known, key=lambda one: one[0])
    return worst.model_copy(update={"value": value, "of_class": name, "note": interval.note, **told, **rest})


def _measure_cost(  # noqa: PLR0913, PLR0917 - the rows, and what a decision on them costs
    labels: pd.Series[Any],
    decided: pd.Series[Any],
    names: Sequence[Any],
    matrix: npt.NDArray[np.float64],
    audit: pd.DataFrame,
    spec: FairnessSpec,
) -> tuple[list[Disparity], tuple[GroupTable, ...]]:
    """Measure what decisions cost each group on average; of right and wrong ones as the share that it is."""
    at = {name: place for place, name in enumerate(names)}
    rows, columns = labels.map(at), decided.map(at)
    known = rows.notna() & columns.notna()
    paid = pd.Series(np.nan, index=labels.index)
    paid[known] = matrix[rows[known].astype(int), columns[known].astype(int)]
    is_share = bool(np.isin(matrix, (0.0, 1.0)).all())
    metric, rate = _BY_RIGHT_OR_WRONG if is_share else _BY_AMOUNT
    only = spec.model_copy(update={"metrics": (metric,), "favourable": 1})
    found = (
        examine_classification(paid, paid, None, audit, only)
        if is_share
        else examine_regression(paid, paid, audit, only)
    )
    told = [one.model_copy(update={"metric": EXPECTED_COST, "jointly": None}) for one in found.disparities]
    return told, tuple(_keep(one, rate) for one in found.tables)


def _keep(table: GroupTable, rate: str) -> GroupTable:
    """Keep of a table the figures of one rate, which is the expected cost."""
    name = EXPECTED_COST.replace("_", " ")
    figures = tuple(one.model_copy(update={"rate": name}) for one in table.figures if one.rate == rate)
    return table.model_copy(update={"figures": figures})
