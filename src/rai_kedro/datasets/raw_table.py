"""A published CSV file that must be, to the byte, the one whose SHA-256 its catalogue entry states."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd

from rai_kedro.datasets.own_table import ReadOnlyTable
from rai_kedro.errors import RaiError


class RawTable(ReadOnlyTable):
    """Reads a CSV file after comparing its SHA-256.

    Examples:
        In the catalogue::

            housing.raw_data:
              type: rai_kedro.datasets.raw_table.RawTable
              filepath: data/01_raw/boston.csv
              sha256: 79ac716620024011b03c0c44d2bf99069b8173649181926d9109c25475a3804c
              columns: {CRIM: float64, CHAS: int64, MEDV: float64}    # and so on: pandas' types, in order
              restore: git checkout data/01_raw/boston.csv
    """

    def __init__(
        self, *, filepath: str, sha256: str, columns: dict[str, str], restore: str, metadata: Any = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._sha256, self._columns, self._restore = sha256, columns, restore

    def load(self) -> pd.DataFrame:
        """Read the table; RaiError if the file is not there or is another one."""
        try:
            with self._filepath.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise self._refuse(f"The raw file cannot be read: {error.strerror}.") from None
        if digest != self._sha256:
            how_many = f"{self._filepath.stat().st_size:,} bytes"
            example = f"its SHA-256 is {digest[:16]}…, the catalogue states {self._sha256[:16]}…"
            raise self._refuse("The raw file is not the published one.", how_many=how_many, example=example)
        return pd.read_csv(self._filepath, dtype=self._columns, usecols=list(self._columns))

    def _refuse(self, what: str, **details: str) -> RaiError:
        remedy = f"bring the original back with: {self._restore}"
        return RaiError(what, where=str(self._filepath), remedy=remedy, **details)
