"""A table that a user brings: CSV or Parquet, refused with a clear error when it is not whole."""

from __future__ import annotations

from typing import Any, NoReturn

import pandas as pd

from rai_kedro.datasets.base import PathDataset, Previewed, ReadOnly
from rai_kedro.sources import FileLayout, read_table


class ReadOnlyTable(ReadOnly, Previewed, PathDataset[NoReturn, pd.DataFrame]):
    """A file that is somebody else's."""

    refusal = "A run never writes this file: {filepath}."


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
        super().__init__(filepath=filepath, metadata=metadata)
        self.layout = FileLayout.model_validate(layout)

    def load(self) -> pd.DataFrame:
        """Read the table; SourceError if the file is missing, damaged or not laid out as the entry says."""
        return read_table(self._filepath, self.layout)
