"""Steps of a preparation that scikit-learn lacks; apart from the rest, so that only those who use them import it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the next import possible
from sklearn.impute import IterativeImputer
from sklearn.utils.validation import check_is_fitted


class DateToDays(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Turn dates into days since 1970-01-01; a missing date becomes a missing number."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> DateToDays:
        """Remember the columns; there is nothing to learn."""
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return the days, fractions included, shape (rows, columns)."""
        check_is_fitted(self)
        days = [(pd.to_datetime(X[name]) - pd.Timestamp(0)) / pd.Timedelta(days=1) for name in X.columns]
        return np.column_stack([one.to_numpy(dtype=float, na_value=np.nan) for one in days])

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the columns, which stay as they are."""
        check_is_fitted(self)
        return self.feature_names_in_


class ChainedImputer(IterativeImputer):  # type: ignore[misc]  # scikit-learn is untyped
    """Imputation in rounds, whose number is a choice and no failure.

    scikit-learn warns at every fit in which some value still moves in the last round. Chained equations are run for a
    fixed number of rounds (van Buuren & Groothuis-Oudshoorn 2011, section 4.3), so here that is no warning.
    """

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Fit on the rows and return them without a missing value, shape (rows, columns); ``y`` is ignored."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=ConvergenceWarning, message=".*Early stopping criterion")
            return super().fit_transform(X, y, **params)
