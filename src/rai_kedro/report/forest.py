"""The forest plot of a card: every judged disparity with its interval against its own limit.

Drawn as one small SVG a row, placed in per cent of its cell: no script, no fetching, and text that stays as large as
the page's own at any width, in print and in a dark scheme. Verdicts differ by shape as well as by colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rai_kedro.report.fairness_view import DisparityLine
from rai_kedro.words import begin_sentence, format_number

# Room at both ends of the axis, as a share of what is drawn, and about how many ticks it has.
_MARGIN = 0.05
_TICKS = 4
_PLAIN = 1e5


@dataclass(frozen=True)
class ForestRow:
    """One judged disparity; places are per cent of the axis, None where there is nothing to draw."""

    line: DisparityLine
    value: float | None
    ends: tuple[float, float] | None  # of the interval
    is_open: tuple[bool, bool]  # whether the interval has no lower, no upper end
    limit: float
    tolerated: tuple[float, float]


@dataclass(frozen=True)
class ForestPanel:
    """All disparities of one kind and unit, on one axis."""

    title: str
    ticks: tuple[tuple[float, str], ...]  # place and label
    rows: tuple[ForestRow, ...]


def draw_forest(lines: Sequence[DisparityLine]) -> tuple[ForestPanel, ...]:
    """Place every judged disparity against its limit, in the order given: a panel for each kind and unit.

    Args:
        lines: Judged disparities; those without a limit are left out.
    """
    panels: dict[tuple[str, str], list[DisparityLine]] = {}
    for line in lines:
        if line.tolerance is not None:
            panels.setdefault((line.disparity.kind, line.unit), []).append(line)
    return tuple(_draw_panel(*key, found) for key, found in panels.items())


def _draw_panel(kind: str, unit: str, lines: Sequence[DisparityLine]) -> ForestPanel:
    equal = 1.0 if kind == "ratio" else 0.0
    ends = [end for line in lines for end in (line.disparity.value, line.disparity.lower, line.disparity.upper)]
    known = [equal, *(line.tolerance or 0.0 for line in lines), *(end for end in ends if end is not None)]
    low, high = min(known), max(known)
    if low == high:  # all alike, and nothing else tolerated
        low, high = 0.0, 1.0
    margin = _MARGIN * (high - low)
    # Where groups are alike the axis ends: nothing lies beyond it.
    axis = _Axis(low if low == equal else low - margin, high if high == equal else high + margin)
    name = begin_sentence(lines[0].kind) + (f", {unit}" if unit else "")
    ticks = tuple(
        (axis.place(tick), f"{tick:,g}" if abs(tick) < _PLAIN else format_number(tick)) for tick in axis.list_ticks()
    )
    return ForestPanel(f"{name} ({equal:g}: alike)", ticks, tuple(_draw_row(line, axis, equal) for line in lines))


def _draw_row(line: DisparityLine, axis: _Axis, equal: float) -> ForestRow:
    one, limit = line.disparity, axis.place(line.tolerance or 0.0)
    drawn = one.lower is not None or one.upper is not None
    low = 0.0 if one.lower is None else axis.place(one.lower)
    high = 100.0 if one.upper is None else axis.place(one.upper)
    near, far = sorted((axis.place(equal), limit))
    return ForestRow(
        line=line,
        value=None if one.value is None else axis.place(one.value),
        ends=(low, high) if drawn else None,
        is_open=(drawn and one.lower is None, drawn and one.upper is None),
        limit=limit,
        tolerated=(near, far),
    )


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float

    def place(self, value: float) -> float:
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def list_ticks(self) -> list[float]:
        """Return round numbers within the axis, about four of them."""
        rough = (self.high - self.low) / _TICKS
        power = 10 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
        first, last = math.ceil(self.low / step - _MARGIN), math.floor(self.high / step + _MARGIN)
        # Sums of steps gather rounding errors; products of whole numbers do not.
        return [round(number * step, 12) for number in range(first, last + 1)]
