"""A published CSV file that must be, to the byte, the one whose SHA-256 its catalogue entry states."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from rai_kedro.errors import RaiError

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview


class RawTable(AbstractDataset[NoReturn, pd.DataFrame]):
    """Reads a CSV file after comparing its SHA-256; never writes it.

    Examples:
        In the catalogue::

            housing.raw_data:
              type: rai_kedro.datasets.raw_table.RawTable
              filepath: data/01_raw/boston.csv
              sha256: 79ac716620024011b03c0c44d2bf99069b8173649181926d9109c25475a3804c
              columns: {CRIM: float64, CHAS: int64, MEDV: float64}    # and so on: pandas' types, in order
              restore: git checkout data/01_raw/boston.csv

    Args:
        filepath: The file.
        sha256: Digest of the right file.
        columns: Type of every column, by name.
        restore: Command that brings the right file back, for the error.
        metadata: Anything for tools such as kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        sha256: str,
        columns: dict[str, str],
        restore: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path, self._sha256, self._columns, self._restore = Path(filepath), sha256, columns, restore
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Read the table; RaiError if the file is not there or is another one."""
        try:
            with self._path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise self._refuse(f"The raw file cannot be read: {error.strerror}.") from None
        if digest != self._sha256:
            size = self._path.stat().st_size
            raise self._refuse(
                "The raw file is not the published one.",
                how_many=f"{size:,} bytes",
                example=f"its SHA-256 is {digest[:16]}…, the catalogue states {self._sha256[:16]}…",
            )
        return pd.read_csv(self._path, dtype=self._columns, usecols=list(self._columns))

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the file is an original."""
        raise DatasetError(f"A run never writes an original file: {self._path}.")

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for kedro-viz."""
        preview: TablePreview = self.load().head(nrows).to_dict(orient="split")
        return preview

    def _refuse(self, what: str, **details: str) -> RaiError:
        remedy = f"bring the original back with: {self._restore}"
        return RaiError(what, where=str(self._path), remedy=remedy, **details)

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path), "sha256": self._sha256}
