"""scikit-learn's own checks of an estimator, on every pre- and post-processing method.

The checks make their own data, which have no sensitive column. Here each row's group is drawn from the row's own
number, so that a row keeps its group from fit to prediction; everything else is the code that users run.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import check_estimator

from rai_kedro.mitigation.calibration import GroupCalibration
from rai_kedro.mitigation.disparate_impact import DisparateImpactModel, DisparateImpactRemover
from rai_kedro.mitigation.sampling import Resampling, Reweighing
from rai_kedro.mitigation.scoring import number_rows
from rai_kedro.mitigation.thresholds import ThresholdOptimisation
from rai_kedro.mitigation.transformed import CorrelationRemovalModel, GroupCorrelationRemover


class GroupOfRow:
    def _read_sensitive(self, X):
        return np.where(number_rows(X, salt=SALT) < 0.5, "a", "b")


# One for which the checks' smallest data sets (6 and 10 rows) have each class in both groups.
SALT = 1


class ImpactRemover(GroupOfRow, DisparateImpactRemover):
    pass


class CorrelationRemover(GroupOfRow, GroupCorrelationRemover):
    pass


class ReweighedModel(GroupOfRow, Reweighing):
    pass


class ResampledModel(GroupOfRow, Resampling):
    pass


class ImpactModel(GroupOfRow, DisparateImpactModel):
    transformer = ImpactRemover


class CorrelationModel(GroupOfRow, CorrelationRemovalModel):
    transformer = CorrelationRemover


class ThresholdModel(GroupOfRow, ThresholdOptimisation):
    pass


class CalibratedModel(GroupOfRow, GroupCalibration):
    pass


THRESHOLDS_DIFFER = {"check_classifiers_train": "decides by thresholds per group, and not at a score of one half"}
COLUMN_LEFT_OUT = {
    "check_classifiers_train": "of the two columns one is the sensitive column, which the model never sees"
}
CASES = [
    (ImpactRemover(0), {}),
    (ImpactRemover(0, repair_level=0.5, ties="distinct"), {}),
    (ImpactRemover(0, repair_level=0.5, ties="spread"), {}),
    (CorrelationRemover(0), {}),
    (ReweighedModel(LogisticRegression(), 0), {}),
    (ReweighedModel(Ridge(), 0, target_bins=2), {}),
    (ResampledModel(LogisticRegression(), 0), {}),
    (ResampledModel(LogisticRegression(), 0, kind="preferential"), {}),
    (ImpactModel(LogisticRegression(), 0), COLUMN_LEFT_OUT),
    (ImpactModel(Ridge(), 0), {}),
    (CorrelationModel(LogisticRegression(), 0), COLUMN_LEFT_OUT),
    (CorrelationModel(Ridge(), 0), {}),
    (ThresholdModel(LogisticRegression(), 0, folds=2), THRESHOLDS_DIFFER),
    (ThresholdModel(LogisticRegression(), 0, constraint="equalized_odds", folds=2), THRESHOLDS_DIFFER),
    (CalibratedModel(LogisticRegression(), 0, min_rows=2, min_events=1, folds=2), {}),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("estimator", "expected"),
    # The checks of a classifier take about ten seconds.
    [pytest.param(*case, id=str(case[0]), marks=[pytest.mark.slow] * is_classifier(case[0])) for case in CASES],
)
def test_the_estimator_follows_the_conventions(estimator, expected):
    results = check_estimator(estimator, on_fail=None, on_skip=None, expected_failed_checks=expected)

    failed = {one["check_name"]: repr(one["exception"]) for one in results if one["status"] == "failed"}
    assert not failed
    assert sum(one["status"] == "passed" for one in results) > 40
