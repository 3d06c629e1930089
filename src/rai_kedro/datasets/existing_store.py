"""A store that another system fills, read as monthly features or labels and never written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn

import pandas as pd
from kedro.io import AbstractDataset

from rai_kedro.contract import forbidden_columns, open_columns, rai_block
from rai_kedro.datasets.base import Previewed, ReadOnly
from rai_kedro.errors import RaiError
from rai_kedro.frames import MonthLoader
from rai_kedro.sources import IngestionParameters, find_stored_months, read_stored_month, split_months


class ExistingStore(ReadOnly, Previewed, AbstractDataset[NoReturn, dict[str, Callable[[], pd.DataFrame]]]):
    """Reads the months of a folder in Hive layout, or of any Kedro dataset that gives a table.

    Every month gets the types of its column contract, the row key and a label of 1 and 0, as the project's own stores
    have; columns that the contract forbids are dropped as soon as they are read.

    Examples:
        In the catalogue::

            loans.feature_store:
              type: rai_kedro.datasets.existing_store.ExistingStore
              filepath: /warehouse/loans                     # month=2024-05/*.parquet and so on; or instead
              # dataset: {type: pandas.SQLQueryDataset, sql: SELECT * FROM loans, credentials: warehouse}
              part: features                                 # or labels
              months: {label: repaid, key: loan, number_rows: false, favourable: "yes", unfavourable: "no"}

    Args:
        months: Keys of :class:`rai_kedro.sources.months.IngestionParameters`; ``time`` for a ``dataset``, neither
            ``time`` nor ``month`` for a folder.
        metadata: The column contract under ``rai``, and anything for other tools.
    """

    refusal = "A run never writes the stores of another system: {part} in {place}."

    def __init__(
        self,
        *,
        part: Literal["features", "labels"],
        months: dict[str, Any],
        filepath: str | None = None,
        dataset: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        if (filepath is None) == (dataset is None):
            raise RaiError("A store is a folder or a dataset.", remedy="give either 'filepath' or 'dataset'")
        if filepath is not None and "://" in filepath:
            raise RaiError(
                "A folder that is not on this machine is read as a dataset.",
                where=f"filepath: {filepath}",
                remedy="write  dataset: {type: pandas.ParquetDataset, filepath: …}  and  time: {column: month}  under "
                "'months' (docs/stores.md)",
            )
        self._part, self._folder = part, None if filepath is None else Path(filepath)
        # Where the folder says the month, any will do until one is read.
        settings = months if dataset else {**months, "month": "2000-01"}
        self._parameters = IngestionParameters.model_validate(settings)
        self._dataset = AbstractDataset.from_config("dataset", dataset) if dataset else None
        self.metadata = metadata

    def load(self) -> dict[str, Callable[[], pd.DataFrame]]:
        """Return a function for each month that reads it; SourceError if there is none, or from a reader."""
        if self._folder is not None:
            months = find_stored_months(self._folder)
            readers: dict[str, Callable[[], pd.DataFrame]] = {}
            for month, files in months.items():
                read = partial(self._read_month, month, files)
                readers[f"month={month}"] = MonthLoader(read, partial(read, closed=True))
            return readers if self._part == "features" else {key: read for key, read in readers.items() if len(read())}
        table: pd.DataFrame = self._dataset.load()  # type: ignore[union-attr]
        months_of_table = self._split(table, self._parameters)
        return {
            key: MonthLoader(partial(pd.DataFrame.copy, frame), partial(self._read_again, key))
            for key, frame in months_of_table.items()
        }

    def _read_again(self, key: str) -> pd.DataFrame:
        """Return the forbidden columns of one month of a dataset; between two reads they are in no memory."""
        table: pd.DataFrame = self._dataset.load()  # type: ignore[union-attr]
        return self._split(table, self._parameters, closed=True)[key]

    def _read_month(self, month: str, files: tuple[Path, ...], *, closed: bool = False) -> pd.DataFrame:
        key = None if self._parameters.number_rows else self._parameters.key
        old_names = {new: old for old, new in self._parameters.rename.items()}
        table = read_stored_month(files, old_names.get(str(key), key))
        made = self._split(table, self._parameters.for_month(month), closed=closed)
        return next(iter(made.values()), pd.DataFrame())

    def _split(
        self, table: pd.DataFrame, parameters: IngestionParameters, *, closed: bool = False
    ) -> dict[str, pd.DataFrame]:
        block = rai_block({"metadata": self.metadata}) or {}
        types = {name: column["type"] for name, column in block.get("columns", {}).items()}
        made = split_months(table, parameters, types, parts=(self._part,))
        frames = made.features if self._part == "features" else made.labels
        unread = list(open_columns(self.metadata) if closed else forbidden_columns(self.metadata))
        return {key: frame.drop(columns=unread, errors="ignore") for key, frame in frames.items()}

    def _exists(self) -> bool:
        return self._dataset.exists() if self._dataset is not None else bool(self._folder and self._folder.is_dir())

    def _describe(self) -> dict[str, Any]:
        return {"part": self._part, "place": str(self._dataset or self._folder)}
