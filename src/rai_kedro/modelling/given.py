"""Decisions and scores made elsewhere, read as a model: nothing is fitted, and the model itself is never seen.

What stands in a declared column is taken as it is; or a score is, and a rule decides by it: a threshold, the top k, or
the top share, of all rows of a month or of each unit (court, branch). What such a model answers of a row may depend on
the other rows of the month, so it is asked for whole months.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, ValidationError, model_validator
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from rai_kedro.contract import canonical
from rai_kedro.modelling.estimator import ModellingError
from rai_kedro.typed import Typed
from rai_kedro.words import list_some

High = Literal["favourable", "unfavourable"]
_OUTCOMES = 2
# A share of 0.1 of 30 rows is 3 rows, though 0.1 * 30 is a little less in binary numbers.
_ROUNDING = 1e-9


class DecisionRule(Typed):
    """Who is selected by a score: those from a ``threshold`` on, the ``top`` k, or the ``top_share``; one of the three.

    ``per`` names the column whose values (courts, branches) each select for themselves; without it the month is one.
    A share is never exceeded. Of equal scores at the cut the rows that stand first in the month are selected.
    """

    threshold: float | None = None
    top: int | None = Field(default=None, gt=0)
    top_share: float | None = Field(default=None, gt=0, lt=1)
    per: str | None = None

    @model_validator(mode="after")
    def _is_one_rule(self) -> Self:
        given = [name for name in ("threshold", "top", "top_share") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a rule is one of threshold, top and top_share, got {' and '.join(given) or 'none'}")
        if self.per is not None and self.threshold is not None:
            raise ValueError("'per' goes with top and top_share: a threshold is the same in every unit")
        return self

    def __str__(self) -> str:
        """Say who is selected, in a few words."""
        if self.threshold is not None:
            return f"scores of {self.threshold:g} and more"
        top = f"the top {self.top}" if self.top is not None else f"the top {100 * (self.top_share or 0):g} %"
        return f"{top} of each {self.per or 'month'}"


def select_rows(
    scores: npt.NDArray[np.float64], rule: DecisionRule, units: pd.Series[Any] | None = None
) -> tuple[npt.NDArray[np.bool_], int]:
    """Select rows by their scores.

    Args:
        scores: One number a row, none missing, shape (rows,).
        rule: Who is selected.
        units: The unit of each row where the rule has a ``per``, in the same order.

    Returns:
        Whether each row is selected, shape (rows,), and how many rows tie at a cut that goes through them.

    Raises:
        ModellingError: A unit has fewer rows than are to be selected.
    """
    if rule.threshold is not None:
        return np.asarray(scores >= rule.threshold), 0
    selected, tied = np.zeros(len(scores), dtype=bool), 0
    of = pd.Series("the month", index=range(len(scores))) if units is None else units.reset_index(drop=True)
    groups = {unit: np.asarray(rows) for unit, rows in of.groupby(of).indices.items()}
    wanted = {unit: rule.top or int(len(rows) * (rule.top_share or 0) + _ROUNDING) for unit, rows in groups.items()}
    if short := [f"{unit}: {len(groups[unit])} rows" for unit, count in wanted.items() if count > len(groups[unit])]:
        raise ModellingError(
            f"There are fewer rows than the {rule.top} that are to be selected.",
            where="estimator.params.rule.top",
            how_many=f"in {len(short)} of {len(groups)} {'units' if rule.per else 'months'}",
            example=list_some(short, 3),
            remedy="select fewer, or a 'top_share' in place of a number",
        )
    for unit, rows in groups.items():
        order = rows[np.argsort(-scores[rows], kind="stable")]
        chosen, rest = order[: wanted[unit]], order[wanted[unit] :]
        selected[chosen] = True
        if len(chosen) and len(rest) and scores[chosen[-1]] == scores[rest[0]]:
            tied += int((scores[rows] == scores[rest[0]]).sum())
    return selected, tied


class _Given(BaseEstimator):  # type: ignore[misc] # scikit-learn is untyped
    """What both kinds share: nothing is learnt, and columns of the contract with use ``decision`` are read."""

    # Asked by `is_unseen`: no more than a class can say of itself survives the way into the registry.
    unseen = True
    prediction: str | None
    score: str | None

    @property
    def made_elsewhere(self) -> tuple[str, ...]:
        """Columns that hold what was made elsewhere."""
        return tuple(name for name in (self.prediction, self.score) if name is not None)

    @property
    def reads(self) -> tuple[str, ...]:
        """Every column that is read, the units of a rule among them."""
        return self.made_elsewhere

    def describe(self) -> str:
        """Say in a few words where the answers come from."""
        return f"its predictions are read from column {self.prediction}"

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Note which columns there are."""
        self.feature_names_in_ = np.asarray(list(X.columns), dtype=object)
        return self


