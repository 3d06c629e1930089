"""A raw CSV file that must be exactly what its catalogue entry says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset

from rai_kedro.demo.raw_source import RawSource, check_raw, check_raw_file

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview


class RawTable(CSVDataset):  # type: ignore[misc]  # kedro-datasets ships no types
    """Loads a CSV file after checking that it is there, whole, and has the columns and rows it should have.

    Examples:
        In the catalogue::

            housing.raw_data:
              type: rai_kedro.datasets.raw_table.RawTable
              filepath: data/01_raw/boston.csv
              source:
                columns: [CRIM, MEDV]
                rows: 506
                restore: git checkout data/01_raw/boston.csv
    """

    def __init__(self, *, filepath: str, source: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        """Point to the file and say what it must be.

        Args:
            filepath: The CSV file.
            source: Keys of :class:`rai_kedro.demo.raw_source.RawSource`, without ``path``.
            metadata: Anything for tools such as kedro-viz.
        """
        super().__init__(filepath=filepath, metadata=metadata)
        self._source = RawSource.model_validate({"path": filepath, **source})

    def load(self) -> pd.DataFrame:
        """Load the table.

        Raises:
            RawSourceError: If the file or the table in it is not what it should be.
        """
        check_raw_file(self._source.path, self._source)
        return check_raw(super().load(), self._source)

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows for kedro-viz; the stock preview loads so few that the check would refuse them."""
        preview: TablePreview = self.load().head(nrows).to_dict(orient="split")
        return preview
