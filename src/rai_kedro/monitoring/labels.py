"""Labels as they were when a month was judged, kept so that a correction is told from labels that came late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from rai_kedro.monitoring.digests import content_digest
from rai_kedro.typed import Typed

_DIGEST: Final = "labels_digest"
_SIDE: Final = "_which"


class LabelChange(Typed):
    """What became of the labels of a month between two readings, in rows.

    Attributes:
        late: Rows that have a label now and had none.
        corrected: Rows that have another label now.
        withdrawn: Rows that had a label and have none now.
        example: Key of the first row that was corrected; without one, of the first that was withdrawn, else came late.
    """

    late: int = 0
    corrected: int = 0
    withdrawn: int = 0
    example: str = ""

    def __bool__(self) -> bool:
        return bool(self.late or self.corrected or self.withdrawn)

    def __str__(self) -> str:
        said = [f"{rows:,} {name}" for name, rows in self._counts().items() if rows]
        return f"{', '.join(said) or 'none changed'}{f' (e.g. {self.example})' if self.example else ''}"

    @property
    def only_late(self) -> bool:
        """Whether no label that was there became another."""
        return not self.corrected and not self.withdrawn

    def _counts(self) -> dict[str, int]:
        return {"corrected": self.corrected, "withdrawn": self.withdrawn, "came late": self.late}


def compare_label_rows(before: pd.DataFrame, now: pd.DataFrame, key: Sequence[str]) -> LabelChange:
    """Compare the labels of a month as they were with those of today, row by row.

    Args:
        before: One row for each value of the key; every other column is a label. Missing values are labels not there.
        now: The same of today, with the same columns.
        key: Columns that identify a row.
    """
    names = [name for name in now if name not in key]
    rows = before.merge(now, on=list(key), how="outer", suffixes=("", _SIDE), indicator=True)
    rows = rows.sort_values(list(key), kind="stable")
    was, became = rows[names], rows[[f"{name}{_SIDE}" for name in names]].set_axis(names, axis="columns")
    had = was.notna().any(axis="columns") & (rows["_merge"] != "right_only")
    has = became.notna().any(axis="columns") & (rows["_merge"] != "left_only")
    other = ((was != became) & ~(was.isna() & became.isna())).any(axis="columns")
    found = {"corrected": had & has & other, "withdrawn": had & ~has, "late": has & ~had}
    example = next((rows.loc[where, list(key)].iloc[0] for where in found.values() if where.any()), None)
    return LabelChange(
        **{name: int(where.sum()) for name, where in found.items()},
        example="" if example is None else ", ".join(f"{name} {value}" for name, value in example.items()),
    )


def label_key(month: str, digest: str) -> str:
    """Return the key under which labels are kept: their month and the digest of their values."""
    return f"month={month}/{_DIGEST}={digest}"


def keep_labels(labels: pd.DataFrame, digest: str) -> pd.DataFrame:
    """Return labels as they are kept under their :func:`label_key`."""
    return labels.assign(**{_DIGEST: digest})


def read_kept_labels(kept: pd.DataFrame, key: Sequence[str] = ()) -> pd.DataFrame | None:
    """Return labels that were kept, identified by a key; None where they are not those of their digest any more."""
    (digest,) = kept[_DIGEST].unique()
    labels = kept.drop(columns=_DIGEST)
    return labels if content_digest(labels, key) == digest else None