class GivenDecisions(ClassifierMixin, _Given):  # type: ignore[misc] # scikit-learn is untyped
    """Decisions between two outcomes that were made elsewhere; 1 is the favourable one.

    Args:
        prediction: Column of the decisions; without it ``rule`` decides by the score.
        score: Column of the scores, on which nothing rests where there are decisions and no rule.
        favourable: The value of ``prediction`` that is the favourable decision.
        probability: Whether the score is the probability of an outcome; otherwise it only ranks rows.
        high: Which outcome a high score, and so being selected, stands for.
        rule: Fields of a `DecisionRule`.
    """

    def __init__(  # noqa: PLR0913 - scikit-learn wants each parameter by its name
        self,
        *,
        prediction: str | None = None,
        score: str | None = None,
        favourable: Any = 1,
        probability: bool = True,
        high: High = "favourable",
        rule: dict[str, Any] | None = None,
    ) -> None:
        self.prediction = prediction
        self.score = score
        self.favourable = favourable
        self.probability = probability
        self.high = high
        self.rule = rule
        self.classes_ = np.array([0, 1])

    @property
    def decides_by(self) -> DecisionRule | None:
        """The rule, typed; None where the decisions are given."""
        if self.rule is None and self.prediction is not None:
            return None
        try:
            if self.score is None:
                raise ValueError("a rule needs the column of a score ('score')")
            if self.prediction is not None:
                raise ValueError("the decisions are given ('prediction'), and a rule is, too")
            return DecisionRule.model_validate(self.rule or {})
        except (ValueError, ValidationError) as error:
            said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise ModellingError(
                f"Nothing says what was decided: {said.removeprefix('Value error, ')}.",
                where="estimator.params",
                remedy="name the column of the decisions ('prediction'), or that of the score and a rule, for example "
                "'rule: {threshold: 0.5}' or 'rule: {top_share: 0.1, per: court}'",
            ) from None

    @property
    def reads(self) -> tuple[str, ...]:
        """Every column that is read, the units of a rule among them."""
        rule = self.decides_by
        return (*self.made_elsewhere, *((rule.per,) if rule is not None and rule.per is not None else ()))

    def describe(self) -> str:
        """Say in a few words where the answers come from, and by which rule."""
        rule = self.decides_by
        if rule is None:
            return f"its decisions are read from column {self.prediction} ({self.favourable!r} is the favourable one)"
        return f"selected are {rule} in column {self.score}, which is the {self.high} decision"

    def count_against(self, rows: pd.DataFrame) -> int:
        """Count the given decisions that contradict the scores: the fewest that any threshold leaves wrong."""
        if self.decides_by is not None or self.score is None:
            return 0
        decided, ranked = self.decide(rows)[0], self.rank(rows)
        order = np.argsort(-ranked, kind="stable")
        hits = np.concatenate([[0], np.cumsum(decided[order])])
        # Above a cut everybody should be decided 1, below it 0; a cut lies between different scores only.
        wrong = np.arange(len(hits)) - hits + (hits[-1] - hits)
        between = np.concatenate([[True], np.diff(ranked[order]) != 0, [True]])
        return int(wrong[between].min())

    def decide(self, rows: pd.DataFrame) -> tuple[npt.NDArray[np.int64], int]:
        """Return the decisions on all rows of a month, shape (rows,), and how many rows tie at a cut."""
        rule = self.decides_by
        if rule is None:
            given = rows[self.prediction].map(canonical)
            return np.asarray(given == canonical(self.favourable), dtype=np.int64), 0
        units = None if rule.per is None else rows[rule.per]
        selected, tied = select_rows(rows[self.score].to_numpy(dtype=np.float64), rule, units)
        favoured = selected if self.high == "favourable" else ~selected
        return favoured.astype(np.int64), tied

    def predict(self, X: pd.DataFrame) -> npt.NDArray[np.int64]:
        """Return the decisions on all rows of a month, shape (rows,)."""
        return self.decide(X)[0]

    @available_if(lambda self: self.score is not None and self.probability)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return the probabilities of both outcomes that were given, shape (rows, 2)."""
        favourable = self.rank(X) if self.high == "favourable" else 1 + self.rank(X)
        return np.column_stack([1 - favourable, favourable])

    def rank(self, rows: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return the score so that more of it stands for the favourable outcome, shape (rows,)."""
        scores = rows[self.score].to_numpy(dtype=np.float64)
        return scores if self.high == "favourable" else -scores


class GivenAmounts(RegressorMixin, _Given):  # type: ignore[misc] # scikit-learn is untyped
    """Amounts that were predicted elsewhere, in the unit of the label, in column ``prediction``."""

    score = None

    def __init__(self, *, prediction: str) -> None:
        self.prediction = prediction

    def predict(self, X: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return the predictions as they were given, shape (rows,)."""
        return X[self.prediction].to_numpy(dtype=np.float64)
