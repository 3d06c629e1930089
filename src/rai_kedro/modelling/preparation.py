"""Preparing rows for an estimator: missing values, encoding, scale, and the balance of the training rows.

What is *learned* from data (an imputation, the known categories, a scale) is a scikit-learn step, fitted on the
training rows and stored with the model. What *chooses training rows* (complete cases, over- and under-sampling) cannot
be such a step, because a step may not drop or repeat rows of the target; it is :func:`choose_training_rows`, which
returns positions, so that sensitive columns and weights can follow the same choice.

Missing values:

* ``complete_cases``: fitted on the rows without any missing value. A model in use has to answer for every row, so at
  prediction a missing number gets the median of the complete cases. Rows are left out of training only, and counted;
  where one group's records are more often incomplete, that group is what is left out, and this method is the worst.
* ``chained_equations``: each incomplete column is regressed on all others in turn (van Buuren & Groothuis-Oudshoorn
  2011, J Stat Softw 45(3)), once, with the regression's expected value and not a draw, so that a prediction is the same
  every time; the spread between several imputations is therefore not carried on.
* ``forest``: the same round with random forests (Stekhoven & Buehlmann 2012, Bioinformatics 28(1), "missForest").

A missing category is a category of its own under the last two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from rai_kedro.modelling.estimator import ModellingError
from rai_kedro.typed import Typed

Missing = Literal["complete_cases", "chained_equations", "forest"]
Balance = Literal["none", "under", "over"]
Positions = npt.NDArray[np.int64]

_NUMBERS = ("float", "integer", "boolean")
_KNOWN_TYPES = (*_NUMBERS, "category", "date")
_FEWEST_CLASSES = 2


class PreparationParameters(Typed):
    """How rows are prepared for the estimator.

    Attributes:
        missing: ``complete_cases`` fits on the rows without a missing value; ``chained_equations`` predicts
            each incomplete column from all others; ``forest`` does so with random forests.
        balance: Whether training rows are dropped (``under``) or repeated (``over``) until every class has as
            many.
        scale: Whether numbers are brought to mean 0 and standard deviation 1, as logistic regression wants
            them.
        rounds: Most rounds of imputation over all incomplete columns.
        trees: Trees of each forest.
        rare: Categories with fewer training rows than this share one column.
    """

    missing: Missing = "chained_equations"
    balance: Balance = "none"
    scale: bool = True
    rounds: int = Field(default=5, ge=1, le=100)
    trees: int = Field(default=20, ge=1, le=1000)
    rare: int = Field(default=10, ge=1)


@dataclass(frozen=True)
class TrainingRows:
    """Which training rows the estimator is fitted on: their positions, of which one may be there several times."""

    positions: Positions
    incomplete: int = 0  # left out for a missing value
    target_missing: int = 0
    removed: int = 0  # by under-sampling
    repeated: int = 0  # added by over-sampling

    @property
    def left_out(self) -> dict[str, int]:
        """Rows left out of the fit by reason, for reports; reasons without a row are not listed."""
        reasons = {
            "missing value": self.incomplete,
            "missing label": self.target_missing,
            "under-sampling": self.removed,
        }
        return {reason: rows for reason, rows in reasons.items() if rows}


def build_preparation(parameters: PreparationParameters, columns: Mapping[str, str], *, seed: int) -> Any:
    """Make the unfitted preparation of the model's columns, whose types are in the words of the contract.

    It drops other columns and gives dense numbers without a missing one, shape (rows, encoded).

    Raises:
        ModellingError: There is no column, or one is of a type that no estimator can take.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    _check_types(columns)
    dates = [name for name, kind in columns.items() if kind == "date"]
    numbers = [name for name, kind in columns.items() if kind in _NUMBERS]
    categories = [name for name, kind in columns.items() if kind == "category"]
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=parameters.rare, sparse_output=False, dtype=np.float64
    )
    parts = []
    if numbers or dates:
        impute = [("read", _read_numbers(numbers, dates)), ("impute", _imputer(parameters, seed))]
        parts.append(("numbers", Pipeline(impute), numbers + dates))
    if categories:
        parts.append(("categories", encoder, categories))
    steps: list[tuple[str, Any]] = [("columns", ColumnTransformer(parts, remainder="drop"))]
    if parameters.scale:
        steps.append(("scale", StandardScaler()))
    return Pipeline(steps)


def build_model(preparation: Any, estimator: Any) -> Any:
    """Return one scikit-learn ``Pipeline``, steps ``preparation`` and ``estimator``, that takes raw model columns."""
    from sklearn.pipeline import Pipeline

    return Pipeline([("preparation", preparation), ("estimator", estimator)])


