"""How much worse a figure became, with an interval that allows for the error of both."""

from __future__ import annotations

from typing import Literal

import numpy as np

from rai_kedro.intervals import Estimate, hybrid_difference, hybrid_ratio
from rai_kedro.performance.figure import Figure

# Whether a larger figure is better.
LARGER_IS_BETTER = {
    "R2": True,
    "MAE": False,
    "MAPE": False,
    "RMSE": False,
    "accuracy": True,
    "sensitivity": True,
    "specificity": True,
    "precision": True,
    "AUC": True,
    "Brier score": False,
}
_RATIO = "now / tested, hybrid interval (Donner and Zou 2012) of the two figures' own"
_DIFFERENCE = "tested - now, hybrid interval (Zou and Donner 2008) of the two figures' own"


class Loss(Estimate):
    """How much worse a figure is than before: a ratio of errors (1 is no loss), or a difference of shares (0 is)."""

    name: str
    kind: Literal["ratio", "difference"]


def find_loss(now: Figure, tested: Figure) -> Loss:
    """Compare a figure with the one that was tested, on independent rows.

    Both intervals should be of one level, which the loss then has. Errors (MAE, MAPE, RMSE, Brier score) are divided,
    so that a loss is a share of the tested error; the others are subtracted.
    """
    errors = not LARGER_IS_BETTER[now.name]
    kind: Literal["ratio", "difference"] = "ratio" if errors else "difference"
    pair = (now, tested) if errors else (tested, now)
    ends = [[one.value, one.lower, one.upper] for one in pair]
    if any(end is None for part in ends for end in part) or (errors and not tested.value):
        note = next((one.note for one in (now, tested) if one.note), "one of the two figures has no interval")
        return Loss(name=now.name, kind=kind, n=now.n, note=note)
    value, low, high = np.array(ends, dtype=float).T
    if errors:
        loss = value[0] / value[1]
        limits = [hybrid_ratio(value, low, high, sign=sign)[0, 1] for sign in (-1, 1)]
    else:
        loss = value[0] - value[1]
        limits = [hybrid_difference(value, low, high, sign=sign)[0, 1] for sign in (-1, 1)]
    lower, upper = (float(end) if np.isfinite(end) else None for end in limits)
    how = _RATIO if errors else _DIFFERENCE
    return Loss(
        name=now.name, kind=kind, value=float(loss), lower=lower, upper=upper, level=now.level, n=now.n, how=how
    )
