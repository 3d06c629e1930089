"""What the datasets of this project have in common: a place on disk, a preview, and who may not save."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from rai_kedro.files import project_folder

if TYPE_CHECKING:
    from kedro_datasets._typing import TablePreview

    from rai_kedro.release import Trust

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class PathDataset(AbstractDataset[_In, _Out]):
    """What is in one file or folder: ``filepath``, a key that Kedro makes absolute. Plugins read ``metadata``."""

    def __init__(self, *, filepath: str | os.PathLike[str], metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class ModelDataset(PathDataset[_In, _Out]):
    """What is in one file or folder and belongs to a registered model."""

    def __init__(self, *, registered_model_name: str, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._registered_model_name = registered_model_name

    def _describe(self) -> dict[str, Any]:
        return {"registered_model_name": self._registered_model_name, **super()._describe()}


class Trusting:
    """What depends on whose signatures count.

    The context says in which environment; without that no demonstration stands for a person.
    """

    environment = ""

    @property
    def trust(self) -> Trust:
        """Whose signatures count."""
        from rai_kedro.datasets.candidate_model import handed_on
        from rai_kedro.release import read_trust

        with handed_on():
            return read_trust(project_folder(), self.environment)


class ReadOnly:
    """What a run reads and never writes; ``refusal`` says why, with what describes the dataset filled in."""

    refusal: ClassVar[str]

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse with a ``DatasetError``."""
        described: dict[str, Any] = self._describe()  # type: ignore[attr-defined]
        raise DatasetError(self.refusal.format(**described))


class Previewed:
    """A table, or tables by month, of which kedro-viz shows the first rows."""

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows, of the first month where there are several."""
        loaded = self.load()  # type: ignore[attr-defined]
        first = next(iter(loaded.values()), pd.DataFrame)() if isinstance(loaded, dict) else loaded
        shown = first.head(nrows).rename(columns=self._name_with_flags)
        preview: TablePreview = shown.to_dict(orient="split")
        return preview

    def _name_with_flags(self, column: str) -> str:
        """Say in the heading what the column contract of the entry flags, since kedro-viz shows no metadata."""
        contract = (getattr(self, "metadata", None) or {}).get("rai", {}).get("columns", {})
        flags = contract.get(column, {}).get("flags", [])
        return f"{column} ({', '.join(flags)})" if flags else column
