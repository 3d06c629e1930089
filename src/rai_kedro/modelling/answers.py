"""What a model answers of the rows of a month, whether it was fitted here or made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from rai_kedro.modelling.estimator import ModellingError, predict_rows


@dataclass(frozen=True)
class MonthAnswers:
    """What a model answers of the rows of a month.

    Attributes:
        rows: Column ``prediction``, and ``score`` where the model gives probabilities; the rows that have an answer.
        left_out: Rows without one, since what was made elsewhere is missing.
        tied: Rows with the same score at a cut that goes through them.
        against: Decisions that no threshold on the score given beside them explains.
    """

    rows: pd.DataFrame
    left_out: int = 0
    tied: int = 0
    against: int = 0


def is_unseen(model: Any) -> bool:
    """Say whether a model was made elsewhere and only its answers are known: nothing can be fitted or opened."""
    return bool(getattr(model, "unseen", False))


def require_host(model: Any, allowed: Sequence[str]) -> None:
    """Refuse a served model whose address is no usable one, or whose host is on no list; others pass."""
    host = getattr(model, "host", None)  # not by its class, for which scikit-learn would be loaded
    if host is not None and host not in allowed:
        raise ModellingError(
            f"The server '{host}' is not among those that may be asked.",
            where="allowed_hosts",
            example=f"allowed: {', '.join(allowed) or 'none'}",
            remedy="have the host added to 'training.allowed_hosts' in conf/base, which is reviewed, or take another",
        )


def answer_month(model: Any, features: pd.DataFrame) -> MonthAnswers:
    """Ask a model for all rows of a month; rows for which nothing was predicted elsewhere are left out and counted.

    Raises:
        ModellingError: No row has an answer, or an answer is none.
    """
    if not is_unseen(model):
        return MonthAnswers(predict_rows(model, features))
    known = features[features[list(model.reads)].notna().all(axis=1)]
    if known.empty:
        raise ModellingError(
            "Nothing was predicted elsewhere for any row.",
            where=f"columns {', '.join(model.reads)}",
            how_many=f"{len(features)} rows",
            remedy="write the predictions of this month into the store",
        )
    answers = MonthAnswers(predict_rows(model, known), len(features) - len(known))
    if hasattr(model, "decide"):
        return replace(answers, tied=model.decide(known)[1], against=model.count_against(known))
    return answers
