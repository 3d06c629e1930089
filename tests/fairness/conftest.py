"""What the tests of the room share."""

from __future__ import annotations

from typing import Any

from rai_kedro.fairness.assessment import examine_classification, examine_regression
from rai_kedro.fairness.estimates import Disparity


def assess_classification(*asked: Any) -> list[Disparity]:
    return list(examine_classification(*asked).disparities)


def assess_regression(*asked: Any) -> list[Disparity]:
    return list(examine_regression(*asked).disparities)