def choose_training_rows(
    features: pd.DataFrame, target: pd.Series[Any], parameters: PreparationParameters, *, seed: int
) -> TrainingRows:
    """Choose the rows to fit on: those with a target, complete ones if so configured, then balanced.

    Use ``features.iloc[rows.positions]``, and the same for whatever belongs to the rows.

    Raises:
        ModellingError: No row is left, or the target cannot be balanced.
    """
    labelled = target.notna().to_numpy()
    complete = features.notna().all(axis=1).to_numpy() if parameters.missing == "complete_cases" else labelled
    kept = np.flatnonzero(labelled & complete)
    target_missing = int((~labelled).sum())
    incomplete = len(features) - target_missing - len(kept)
    if len(kept) == 0:
        worst = features.isna().sum().sort_values(ascending=False)
        raise ModellingError(
            "No training row is left.",
            where="preparation.missing",
            how_many=f"{incomplete} of {len(features)} rows have a missing value, {target_missing} have no target",
            example=f"{worst.index[0]} is missing in {int(worst.iloc[0])} rows" if len(worst) else None,
            remedy="take 'missing: chained_equations' or 'forest', or leave that column out ('features')",
        )
    chosen = kept[balance_rows(target.iloc[kept], parameters.balance, seed=seed)]
    change = len(chosen) - len(kept)
    return TrainingRows(chosen, incomplete, target_missing, removed=max(-change, 0), repeated=max(change, 0))


def balance_rows(target: pd.Series[Any], method: Balance, *, seed: int) -> Positions:
    """Return positions in which each class is there equally often, in the order of the rows.

    Under-sampling draws without replacement. Over-sampling keeps every row and draws further ones with replacement.

    Raises:
        ModellingError: The target has one class only, a missing value, or a different value in almost every row.
    """
    if method == "none":
        return np.arange(len(target), dtype=np.int64)
    classes, codes, counts = np.unique(target.to_numpy(), return_inverse=True, return_counts=True)
    _check_classes(target, classes)
    generator = np.random.default_rng(seed)
    size = int(counts.min() if method == "under" else counts.max())
    chosen = []
    for code, count in enumerate(counts):
        rows = np.flatnonzero(codes == code)
        if method == "under":
            chosen.append(generator.choice(rows, size, replace=False))
        else:
            chosen += [rows, generator.choice(rows, size - int(count), replace=True)]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _check_classes(target: pd.Series[Any], classes: npt.NDArray[Any]) -> None:
    missing = int(target.isna().sum())
    if missing or not _FEWEST_CLASSES <= len(classes) <= max(_FEWEST_CLASSES, len(target) // 2):
        raise ModellingError(
            f"The training rows cannot be balanced by '{target.name}'.",
            where="preparation.balance",
            how_many=f"{len(classes)} different values in {len(target)} rows, {missing} missing",
            example=str(classes[0]) if len(classes) else None,
            remedy="take 'balance: none'; balancing needs a target of two or more classes",
        )


def _check_types(columns: Mapping[str, str]) -> None:
    if not columns:
        raise ModellingError("The model has no column.", remedy="give at least one column 'use: model'")
    if odd := {name: kind for name, kind in columns.items() if kind not in _KNOWN_TYPES}:
        name, kind = next(iter(odd.items()))
        raise ModellingError(
            f"A column of type '{kind}' cannot enter an estimator.",
            where=f"column {name}",
            how_many=f"{len(odd)} of {len(columns)} model columns",
            example=", ".join(odd),
            remedy="declare it as 'category' if it has few values, or leave it out ('features')",
        )


def _read_numbers(numbers: list[str], dates: list[str]) -> Any:
    """Make the step that turns numbers and dates into one array; never a view, since the imputation writes into it."""
    from sklearn.compose import ColumnTransformer

    parts: list[tuple[str, Any, list[str]]] = [("numbers", "passthrough", numbers)]
    if dates:
        from rai_kedro.modelling.steps import DateToDays

        parts.append(("dates", DateToDays(), dates))
    return ColumnTransformer(parts)


def _imputer(parameters: PreparationParameters, seed: int) -> Any:
    from sklearn.impute import SimpleImputer

    if parameters.missing == "complete_cases":
        return SimpleImputer(strategy="median", keep_empty_features=True)
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import Ridge

    from rai_kedro.modelling.steps import ChainedImputer

    # Of the regression only the expected value is used; this solves for it by Cholesky, ten times faster than by SVD.
    learner = Ridge()
    if parameters.missing == "forest":
        learner = RandomForestRegressor(
            n_estimators=parameters.trees, max_features="sqrt", min_samples_leaf=5, random_state=seed
        )
    # Complete columns get no regression of their own: those of a record are many, and a forest each takes minutes.
    return ChainedImputer(
        estimator=learner, max_iter=parameters.rounds, skip_complete=True, keep_empty_features=True, random_state=seed
    )
