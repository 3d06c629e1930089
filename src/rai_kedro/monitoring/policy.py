"""What a use case's months are judged by: ``<use_case>.monitoring.policy``, the same in every environment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rai_kedro.monitoring.budget import Looks
from rai_kedro.typed import Typed

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
        metric: The figure that is judged, as the performance room names it; None: its first.
        worse_by: Loss that is accepted, as a share of the figure on the test rows.
        floor: What the figure must reach whatever it was on the test rows, in its own unit; None: no floor.
    """

    metric: str | None = None
    worse_by: float = Field(default=0.25, ge=0)
    floor: float | None = None


class MonitoringPolicy(Typed):
    """One block for all that judges months.

    Attributes:
        error_rate: Highest probability of any wrong verdict of drift in the life of a version; the same again of
            performance, and of fairness.
        looks: How it is spent over the months.
    """

    error_rate: float = Field(default=0.05, ge=1e-6, le=0.2)
    looks: Looks = Looks()
    drift: DriftPolicy = DriftPolicy()
    performance: PerformancePolicy = PerformancePolicy()
