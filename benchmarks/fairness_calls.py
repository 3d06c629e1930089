"""The data and the calls that ``benchmarks/fairness_speed.py`` measures: ours and fairlearn's, on the same columns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

SEED = 20250401
GROUPS = {"north": 0.5, "east": 0.3, "south": 0.15, "west": 0.05}
CLASSIFICATION = ("statistical_parity", "equal_opportunity", "predictive_equality")
REGRESSION = ("mean_prediction", "mean_absolute_error", "prediction_distribution")


def write_data(kind: str, rows: int, path: Path) -> None:
    """Draw the data of a kind of case (see ``fairness_speed.Case``) and write them as Parquet."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(SEED)
    group = generator.choice(len(GROUPS), rows, p=list(GROUPS.values()))
    frame = pd.DataFrame({"group": np.array(list(GROUPS), dtype=object)[group]})
    if kind == "removal":
        features = generator.normal(size=(rows, 10)) + (group == 0)[:, None]
        frame = pd.DataFrame(features, columns=[f"x{at}" for at in range(10)])
        frame["group"] = (group == 0).astype(float)
    elif kind == "regression":
        frame["label"] = generator.normal(500, 100, rows) + 20 * group
        frame["prediction"] = frame["label"] + generator.normal(0, 40, rows)
    else:
        frame["label"] = (generator.random(rows) < 0.2 + 0.05 * group).astype(np.int64)
        frame["prediction"] = (generator.normal(0.8 * frame["label"] - 0.5, 0.5) > 0).astype(np.int64)
    frame.to_parquet(path, index=False)


def read_data(path: Path, types: str) -> Any:
    """Read the data of a case, in the types asked for."""
    import pandas as pd

    frame = pd.read_parquet(path)
    if types == "small":
        return frame.astype({"group": "category", "label": "int8", "prediction": "int8"})
    return frame.astype("object") if types == "objects" else frame


def assess(frame: Any, kind: str) -> list[float]:
    """Assess predictions with this project; return the value of each metric."""
    from rai_kedro.fairness import GroupingSpec, examine_classification, examine_regression
    from rai_kedro.fairness.assessment import FairnessSpec

    grouping = (GroupingSpec(columns=("group",)),)
    audit = frame[["group"]]
    if kind == "regression":
        spec = FairnessSpec(groupings=grouping, metrics=REGRESSION)
        found = examine_regression(frame["label"], frame["prediction"], audit, spec).disparities
    else:
        spec = FairnessSpec(groupings=grouping, metrics=CLASSIFICATION)
        found = examine_classification(frame["label"], frame["prediction"], None, audit, spec).disparities
    if any(one.lower is None or one.upper is None for one in found):
        sys.exit("a disparity has no interval: nothing to compare")
    return [float(one.value or 0.0) for one in found if one.kind == "difference"]


def bootstrap(frame: Any, resamples: int) -> list[float]:
    """Assess predictions with fairlearn's bootstrap; return the value of each metric."""
    from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate

    named = {"selection": selection_rate, "true_positive": true_positive_rate, "false_positive": false_positive_rate}
    made = MetricFrame(
        metrics=named,
        y_true=frame["label"],
        y_pred=frame["prediction"],
        sensitive_features=frame["group"],
        n_boot=resamples,
        ci_quantiles=[0.025, 0.975],
        random_state=SEED,
    )
    made.difference_ci()
    return [float(value) for value in made.difference()]


def remove(frame: Any) -> list[float]:
    """Repair the features; nothing to compare (the values are compared with AIF360's in the tests)."""
    from rai_kedro.mitigation.disparate_impact import DisparateImpactRemover

    DisparateImpactRemover("group").fit_transform(frame)
    return []
