"""The figures of a run in the catalogue: a folder with one plotly file each."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import DatasetError

from rai_kedro.datasets.base import PathDataset
from rai_kedro.files import move_into_place, staging_folder

if TYPE_CHECKING:
    from kedro_datasets._typing import PlotlyPreview
    from plotly.graph_objects import Figure

# What names an axis: "x3" in a trace or an annotation, "xaxis3" in a layout; "paper" names none.
_AXIS = re.compile(r"^([xy])(\d*)( domain)?$")
_GAP = 0.12


class FiguresDataset(PathDataset["Mapping[str, Figure]", "dict[str, Figure]"]):
    """Keeps plotly figures by name, in order, as ``01_<name>.json`` and so on; kedro-viz shows all on one sheet.

    Examples:
        In the catalogue, so that MLflow has the folder among the run's artifacts::

            "{use_case}.figures":
              type: kedro_mlflow.io.artifacts.MlflowArtifactDataset
              dataset:
                type: rai_kedro.datasets.figures.FiguresDataset
                filepath: data/08_reporting/{use_case}/figures
    """

    def save(self, data: Mapping[str, Figure]) -> None:
        """Write the figures in the place of those that are there."""
        folder = self._filepath
        with staging_folder(folder, "figures") as staging:
            for number, (name, figure) in enumerate(data.items(), start=1):
                (staging / f"{number:02d}_{name}.json").write_text(figure.to_json(), encoding="utf-8")
            staging.chmod(0o755)
            shutil.rmtree(folder, ignore_errors=True)
            move_into_place(staging, folder)

    def load(self) -> dict[str, Figure]:
        """Return the figures by name, in the order they were written."""
        from plotly.io import from_json

        if not (files := self._list()):
            raise DatasetError(f"There are no figures in {self._filepath} yet; train first.")
        return {_name(path): from_json(path.read_text(encoding="utf-8"), skip_invalid=True) for path in files}

    def preview(self) -> PlotlyPreview:
        """Return all figures on one sheet, for kedro-viz, which shows one plot for each dataset."""
        from kedro_datasets._typing import PlotlyPreview

        drawn = [json.loads(path.read_text(encoding="utf-8")) for path in self._list()]
        return PlotlyPreview(lay_out_sheet([one for one in drawn if one["data"]]))

    def _list(self) -> list[Path]:
        return sorted(self._filepath.glob("*.json"))

    def _exists(self) -> bool:
        return bool(self._list())


def lay_out_sheet(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Put plotly figures beside and below each other in one figure, each with axes and place of its own.

    Of their layouts only axes, titles, shapes and annotations are kept.
    """
    columns = max(1, math.ceil(math.sqrt(len(figures))))
    rows = max(1, math.ceil(len(figures) / columns))
    sheet: dict[str, Any] = {"data": [], "layout": {"showlegend": False, "annotations": [], "shapes": []}}
    for number, figure in enumerate(figures):
        column, row = number % columns, number // columns
        cell = {
            "x": (column / columns, (column + 1 - _GAP) / columns),
            "y": (1 - (row + 1 - _GAP) / rows, 1 - (row + _GAP) / rows),
        }
        _place(figure, cell, number, sheet)
    return sheet


def _place(figure: dict[str, Any], cell: dict[str, tuple[float, float]], number: int, sheet: dict[str, Any]) -> None:
    layout = figure["layout"]
    for trace in figure["data"]:
        sheet["data"].append({**trace, **{f"{x}axis": _rename(trace.get(f"{x}axis", x), number) for x in "xy"}})
    for key in [key for key in layout if re.fullmatch(r"[xy]axis\d*", key)]:
        axis, (low, high) = dict(layout[key]), cell[key[0]]
        axis["domain"] = [low + (high - low) * end for end in axis.get("domain", (0, 1))]
        links = {one: _rename(axis[one], number) for one in ("anchor", "matches", "scaleanchor") if one in axis}
        sheet["layout"][_rename(key.replace("axis", ""), number).replace(key[0], f"{key[0]}axis", 1)] = axis | links
    for kind in ("annotations", "shapes"):
        sheet["layout"][kind] += [_move(one, cell, number) for one in layout.get(kind, ())]
    title = {"text": layout.get("title", {}).get("text", ""), "showarrow": False, "font": {"size": 12}}
    at = {"x": cell["x"][0], "y": cell["y"][1], "xref": "paper", "yref": "paper", "xanchor": "left"}
    sheet["layout"]["annotations"].append(title | at | {"yanchor": "bottom"})


def _rename(axis: Any, number: int) -> Any:
    """Give an axis of the figure with this number a name that no other figure's has."""
    found = _AXIS.match(str(axis))
    if not found:
        return axis
    at = 100 * number + int(found[2] or 1)
    return f"{found[1]}{at if at > 1 else ''}{found[3] or ''}"


def _move(drawn: dict[str, Any], cell: dict[str, tuple[float, float]], number: int) -> dict[str, Any]:
    """Move an annotation or a shape along with its figure."""
    moved = dict(drawn)
    for x in "xy":
        ref = moved.get(f"{x}ref", "paper")
        moved[f"{x}ref"] = _rename(ref, number)
        for key in (x, f"{x}0", f"{x}1"):
            if ref == "paper" and isinstance(moved.get(key), int | float):
                moved[key] = cell[x][0] + (cell[x][1] - cell[x][0]) * moved[key]
    return moved


def _name(path: Path) -> str:
    return path.stem.partition("_")[2]
