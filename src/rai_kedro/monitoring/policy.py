"""What a use case's months are judged by: ``<use_case>.monitoring.policy``, the same in every environment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rai_kedro.monitoring.budget import Looks
from rai_kedro.typed import Typed

LABEL_SHARE = 0.1
"""The part of what a month may spend on drift that goes to the labels, which come later than all else."""
Share = Annotated[float, Field(gt=0, lt=1)]


class DriftPolicy(Typed):
    """How much drift is relevant.

    Attributes:
        margin: Effect that is still irrelevant: the share of rows that lie elsewhere than in the reference.
        margins: Other margins, by column.
        means: What drift makes of a month by itself, without a finding on performance or fairness.
        min_rows: Fewest rows a month, and the reference, must have to be judged.
    """

    margin: Share = 0.1
    margins: dict[str, Share] = Field(default_factory=dict)
    means: Literal["watch", "alarm"] = "watch"
    min_rows: int = Field(default=30, ge=2)

    def margin_of(self, column: str) -> float:
        """Return the margin of a column."""
        return self.margins.get(column, self.margin)


class PerformancePolicy(Typed):
    """How much worse than on its test rows a model may become.

    Attributes:
        metric: The figure that is judged; None: the MAE of a regression, the accuracy of a classification.
        worse_by: Loss that is accepted since the test: of an error (MAE, RMSE, Brier score) a share of the tested one,
            of all other figures their difference.
        floor: What the figure must reach whatever it was on the test rows, in its own unit; None: no floor.
    """

    metric: str | None = None
    worse_by: float = Field(default=0.25, ge=0)
    floor: float | None = None


class MonitoringPolicy(Typed):
    """One block for all that judges months.

    Attributes:
        error_rate: Probability of any wrong verdict of drift in the life of a version; the same again of performance,
            and of fairness. Held in simulations but for what ``docs/drift.md`` lists.
        looks: How it is spent over the months.
        label_delay: Months after which labels should be there; None if nobody knows.
    """

    error_rate: float = Field(default=0.05, ge=1e-6, le=0.2)
    looks: Looks = Looks()
    label_delay: int | None = Field(default=None, ge=0)
    drift: DriftPolicy = DriftPolicy()
    performance: PerformancePolicy = PerformancePolicy()

    def drift_rate(self, look: int) -> float:
        """Return what the comparisons of features and predictions may spend at a look."""
        return (1 - LABEL_SHARE) * self.looks.rate_of(look, self.error_rate)
