"""What unmitigated model and mitigations have in common: the model as configured, and the rows to fit it on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.contract import Contract
from rai_kedro.modelling import ModelSplit
from rai_kedro.pipelines.training.parameters import TrainingParameters


def build_configured(estimator: Any, features: pd.DataFrame, contract: Contract, parameters: TrainingParameters) -> Any:
    """Put the configured preparation before an estimator, unfitted; without one the estimator stands alone.

    Rows are balanced inside the fit: thresholds, calibration, weights and folds of a mitigation need the rows as they
    are, since copies of a row must not lie on both sides of a fold.
    """
    from rai_kedro.modelling import BalancedEstimator, build_model, build_preparation

    if parameters.preparation is None:
        return estimator
    columns = contract.datasets["feature_store"].columns
    types = {name: columns[name].type for name in features.columns.tolist()}
    model = build_model(build_preparation(parameters.preparation, types, seed=parameters.random_state), estimator)
    balance = parameters.preparation.balance
    return model if balance == "none" else BalancedEstimator(model, balance, parameters.random_state)


def choose_fitting_rows(split: ModelSplit, parameters: TrainingParameters) -> npt.NDArray[np.int64]:
    """Return the positions of the training rows that models are handed: each once, without balancing."""
    from rai_kedro.modelling import choose_training_rows

    if parameters.preparation is None:
        return np.arange(len(split.target_train), dtype=np.int64)
    unbalanced = parameters.preparation.model_copy(update={"balance": "none"})
    chosen = choose_training_rows(split.features_train, split.target_train, unbalanced, seed=parameters.random_state)
    return chosen.positions
