"""An estimator behind a transformer that reads the sensitive column, and what such transformers have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from rai_kedro.mitigation.sensitive import Codes, Column, MitigationError, drop_column, is_number
from rai_kedro.mitigation.wrapping import MitigatedModel, Parameters, Share, TrainingRows

Matrix = npt.NDArray[np.float64]
Vector = npt.NDArray[np.float64]


@dataclass(eq=False, repr=False)
class SensitiveTransformer(Parameters, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer of numeric columns that reads the sensitive column from ``X`` and leaves it out of its output.

    Data frame in, data frame out, with the same names; array in, array out. Columns that are not numeric, or not
    named in ``columns``, pass unchanged; missing values stay missing.
    """

    sensitive_column: Column | None = None  # its name, or its position if X is an array
    cuts: Sequence[float] | None = None  # of a continuous sensitive column; by default its training median
    columns: Sequence[Column] | None = None  # to transform; by default all numeric ones that are not true/false

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the transformation of ``X``, features with the sensitive column, shape (rows, columns)."""
        self.check_parameters()
        X = self._check(X, reset=True)
        codes = self._learn_groups(self._read_sensitive(X), str(self.sensitive_column))
        rest = drop_column(X, self.sensitive_column)
        self.positions_ = self._find_positions(rest)
        self._learn_rest(rest, codes)
        return self

    def transform(self, X: Any) -> Any:
        """Transform rows; return the features without the sensitive column, shape (rows, columns - 1)."""
        check_is_fitted(self)
        X = self._check(X, reset=False)
        return self._change_rest(drop_column(X, self.sensitive_column), self._find_groups(X))

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[Any]:
        """Return the names of the columns that come out."""
        check_is_fitted(self)
        names = list(_check_feature_names_in(self, input_features))
        column = self.sensitive_column
        del names[names.index(column) if hasattr(self, "feature_names_in_") else int(column or 0)]
        return np.array(names, dtype=object)

    def _check(self, X: Any, *, reset: bool) -> Any:
        checks = {"dtype": [np.float64, np.float32], "ensure_all_finite": "allow-nan"}
        return self._check_table(X, reset=reset, ensure_min_features=2 if reset else 1, **checks)

    def _find_positions(self, rest: Any) -> list[int]:
        if not isinstance(rest, pd.DataFrame):
            wanted = range(rest.shape[1] + 1) if self.columns is None else self.columns
            skipped = int(self.sensitive_column or 0)
            return [int(at) - (int(at) > skipped) for at in wanted if int(at) != skipped]
        numeric = [name for name in rest.columns if is_number(rest[name])]
        chosen: list[Any] = numeric if self.columns is None else list(self.columns)
        unfit = [str(name) for name in chosen if name not in numeric]
        if unfit or not chosen:
            raise MitigationError(
                f"{type(self).__name__} transforms numeric columns only.",
                where="parameter columns",
                how_many=f"{len(unfit)} of {len(chosen)} columns are absent or not numeric",
                example=", ".join(unfit[:5]) or None,
                remedy="name numeric columns of the features, or encode text before",
            )
        return [list(rest.columns).index(name) for name in chosen]

    def _learn_rest(self, rest: Any, codes: Codes) -> None:
        """Learn from ``X`` without the sensitive column."""
        raise NotImplementedError

    def _change_rest(self, rest: Any, codes: Codes) -> Any:
        """Transform ``X`` without the sensitive column, which is a copy already."""
        raise NotImplementedError


class TransformedModel(MitigatedModel):
    """An estimator that sees its features only after a mitigating transformer has changed them."""

    needs_sensitive = True
    transformer: ClassVar[type[SensitiveTransformer]]  # it takes all parameters but the estimator

    def _learn(self, rows: TrainingRows) -> None:
        parameters = self.get_params(deep=False)
        del parameters["estimator"]
        self.transformer_ = self.transformer(**parameters)
        self._fit_estimator(self.transformer_.fit_transform(rows.X), rows.target)

    def _without_sensitive(self, X: Any) -> Any:
        return X  # the transformer leaves the column out

    def _read_inputs(self, X: Any) -> Any:
        inputs = super()._read_inputs(X)
        return self.transformer_.transform(inputs)


@dataclass(eq=False, repr=False)
class GroupCorrelationRemover(SensitiveTransformer):
    """Transformer that takes out of numeric columns what the group predicts of them linearly.

    fairlearn's ``CorrelationRemover`` projects; given one indicator per group, text, codes and cut columns serve as a
    sensitive column, and columns with missing values are fitted on the rows they have. What is left is uncorrelated
    with the group; it can still depend on it in other ways.
    """

    alpha: Share = 1.0  # how much of the correlation is removed

    def _learn_rest(self, rest: Any, codes: Codes) -> None:
        values = _read_matrix(rest, self.positions_)
        indicators = _indicate(codes, len(self.groups_))
        # Of each group but the first its share of the rows used, and what it adds to a column; shape (G - 1, C).
        self.means_ = np.zeros((indicators.shape[1], values.shape[1]))
        self.slopes_ = np.zeros_like(self.means_)
        observed = ~np.isnan(values)
        whole = observed.all(axis=0)
        parts = [np.flatnonzero(whole), *np.flatnonzero(~whole)[:, None]]
        for columns in parts:
            rows = observed[:, columns].all(axis=1)
            if len(columns) and rows.any():
                self._project(indicators[rows], values[np.ix_(rows, columns)], columns)

    def _project(self, indicators: Matrix, values: Matrix, columns: npt.NDArray[np.intp]) -> None:
        from fairlearn.preprocessing import CorrelationRemover

        remover = CorrelationRemover(sensitive_feature_ids=list(range(indicators.shape[1])))
        remover.fit(np.hstack([indicators, values]))
        self.means_[:, columns] = remover.sensitive_mean_[:, None]
        self.slopes_[:, columns] = remover.beta_

    def _change_rest(self, rest: Any, codes: Codes) -> Any:
        explained = _indicate(codes, len(self.groups_)) @ self.slopes_ - (self.means_ * self.slopes_).sum(axis=0)
        matrix = _read_matrix(rest, self.positions_) - self.alpha * explained
        changed = open_for_writing(rest)
        for at, position in enumerate(self.positions_):
            write_column(changed, position, matrix[:, at])
        return changed


@dataclass(eq=False, repr=False)
class CorrelationRemovalModel(TransformedModel):
    """An estimator fitted on features without correlation with the groups, see `GroupCorrelationRemover`."""

    transformer = GroupCorrelationRemover

    alpha: Share = 1.0


def _indicate(codes: Codes, groups: int) -> Matrix:
    """Return one 0/1 column for each group but the first, shape (rows, G - 1)."""
    return np.asarray(codes[:, None] == np.arange(1, groups), dtype=float)


def read_column(rest: Any, position: int) -> Vector:
    """Return a copy of one column as numbers, missing values as NaN; shape (rows,)."""
    if isinstance(rest, pd.DataFrame):
        return rest.iloc[:, position].to_numpy(dtype=float, na_value=np.nan, copy=True)
    numbers: Vector = rest[:, position].astype(np.float64)
    return numbers


def open_for_writing(rest: Any) -> Any:
    """Return features whose columns can be replaced; ``rest`` is a copy of the caller's already, see `drop_column`."""
    return rest.copy(deep=False) if isinstance(rest, pd.DataFrame) else rest


def write_column(changed: Any, position: int, column: Vector) -> None:
    """Put a column in the place of another; a data frame takes it over without a copy."""
    if isinstance(changed, pd.DataFrame):
        # As a series, which pandas takes without a copy; its type hints name arrays only.
        changed.isetitem(position, cast("Any", pd.Series(column, index=changed.index, copy=False)))
    else:
        changed[:, position] = column


def _read_matrix(rest: Any, positions: list[int]) -> Matrix:
    """Return columns as numbers, one after the other in memory, missing values as NaN; shape (rows, C)."""
    matrix = np.empty((len(rest), len(positions)), order="F")
    for at, position in enumerate(positions):
        matrix[:, at] = read_column(rest, position)
    return matrix
