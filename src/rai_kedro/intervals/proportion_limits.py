"""Limits of single rates, from counts: what the intervals of differences and ratios of rates are joined from."""

from __future__ import annotations

import numpy as np
from scipy import special

from rai_kedro.intervals.critical import Floats

LIMITS = "the wider of Wilson's score (1927) and Jeffreys' limits (Brown, Cai and DasGupta 2001)"
_WORTH_SHARING = 256


def proportion_limits(events: Floats, rows: Floats, tail: float) -> tuple[Floats, Floats]:
    """Return the limits of each rate at a one-sided tail: the wider of Wilson's and Jeffreys'.

    Wilson's is too short above a rate near 0 estimated from few events, Jeffreys' in the middle; their union is right
    in both. With no event (or no non-event) Jeffreys' is replaced by the exact one-sided limit.

    Args:
        events: Counts of events, any shape.
        rows: Rows behind each rate, same shape; 0 gives [0, 1].
        tail: Probability in each tail, for example .025.

    Returns:
        Lower and upper limits, same shape, in [0, 1].
    """
    if events.size <= _WORTH_SHARING:
        return _limits(events, rows, tail)
    distinct, where = np.unique(events + 1j * rows, return_inverse=True)
    low, high = _limits(distinct.real, distinct.imag, tail)
    return low[where].reshape(events.shape), high[where].reshape(events.shape)


def _limits(events: Floats, rows: Floats, tail: float) -> tuple[Floats, Floats]:
    z = float(special.ndtri(1 - tail))
    known = np.maximum(rows, 1.0)
    rate = events / known
    centre, spread = rate + z**2 / (2 * known), z * np.sqrt(rate * (1 - rate) / known + z**2 / (4 * known**2))
    low, high = (centre - spread) / (1 + z**2 / known), (centre + spread) / (1 + z**2 / known)
    below = special.betaincinv(events + 0.5, known - np.minimum(events, known) + 0.5, tail)
    above = special.betaincinv(events + 0.5, known - np.minimum(events, known) + 0.5, 1 - tail)
    exact = tail ** (1 / known)
    below, above = np.where(events == known, exact, below), np.where(events == 0, 1 - exact, above)
    low = np.where(events == 0, 0.0, np.minimum(low, below))
    high = np.where(events == known, 1.0, np.maximum(high, above))
    return np.where(rows > 0, np.clip(low, 0, 1), 0.0), np.where(rows > 0, np.clip(high, 0, 1), 1.0)
