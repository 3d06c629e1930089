"""A table that a user brings: CSV or Parquet, refused with a clear error when it is not whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from rai_kedro.sources import FileLayout, read_table

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview


class ReadOnlyTable(AbstractDataset[NoReturn, pd.DataFrame]):
    """A file that a run reads and never writes."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None) -> None:
        self._path = Path(filepath)
        self.metadata = metadata

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the file is somebody else's."""
        raise DatasetError(f"A run never writes this file: {self._path}.")

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for kedro-viz."""
        preview: TablePreview = self.load().head(nrows).to_dict(orient="split")
        return preview

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}


class OwnTable(ReadOnlyTable):
    """Reads a user's file after checking every row of it; values of a text file stay text.

    Examples:
        In the catalogue::

            rents.own_data:
              type: rai_kedro.datasets.own_table.OwnTable
              filepath: data/01_raw/rents.csv
              layout: {format: csv, delimiter: ";", encoding: utf-8, decimal: ","}   # keys of sources.FileLayout
    """

    def __init__(self, *, filepath: str, layout: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath, metadata)
        self.layout = FileLayout.model_validate(layout)

    def load(self) -> pd.DataFrame:
        """Read the table; SourceError if the file is missing, damaged or not laid out as the entry says."""
        return read_table(self._path, self.layout)
