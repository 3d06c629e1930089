"""What decides on a row: its score by a model that was not fitted on it, and its number in place of a coin.

Methods that are stated with a coin toss (Hardt et al. 2016 mix two thresholds) use the row's own number, made of what
the row holds: the same row always gets the same number, so that predictions neither depend on the order of the rows
nor on a random state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict

from rai_kedro.mitigation.sensitive import Codes, MitigationError
from rai_kedro.modelling import find_last, find_weight_name

Scores = npt.NDArray[np.float64]

# Weights that add up to one but for rounding are certainty.
NO_WEIGHT = 1e-9
_GOLDEN = 0x9E3779B97F4A7C15
_WORD = 0xFFFFFFFFFFFFFFFF


def score_rows(estimator: Any, inputs: Any, outcomes: Codes, folds: int) -> Scores:
    """Score training rows out of fold: a model's scores of its own training rows are too good to learn from.

    A model in ``sklearn.frozen.FrozenEstimator`` scores the rows as it is; they should be none of its own.
    """
    require_probabilities(estimator, "nothing can be post-processed")
    if isinstance(estimator, FrozenEstimator):
        return read_scores(estimator, inputs)
    return np.asarray(predict_out_of_fold(estimator, inputs, outcomes, folds, "predict_proba")[:, 1], dtype=float)


def predict_out_of_fold(estimator: Any, inputs: Any, target: Any, folds: int, method: str = "predict") -> Any:
    """Predict training rows by models fitted on the other rows; with ``predict_proba`` each fold has both classes.

    Raises:
        MitigationError: There are fewer rows, or rows of the rarer class, than folds.
    """
    by_class = method == "predict_proba"
    fewest = int(np.unique(target, return_counts=True)[1].min()) if by_class else len(target)
    of = " of the rarer class" if by_class else ""
    if folds > fewest:
        raise MitigationError(
            "There are too few rows to predict them out of fold.",
            where="parameter folds",
            how_many=f"{fewest} row(s){of}, {folds} folds",
            remedy=f"give more data, or set 'folds' between 2 and the number of rows{of}",
        )
    split = (StratifiedKFold if by_class else KFold)(folds, shuffle=True, random_state=0)
    return cross_val_predict(clone(estimator), inputs, target, cv=split, method=method)


def require_probabilities(estimator: Any, otherwise: str) -> None:
    """Refuse a model without ``predict_proba``; ``otherwise`` says what cannot be done then."""
    if not hasattr(estimator, "predict_proba"):
        raise MitigationError(
            f"The model {type(find_last(estimator)).__name__} gives no probabilities, so that {otherwise}.",
            remedy="choose a classifier with predict_proba, or a method that needs none",
        )


def require_weights(estimator: Any, otherwise: str) -> str:
    """Return the name under which an estimator takes weights in ``fit``; ``otherwise`` says what cannot be done."""
    name = find_weight_name(estimator)
    if name is None:
        raise MitigationError(
            f"The model {type(find_last(estimator)).__name__} takes no weights, so that {otherwise}.",
            remedy="choose a model whose 'fit' takes sample_weight, or a method that needs none, such as "
            "uniform_resampling",
        )
    return name


def read_scores(estimator: Any, inputs: Any) -> Scores:
    """Return a fitted model's score of the favourable outcome, shape (rows,)."""
    return np.asarray(estimator.predict_proba(inputs)[:, 1], dtype=float)


def settle_shares(shares: Scores) -> Scores:
    """Return shares in which what is certain but for rounding is certain, shape (rows,)."""
    return np.where(np.abs(shares - np.rint(shares)) < NO_WEIGHT, np.rint(shares), shares)


def number_rows(rows: Any, salt: int = 0) -> Scores:
    """Return a number in [0, 1) for each row, spread like a uniform random one over different rows; shape (rows,).

    The mixing function is the output step of SplitMix64 (Steele, Lea and Flood, 2014). Numbers count by their value,
    whatever their type, and everything else by its text, so that a row gives the same number alone and in a batch.
    Another ``salt`` gives other numbers, unrelated to the first.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(np.asarray(rows))
    state = np.full(len(frame), (salt + 1) * _GOLDEN & _WORD, dtype=np.uint64)
    for at in range(frame.shape[1]):
        state = _mix(state ^ (_read_bits(frame.iloc[:, at]) + np.uint64((at + 1) * _GOLDEN & _WORD)))
    return _to_unit(_mix(state))


def renumber(numbers: Scores, salt: int) -> Scores:
    """Return numbers unrelated to the given ones but fixed by them, for another purpose; shape (rows,)."""
    bits = np.ascontiguousarray(numbers).view(np.uint64)
    return _to_unit(_mix(bits + np.uint64((salt + 1) * _GOLDEN & _WORD)))


def _to_unit(bits: npt.NDArray[np.uint64]) -> Scores:
    """Return the upper 53 bits as a number in [0, 1)."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _read_bits(column: pd.Series[Any]) -> npt.NDArray[np.uint64]:
    if types.is_numeric_dtype(column.dtype):
        # Adding zero makes -0.0 and 0.0 one number; a missing one is always the same NaN.
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0
        return np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64)
    if isinstance(column.dtype, pd.StringDtype):
        texts = column.fillna("").to_numpy(dtype=object)
    else:
        texts = column.astype("object").map(lambda value: "" if pd.isna(value) else str(value)).to_numpy(dtype=object)
    return np.asarray(pd.util.hash_array(texts, categorize=True), dtype=np.uint64)


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
