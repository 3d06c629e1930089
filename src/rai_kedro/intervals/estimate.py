"""One measured figure and how certain it is."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from rai_kedro.typed import Typed

Verdict: TypeAlias = Literal["pass", "fail", "insufficient_evidence"]


class Estimate(Typed):
    """One measured figure and its interval; what is not known is None, and ``note`` says why.

    What else a figure carries (its name, its group, its metric) is added by the classes that inherit from it.

    Attributes:
        lower: Lower end of its interval, in the unit of the figure.
        level: Confidence level of the interval, e.g. 0.95.
        n: Rows behind the figure: its denominator.
        how: How figure and interval were made, in words.
        note: Why value or interval is missing, or what else a reader must know; usually empty.
    """

    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    level: float | None = None
    n: int | None = None
    how: str = ""
    note: str = ""

    @property
    def width(self) -> float | None:
        """Return upper minus lower, or None where an end is missing."""
        return None if self.lower is None or self.upper is None else self.upper - self.lower

    def judge(self, limit: float, *, larger_is_better: bool = False) -> Verdict:
        """Judge by a limit that must not be passed, and that must be reached where larger is better.

        Only the interval decides: wholly within the limit passes, wholly beyond fails; an open end settles nothing.
        """
        low, high = (self.lower, self.upper) if not larger_is_better else (_negated(self.upper), _negated(self.lower))
        limit = -limit if larger_is_better else limit
        if low is not None and low > limit:
            return "fail"
        return "pass" if high is not None and high <= limit else "insufficient_evidence"

    @property
    def error_bars(self) -> dict[str, list[float]]:
        """Return how far the ends lie from the figure, as plotly wants them: 0 where one is missing."""
        value = self.value or 0.0
        above = 0.0 if self.upper is None else self.upper - value
        return {"array": [above], "arrayminus": [0.0 if self.lower is None else value - self.lower]}


def make_interval(lower: float | None, upper: float | None, how: str, note: str = "") -> Estimate:
    """Return an interval without its figure; an end that is not finite is none."""
    low, high = (None if end is None or not math.isfinite(end) else float(end) for end in (lower, upper))
    return Estimate(lower=low, upper=high, how=how, note=note)


def _negated(end: float | None) -> float | None:
    return None if end is None else -end
