"""The codebook of a table: what each coded value, and the column itself, is called.

As CSV with the columns ``column``, ``value`` and ``label``; as YAML or JSON the same rows, or
``{column: {value: label}}``. An empty value labels the column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from rai_kedro.contract import canonical
from rai_kedro.sources.file import read_table
from rai_kedro.sources.layout import SHOWN, SourceError, decode_text, detect_layout, read_bytes
from rai_kedro.words import list_some

Codebook = dict[str, dict[str, str]]
_NEEDED = ("column", "value", "label")
_SHOWN = 5


def read_codebook(path: Path, table: pd.DataFrame) -> Codebook:
    """Return the label of each value by column.

    Raises:
        SourceError: The file is none of the three forms, a value has two labels, a column of it is not in the table,
            or of a column it labels no value that is there.
    """
    found: Codebook = {}
    for at, (column, value, label) in enumerate(_rows(path), start=1):
        labels = found.setdefault(column, {})
        if labels.setdefault(value, label) != label:
            raise SourceError(
                f"The codebook gives a value of '{column}' two labels.",
                where=f"{path}, entry {at}",
                example=f"{value or 'the column itself'}: {labels[value]!r} and {label!r}"[:SHOWN],
                remedy="leave one of them",
            )
    _refuse_unfit(path, found, table)
    return found


def list_unlabelled(codebook: Codebook, table: pd.DataFrame) -> list[str]:
    """Say of each column that the codebook labels which values that are there have none."""
    said = []
    for name, labels in codebook.items():
        if {*labels} - {""} and (without := sorted(_values(table[name]) - {*labels})):
            said.append(f"{name}: {len(without)} of {len(_values(table[name]))} values ({list_some(without, _SHOWN)})")
    return said


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    plain = _read(path)
    if isinstance(plain, Mapping):
        if odd := [str(name) for name, labels in plain.items() if not isinstance(labels, Mapping | str)]:
            raise _malformed(path, f"'{odd[0]}' has neither a label nor a label for each value")
        for name, labels in plain.items():
            of_values = labels if isinstance(labels, Mapping) else {"": labels}
            yield from ((str(name), canonical(value), str(label)) for value, label in of_values.items())
        return
    for row in plain if isinstance(plain, list) else [None]:
        if not isinstance(row, Mapping) or not {*_NEEDED} <= {*row}:
            raise _malformed(path, f"it has {', '.join(map(str, row)) if isinstance(row, Mapping) else row!r}"[:SHOWN])
        column, value, label = (row[key] for key in _NEEDED)
        yield str(column).strip(), "" if value is None else canonical(value), str(label).strip()


def _read(path: Path) -> Any:
    if path.suffix.lower() not in (".yml", ".yaml", ".json"):
        table = read_table(path, detect_layout(path))
        return table.astype(object).where(table.notna(), None).to_dict("records")
    text = decode_text(read_bytes(path), "utf-8", path)
    try:
        return json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise _malformed(path, str(error).replace("\n", " ")[:SHOWN]) from None


def _malformed(path: Path, example: str) -> SourceError:
    return SourceError(
        "The codebook is not written as one.",
        where=str(path),
        example=example,
        remedy="write one row for each value with column, value and label (CSV, YAML or JSON), or {column: {value: "
        "label}}; an empty value labels the column",
    )


def _values(values: pd.Series[Any]) -> set[str]:
    return {canonical(value) for value in values.dropna().unique()} - {""}


def _refuse_unfit(path: Path, codebook: Codebook, table: pd.DataFrame) -> None:
    if unknown := [name for name in codebook if name not in table.columns]:
        written = {str(one).lower() for one in table.columns}
        alike = sum(name.lower() in written for name in unknown)
        raise SourceError(
            "The codebook does not fit the table: it names columns that are not there.",
            where=str(path),
            how_many=f"{len(unknown)} of {len(codebook)} columns, {alike} of them but for capital letters",
            example=f"{list_some(unknown, _SHOWN)}; the table has {list_some(list(map(str, table.columns)), _SHOWN)}",
            remedy="write the names as the header of the table does, and leave out columns that are not in it",
        )
    for name, labels in codebook.items():
        values, labelled = _values(table[name]), {*labels} - {""}
        if labelled and values and not values & labelled:
            raise SourceError(
                f"The codebook does not fit the table: of '{name}' it labels no value that is there.",
                where=str(path),
                how_many=f"0 of {len(values)} values of '{name}' have a label",
                example=f"labelled are {list_some(sorted(labelled), _SHOWN)}; there are "
                f"{list_some(sorted(values), _SHOWN)}",
                remedy="write the values as the table does (1, not 01), or leave this column out of the codebook",
            )
