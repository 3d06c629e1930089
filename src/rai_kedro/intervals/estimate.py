"""One measured figure and how certain it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict

from rai_kedro.errors import RaiError


class EstimateError(RaiError):
    """A figure that is neither a finite number nor None."""


class _Part:
    __pydantic_config__ = ConfigDict(extra="forbid")


def refuse_non_finite(owner: str, **numbers: float | None) -> None:
    """Refuse NaN and infinity, for which JSON has no word.

    Args:
        owner: What carries the numbers, for the message.
        **numbers: Numbers by name.

    Raises:
        EstimateError: One of them is neither finite nor None.
    """
    for name, number in numbers.items():
        if number is not None and not math.isfinite(number):
            raise EstimateError(
                f"{owner} carries a number that is not finite.",
                where=name,
                example=str(number),
                remedy="give None where a figure is not defined, and say why in its note",
            )


@dataclass(frozen=True)
class Span(_Part):
    """A figure and its interval without anything else; an end is None where it is not known."""

    value: float | None
    lower: float | None = None
    upper: float | None = None

    def __post_init__(self) -> None:
        """Refuse NaN and infinity."""
        refuse_non_finite("A figure", value=self.value, lower=self.lower, upper=self.upper)

    @classmethod
    def read(cls, plain: Mapping[str, Any] | None) -> Span | None:
        """Read the keys ``value``, ``lower`` and ``upper``; None of nothing."""
        return None if plain is None else cls(plain["value"], plain["lower"], plain["upper"])


@dataclass(frozen=True)
class Estimate(_Part):
    """One measured figure and how certain it is.

    Attributes:
        name: Name of the metric, e.g. ``"MAE"``.
        split: Rows it was measured on, e.g. ``"test"``.
        value: The figure; ``None`` where it is not defined (``note`` says why).
        lower: Lower end of the interval, or ``None``.
        upper: Upper end of the interval, or ``None``.
        level: Confidence level of the interval, e.g. 0.95, or ``None`` without an interval.
        unit: Unit of the figure; empty for a pure number.
        method: How figure and interval were made, in words.
        note: What the reader must know about this figure; usually empty.
    """

    name: str
    split: str
    value: float | None
    lower: float | None
    upper: float | None
    level: float | None
    unit: str
    method: str
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse NaN and infinity."""
        refuse_non_finite(f"Estimate {self.name}", value=self.value, lower=self.lower, upper=self.upper)
