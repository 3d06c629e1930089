"""One figure of performance."""

from __future__ import annotations

from rai_kedro.intervals.estimate import Estimate


class Figure(Estimate):
    """One figure of performance with its interval.

    Attributes:
        name: Name of the metric, e.g. ``"MAE"``.
        split: Rows it was measured on, e.g. ``"test"``; empty where nobody said.
        unit: Unit of the figure; empty for a pure number.
    """

    name: str
    split: str = ""
    unit: str = ""
