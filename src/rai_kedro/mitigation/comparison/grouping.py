"""One rule of grouping for what is mitigated and what is assessed, settled on the training rows.

Left to themselves, an assessment cuts a number at the median of the test rows and a mitigation at that of the training
rows, and each decides anew whether numbers are codes. Rows would then be assessed in another group than mitigated in.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pandas as pd
from pandas.api import types

from rai_kedro.fairness.column_groups import divide_column
from rai_kedro.fairness.grouping import GroupingSpec
from rai_kedro.fairness.request import FairnessSpec
from rai_kedro.mitigation.sensitive import find_cut

Spec = TypeVar("Spec", bound=FairnessSpec)


def resolve_cuts(spec: Spec, audit_train: pd.DataFrame) -> Spec:
    """Say of every grouping what it would find out from the rows: which columns are cut, and where.

    Args:
        spec: What is assessed.
        audit_train: Audited columns of the training rows, shape (rows, columns).

    Returns:
        The same with every cut point declared and every other column declared categorical. Columns that are not there
        or have no value stay as they are. What is settled already stays so.

    Raises:
        GroupingError: A column cannot be cut, or makes more than 200 groups.
    """
    return spec.model_copy(update={"groupings": tuple(_resolve(one, audit_train) for one in spec.groupings)})


def find_method_cuts(spec: FairnessSpec, column: str, values: pd.Series[Any]) -> tuple[float, ...] | None:
    """Return the ``cuts`` by which a mitigation makes the groups that are assessed.

    Args:
        spec: What is assessed, settled by :func:`resolve_cuts`.
        column: The sensitive column.
        values: It on the training rows, shape (rows,).

    Returns:
        The cut points; empty where each value is a group though a mitigation left to itself would cut them; None where
        it would not.
    """
    cuts = next((one.cuts.get(column) for one in spec.groupings if one.columns == (column,)), None)
    if cuts is not None:
        return cuts
    return None if find_cut(values) is None else ()


def _resolve(spec: GroupingSpec, audit: pd.DataFrame) -> GroupingSpec:
    open_ = [name for name in spec.columns if name in audit and name not in spec.cuts and audit[name].notna().any()]
    # Parts that cut points make have to exist, and are declared; values found are not.
    cut = {name: bool(divide_column(audit[name], name, spec).declared) for name in open_}
    medians = {name: _find_median(audit[name]) for name in open_ if cut[name]}
    learnt = {name: (median,) for name, median in medians.items() if np.isfinite(median)}
    said = {name: spec.is_categorical(name) for name in spec.columns} | {name: not cut[name] for name in open_}
    return spec.model_copy(
        update={
            "cuts": {**spec.cuts, **learnt},
            "categorical": {name: answer for name, answer in said.items() if answer is not None},
            "learnt": (*spec.learnt, *learnt),
        }
    )


def _find_median(values: pd.Series[Any]) -> float:
    """Return the median, of a date in days since 1970-01-01."""
    if types.is_datetime64_any_dtype(values.dtype):
        values = (values - pd.Timestamp(0, tz=values.dt.tz)) / pd.Timedelta(days=1)
    return float(np.nanmedian(pd.to_numeric(values.astype("object"), errors="coerce").to_numpy(dtype=float)))
