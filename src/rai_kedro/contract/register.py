"""The risk register: every governed column with its flags, its use, its owner and its justification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rai_kedro.contract.columns import ColumnContract, Contract, DatasetContract


@dataclass(frozen=True)
class RegisterRow:
    """One governed column as the governance officer reads it.

    Attributes:
        dataset: Full catalogue name.
        column: Column name.
        type: Declared type.
        description: What it holds.
        use: What it may be used for.
        is_risky: First risk flag.
        is_demographic: Second risk flag.
        risk: Which harm, or None.
        owner: Who answers for the dataset.
        purpose: What the dataset may be used for.
        justification: ``by, reason, until`` of a flagged column in the model, or None.
        model_uses: Whether the model would see the column.
    """

    dataset: str
    column: str
    type: str
    description: str
    use: str
    is_risky: bool
    is_demographic: bool
    risk: str | None
    owner: str
    purpose: str
    justification: dict[str, Any] | None
    model_uses: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain, JSON-able values."""
        return asdict(self)


def build_register(contract: Contract, features: Sequence[str], target: str) -> list[RegisterRow]:
    """List every governed column of a use case.

    Args:
        contract: All governed datasets of the use case.
        features: Columns of the feature store that the model would use.
        target: Column of the label store that the model learns from.

    Returns:
        One row a column, flagged ones first within each dataset.
    """
    used = {"feature_store": set(features), "label_store": {target}}
    rows = [
        _row(dataset, column, column.name in used.get(short, set()))
        for short, dataset in contract.datasets.items()
        for column in dataset.columns.values()
    ]
    return sorted(rows, key=lambda row: (row.dataset, not (row.is_risky or row.is_demographic)))


def _row(dataset: DatasetContract, column: ColumnContract, model_uses: bool) -> RegisterRow:
    justification = column.justification
    return RegisterRow(
        dataset=dataset.dataset,
        column=column.name,
        type=column.type,
        description=column.description,
        use=column.use,
        is_risky=column.is_risky,
        is_demographic=column.is_demographic,
        risk=column.risk,
        owner=dataset.owner,
        purpose=dataset.purpose,
        justification=None if justification is None else justification.model_dump(mode="json"),
        model_uses=model_uses,
    )
