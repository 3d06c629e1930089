"""Which groups are asked for."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from rai_kedro.errors import RaiError

MISSING = "missing"
JOIN = " & "
MAX_GROUPS = 200


class GroupingError(RaiError):
    """Groups cannot be made from the audited columns as asked."""


class GroupingSpec(BaseModel):
    """Which groups are compared.

    Attributes:
        columns: One audited column, or several for the intersections of their groups.
        cuts: Cut points of continuous columns, in the unit of the column; a value equal to a cut point belongs to
            the part below it.
        categorical: Whether each value is a group, for all columns or by column. Where it is not said: text and
            categories are; numbers are if there are no cut points and at most ten different whole numbers; every
            other number, and a date, is cut at its cut points or else at its median.
        declared: Groups that have to exist; one without rows is reported as not assessed. The parts that cut points
            make, and the intersections of the groups found (see ``every_intersection``), count as declared.
        every_intersection: Whether each combination of the groups found has to have rows.
        reference: The group that others are held against; the largest if None.
        learnt: Columns whose cut point is the median of the training rows; training fills it in, for the words only.
        missing: ``group``: missing values are the group "missing"; ``leave_out``: such rows are counted and left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[str, ...] = Field(min_length=1)
    cuts: dict[str, tuple[float, ...]] = {}
    categorical: bool | dict[str, bool] | None = None
    declared: tuple[str, ...] = ()
    every_intersection: bool = True
    reference: str | None = None
    learnt: tuple[str, ...] = ()
    missing: Literal["group", "leave_out"] = "group"

    @field_validator("columns", mode="before")
    @classmethod
    def _accept_one_name(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("cuts")
    @classmethod
    def _check_cuts(cls, cuts: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for column, points in cuts.items():
            if not points or not np.isfinite(points).all() or list(points) != sorted(set(points)):
                raise ValueError(f"cut points of {column} must be finite numbers in rising order, not {list(points)}")
        return cuts

    @property
    def name(self) -> str:
        """Name of the grouping in reports."""
        return JOIN.join(self.columns)

    def is_categorical(self, column: str) -> bool | None:
        """Return what is said of a column; None where nothing is."""
        return self.categorical.get(column) if isinstance(self.categorical, dict) else self.categorical


def too_many_groups(groups: int, spec: GroupingSpec) -> GroupingError:
    """Return the error for more groups than are compared."""
    return GroupingError(
        f"{spec.name} makes {groups} groups; at most {MAX_GROUPS} are compared.",
        where=f"fairness.groupings, grouping {spec.name!r}",
        remedy="Intersect fewer columns, declare cut points for a number, or derive a coarser column before the audit.",
    )
