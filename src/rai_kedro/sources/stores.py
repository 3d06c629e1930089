"""Months that are already there: a folder that another system fills, or a store compared with what comes in anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rai_kedro.contract import fingerprint
from rai_kedro.months import is_month, month_of_key, say_period
from rai_kedro.sources.file import read_parquet
from rai_kedro.sources.layout import SourceError
from rai_kedro.words import count_of, list_some

_SHOWN = 6
_SHOWN_TEXT = 160


@dataclass(frozen=True)
class MonthChanges:
    """How months that come in compare with those of a store, each by partition key."""

    new: tuple[str, ...]  # not in the store
    equal: tuple[str, ...]  # in the store, with the same rows
    changed: tuple[str, ...]  # in the store, with other rows
    vanished: tuple[str, ...]  # in the store only


def compare_months(made: Mapping[str, pd.DataFrame], stored: Mapping[str, Callable[[], pd.DataFrame]]) -> MonthChanges:
    """Compare months with those of a store; values, types, columns and the order of rows count."""
    known = [part for part in made if part in stored]
    equal = tuple(part for part in known if fingerprint(_plain(made[part])) == fingerprint(_plain(stored[part]())))
    return MonthChanges(
        new=tuple(part for part in made if part not in stored),
        equal=equal,
        changed=tuple(part for part in known if part not in equal),
        vanished=tuple(part for part in stored if part not in made),
    )


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with one resolution of dates: a file does not keep it."""
    dates = frame.select_dtypes("datetime").columns
    return frame.astype(dict.fromkeys(dates, "datetime64[us]"))


def describe_changes(changes: MonthChanges, store: str) -> list[str]:
    """Return a sentence on months that changed, and one on months that vanished; none where there are none."""
    sentences = {
        "changed at {its} source and {is} replaced": changes.changed,
        "{is} no longer at {its} source and {stays} in the store": changes.vanished,
    }
    words = {True: {"its": "their", "is": "are", "stays": "stay"}, False: {"its": "its", "is": "is", "stays": "stays"}}
    return [
        f"{store}: {say_period(count_of(len(parts), 'month'), month_of_key(parts[0]))} "
        f"{what.format(**words[len(parts) > 1])}: "
        f"{list_some([month_of_key(part) for part in parts], _SHOWN)}"
        for what, parts in sentences.items()
        if parts
    ]


def find_stored_months(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Return the Parquet files of each month of a folder in Hive layout, ``month=YYYY-MM/*.parquet``, sorted.

    Features and labels may lie in one table, or apart in ``feature_store`` and ``label_store`` below the folder; the
    files of the labels come last. SourceError if there is no such folder, or no month in it.
    """
    apart = [folder / name for name in ("feature_store", "label_store") if (folder / name).is_dir()]
    found: dict[str, list[Path]] = {}
    for root in apart or [folder]:
        for path in sorted(root.glob("month=*")):
            files = sorted(file for file in path.rglob("*.parquet") if not file.name.startswith((".", "_")))
            if is_month(month_of_key(path.name)) and files:
                found.setdefault(month_of_key(path.name), []).extend(files)
    if not found:
        raise SourceError(
            "There are no months here." if folder.is_dir() else "There is no such folder.",
            where=str(folder),
            example=", ".join(sorted(path.name for path in folder.glob("*"))[:_SHOWN]) or None,
            remedy="a store has a folder for each month, month=YYYY-MM, with Parquet files in it",
        )
    return {month: tuple(files) for month, files in sorted(found.items())}


def read_stored_month(files: Sequence[Path], key: str | None) -> pd.DataFrame:
    """Read one month of a store; labels that lie apart are joined by the key, and may be there for some rows only.

    SourceError if a file is damaged, or labels lie apart and there is no key in both.
    """
    labels = [file for file in files if "label_store" in (parent.name for parent in file.parents)]
    features = _read_files([file for file in files if file not in labels])
    if not labels:
        return features
    known = _read_files(labels)
    if key is None or key not in features or key not in known or known[key].duplicated().any():
        raise SourceError(
            "Features and labels lie apart, and no key joins them.",
            where=str(labels[0]),
            example=f"the labels have {', '.join(map(str, known.columns))}"[:_SHOWN_TEXT],
            remedy="name the key, a column that both have and that identifies a row within a month",
        )
    return features.merge(known[[key, *(name for name in known.columns if name not in features)]], on=key, how="left")


def _read_files(files: Sequence[Path]) -> pd.DataFrame:
    """Read the files of one month; the month itself is said by the folder, whether or not they repeat it."""
    frames = [read_parquet(file) for file in files]
    return pd.concat(frames, ignore_index=True).drop(columns="month", errors="ignore")
