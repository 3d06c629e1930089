"""What is known of the model at hand, by which a method applies or not."""

from __future__ import annotations

from datetime import date
from typing import Any

from rai_kedro.contract.columns import DatasetContract
from rai_kedro.contract.lanes import permits_mitigation
from rai_kedro.questionnaire.mapping import ModelAtHand


def describe_model(estimator: Any | None, store: DatasetContract, *, on: date) -> ModelAtHand:
    """Find out what decides whether a method applies.

    Args:
        estimator: The configured estimator; None if none is configured yet.
        store: Contract of the feature store.
        on: Day against which justifications are judged.

    Returns:
        Task, what the estimator's fit takes, whether it gives scores, and the sensitive columns it may read.
    """
    from sklearn.base import is_classifier, is_regressor
    from sklearn.utils.validation import has_fit_parameter

    sensitive = (name for name, column in store.columns.items() if column.flags or column.use == "mitigation")
    permitted = tuple(name for name in sensitive if permits_mitigation(store, name, on=on))
    if estimator is None:
        return ModelAtHand(permitted=permitted)
    return ModelAtHand(
        task="regression" if is_regressor(estimator) else "classification" if is_classifier(estimator) else None,
        takes_sample_weight=has_fit_parameter(estimator, "sample_weight"),
        gives_scores=hasattr(estimator, "predict_proba"),
        permitted=permitted,
    )
