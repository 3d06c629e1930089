"""The rows that pages are made of: read from plain mappings, checked once, typed from then on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from rai_kedro.errors import RaiError
from rai_kedro.report.card_contents import CardColumn, Justification


class ReportRowError(RaiError):
    """A row of the risk register or of the data profile that cannot be shown."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    dataset: str
    column: str


class RegisterRow(_Row):
    """One governed column in the risk register.

    Attributes:
        dataset: Governed dataset, e.g. ``"housing.feature_store"``.
        column: Column name.
        type: Type word of the contract.
        description: What the column holds.
        use: What it may be used for: ``model``, ``audit`` or ``forbidden``.
        is_risky: Whether it is flagged as risky.
        is_demographic: Whether it is flagged as demographic.
        risk: What the risk is, in words.
        owner: Who answers for it.
        purpose: What its dataset is kept for.
        justification: Why a flagged column may be used, or ``None``.
        model_uses: Whether the estimator would see it, as a feature or as the label.
    """

    type: str
    description: str
    use: str
    is_risky: bool
    is_demographic: bool
    risk: str | None
    owner: str
    purpose: str
    justification: Justification | None
    model_uses: bool

    @field_validator("justification", mode="before")
    @classmethod
    def _write_day(cls, value: object) -> object:
        """YAML reads an unquoted day as a date; the card keeps text, and only who, why and until."""
        if not isinstance(value, Mapping):
            return value
        kept = {key: value[key] for key in ("by", "reason", "until") if key in value}
        return {key: text if text is None else str(text) for key, text in kept.items()}

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags the column carries, as words."""
        return self.to_card_column().flags

    @property
    def is_label(self) -> bool:
        """Whether it is what the model learns to predict."""
        return self.to_card_column().is_label

    def to_card_column(self) -> CardColumn:
        """Return the column as a model card shows it."""
        return CardColumn(
            dataset=self.dataset,
            name=self.column,
            type=self.type,
            description=self.description,
            use=self.use,
            is_risky=self.is_risky,
            is_demographic=self.is_demographic,
            risk=self.risk or "",
            justification=self.justification,
            model_uses=self.model_uses,
        )


class ProfileRow(_Row):
    """One column of one month in the data profile.

    Attributes:
        dataset: Governed dataset.
        column: Column name.
        month: ``"YYYY-MM"``.
        rows: Rows of the month.
        missing_share: Share of missing values, 0 to 1.
        mean: Mean of a numeric column, in its own unit.
        sd: Standard deviation.
        minimum: Smallest value.
        maximum: Largest value.
        distinct: Number of distinct values.
        top: Rows by category, most frequent first, of a column that is not numeric.
    """

    month: str
    rows: int
    missing_share: float
    mean: float | None
    sd: float | None
    minimum: float | None
    maximum: float | None
    distinct: int | None
    top: dict[str, int] | None


_Kind = TypeVar("_Kind", bound=_Row)


def read_register(rows: Iterable[Mapping[str, Any]]) -> tuple[RegisterRow, ...]:
    """Read risk register rows.

    Args:
        rows: Mappings with the keys of `RegisterRow`; further keys are ignored.

    Returns:
        Typed rows in the same order.

    Raises:
        ReportRowError: A key is missing or its value is of the wrong kind.
    """
    return _read_rows(RegisterRow, rows, "risk register")


def read_profile(rows: Iterable[Mapping[str, Any]]) -> tuple[ProfileRow, ...]:
    """Read data profile rows.

    Args:
        rows: Mappings with the keys of `ProfileRow`; further keys are ignored.

    Returns:
        Typed rows in the same order.

    Raises:
        ReportRowError: A key is missing or its value is of the wrong kind.
    """
    return _read_rows(ProfileRow, rows, "data profile")


def _read_rows(kind: type[_Kind], rows: Iterable[Mapping[str, Any]], name: str) -> tuple[_Kind, ...]:
    read = []
    for number, row in enumerate(rows):
        try:
            read.append(kind.model_validate(dict(row)))
        except ValidationError as error:
            first = error.errors()[0]
            raise ReportRowError(
                f"A row of the {name} cannot be shown: {first['msg']}.",
                where=f"row {number} ({row.get('dataset')}.{row.get('column')}), {first['loc'][0]}",
                example=str(first["input"])[:80],
                remedy=f"give every row the keys {', '.join(kind.model_fields)}",
            ) from error
    return tuple(read)
