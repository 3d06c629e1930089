"""A table that a user brings: CSV or Parquet, refused with a clear error when it is not whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from rai_kedro.sources import FileLayout, read_table

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview


class OwnTable(AbstractDataset[NoReturn, pd.DataFrame]):
    """Reads a user's file after checking every row of it; never writes it.

    Values of a text file are loaded as text; the types come from the column contract.

    Examples:
        In the catalogue::

            rents.own_data:
              type: rai_kedro.datasets.own_table.OwnTable
              filepath: data/01_raw/rents.csv
              layout: {format: csv, delimiter: ";", encoding: utf-8, decimal: ","}

        In Python::

            table = OwnTable(filepath="data/01_raw/rents.parquet", layout={"format": "parquet"}).load()
    """

    def __init__(self, *, filepath: str, layout: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Point to the file and say how it is laid out.

        Args:
            filepath: The file; a relative path starts at the project root.
            layout: Keys of :class:`rai_kedro.sources.layout.FileLayout`.
            metadata: Anything for tools such as kedro-viz.
        """
        self._filepath = Path(filepath)
        self.layout = FileLayout.model_validate(layout)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Read the table.

        Raises:
            SourceError: If the file is missing, damaged or not laid out as the entry says.
        """
        return read_table(self._filepath, self.layout)

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the file is the user's."""
        raise DatasetError(f"A run never writes a user's own file: {self._filepath}.")

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for kedro-viz."""
        preview: TablePreview = self.load().head(nrows).to_dict(orient="split")
        return preview

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), **self.layout.model_dump()}
