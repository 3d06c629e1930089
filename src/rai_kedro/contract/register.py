"""The risk register: every governed column with its flags, its use, its owner and its justification."""

from __future__ import annotations

from collections.abc import Sequence

from rai_kedro.contract.columns import Contract, GovernedColumn


def build_register(contract: Contract, features: Sequence[str], target: str) -> list[GovernedColumn]:
    """List every governed column of a use case.

    Args:
        contract: All governed datasets of the use case.
        features: Columns of the feature store that the model would use.
        target: Column of the label store that the model learns from.

    Returns:
        Flagged columns first within each dataset.
    """
    used = {"feature_store": set(features), "label_store": {target}}
    columns = [
        GovernedColumn(
            **dict(column),
            dataset=dataset.dataset,
            owner=dataset.owner,
            purpose=dataset.purpose,
            model_uses=column.name in used.get(short, set()),
        )
        for short, dataset in contract.datasets.items()
        for column in dataset.columns.values()
    ]
    return sorted(columns, key=lambda column: (column.dataset, not column.flags))
