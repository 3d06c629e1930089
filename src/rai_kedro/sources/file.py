"""Reading a table that a user brings, or saying what is wrong with it.

Values of a text file stay text here. What a column means is decided by its contract and not by the rows that happen to
be in the file today, so that "007" stays "007" and a new row never changes the type of a column.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api import types

from rai_kedro.sources.layout import (
    COMMA_NUMBER,
    FEWEST_COLUMNS,
    GROUPED_NUMBER,
    SAMPLE,
    SHOWN,
    WHOLE_NUMBER,
    FileLayout,
    SourceError,
    decode_text,
    read_bytes,
)

# What pandas, and most programs, write for a missing value; in a text file these words are read as one.
READ_AS_MISSING = frozenset(
    "#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null".split("|")  # noqa: SIM905
)
# What people write besides. It stays a value, since it may be one; a draft counts it and asks.
_NEAR_MISSING = {word.lower() for word in READ_AS_MISSING} | {
    *("", "?", "??", "-", "--", ".", "..", "*", "missing", "unknown", "unk", "none", "n.a.", "n.a", "nil", "(null)"),
    *("not available", "not known", "not stated", "blank", "unbekannt", "keine angabe", "k.a.", "inconnu"),
    *("desconocido", "sconosciuto", "onbekend", "-99", "-999", "-9999"),
}
# Of these a column of numbers is spoiled; "none" and "nil" may mean 0 there.
_NO_NUMBERS = {word for word in _NEAR_MISSING if not re.fullmatch(r"none|nil|-\d+", word)} - {""}
_SENTINEL = re.compile(r"-?(9{2,6}|8{2,6}|7{2,6})|-[1-9]")
_FEWEST_SENTINELS = 3
_FIELD_LIMIT = 1 << 24
# A number, or a day.
_VALUE = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?")
_YEAR = re.compile(r"(1[89]|20|21)\d\d")


def read_table(path: Path, layout: FileLayout) -> pd.DataFrame:
    """Read a whole table, rows numbered from 0; of a text file every value is text, or missing.

    A column without a name is called ``column_N`` by its position, from 1, and the second one of a name ``name (2)``.

    Raises:
        SourceError: The file is missing, empty, damaged, wrongly encoded, has no header, a broken row, fewer than two
            columns or no row.
    """
    return mark_missing(read_cells(path, layout), layout)


def read_cells(path: Path, layout: FileLayout) -> pd.DataFrame:
    """Read a whole table as :func:`read_table` does, with words such as ``NA`` still as they stand."""
    table = read_parquet(path) if layout.format == "parquet" else _read_text(path, layout)
    table.columns = pd.Index(_name_columns([str(name) for name in table.columns]))
    if len(table.columns) < FEWEST_COLUMNS:
        raise SourceError(
            "The table has fewer than two columns.",
            where=str(path),
            example=", ".join(table.columns),
            remedy="a target and at least one more column are needed; if values run together, name the delimiter",
        )
    if table.empty:
        raise SourceError("The table has no rows.", where=str(path), remedy="put the rows below the header")
    return table


def mark_missing(cells: pd.DataFrame, layout: FileLayout) -> pd.DataFrame:
    """Make the words of :data:`READ_AS_MISSING` missing; a Parquet file says itself what is missing."""
    if layout.format == "parquet":
        return cells
    return cells.mask(cells.isin(list(READ_AS_MISSING)))


@dataclass(frozen=True)
class WordCount:
    """How often a word that may mean "missing" stands in a column, and whether it is read so."""

    word: str
    count: int
    is_missing: bool

    def __str__(self) -> str:
        """Return it as a few words."""
        return f"{self.count} x {self.word!r} {'read as missing' if self.is_missing else 'kept as a value'}"


def count_missing_words(cells: pd.DataFrame, layout: FileLayout) -> dict[str, tuple[WordCount, ...]]:
    """Count by column what stands for a missing value or may do so in :func:`read_cells`; empty cells do not count."""
    found = {}
    for name in cells.columns:
        values = cells[name].dropna()
        if not (types.is_string_dtype(values.dtype) or types.is_object_dtype(values.dtype)):
            continue
        values = values.astype(str)
        counts = values[values.str.strip().str.lower().isin(_NEAR_MISSING) & (values != "")].value_counts()
        blank = {word for word in counts.index if not str(word).strip()}
        read = blank | (set() if layout.format == "parquet" else READ_AS_MISSING)
        if len(counts):
            found[str(name)] = tuple(WordCount(str(w), int(n), w in read) for w, n in counts.items())
    return found


def find_spoilers(values: pd.Series[Any]) -> tuple[str, ...]:
    """Return the words that mean "missing" in a column of text which otherwise holds numbers only; mostly none."""
    known = values.dropna()
    if not types.is_string_dtype(known.dtype) and not types.is_object_dtype(known.dtype):
        return ()
    texts = known.astype(str)
    stripped = texts.str.strip()
    spoils = stripped.str.lower().isin(_NO_NUMBERS)
    rest = stripped[~spoils & (stripped != "")]
    if not spoils.any() or rest.empty or pd.to_numeric(rest, errors="coerce").isna().any():
        return ()
    return tuple(sorted(texts[spoils].unique()))


def find_sentinels(values: pd.Series[Any]) -> tuple[WordCount, ...]:
    """Count numbers such as 999 or -9 that lie far from all others and may stand for a missing value."""
    numbers = pd.to_numeric(values.dropna(), errors="coerce").dropna()
    counts = numbers.value_counts()
    odd = [value for value in counts.index if float(value).is_integer() and _SENTINEL.fullmatch(f"{value:.0f}")]
    rest = numbers[~numbers.isin(odd)]
    if rest.empty or not odd:
        return ()
    low, high = float(rest.min()), float(rest.max())
    below = [value for value in odd if value < 0 <= low]
    far = [*(below if len(below) <= _FEWEST_SENTINELS else ()), *(v for v in odd if low >= 0 and v > 2 * max(high, 1))]
    return tuple(
        WordCount(f"{value:.0f}", int(counts[value]), is_missing=False)
        for value in sorted(far)
        if counts[value] >= _FEWEST_SENTINELS
    )


def _read_text(path: Path, layout: FileLayout) -> pd.DataFrame:
    text = decode_text(read_bytes(path), layout.encoding, path)
    header = _check_rows(text, layout, path)
    _require_header(header, text, layout, path)
    table = pd.read_csv(
        StringIO(text), sep=layout.delimiter, header=None, dtype=str, index_col=False, engine="c",
        keep_default_na=False, na_values=[""],
    )  # fmt: skip
    table = table.iloc[1:].reset_index(drop=True)
    table.columns = pd.Index(header)
    if layout.decimal == ",":
        table = table.apply(_point_for_comma)
    return table


def _point_for_comma(values: pd.Series[str]) -> pd.Series[str]:
    known = values[~values.isin(list(READ_AS_MISSING)) & ~values.str.strip().str.lower().isin(_NO_NUMBERS)].dropna()
    if known.empty or not known.str.fullmatch(f"{COMMA_NUMBER}|{WHOLE_NUMBER}|{GROUPED_NUMBER}").all():
        return values
    plain = values.where(~values.str.fullmatch(GROUPED_NUMBER, na=False), values.str.replace(".", "", regex=False))
    # "1.234" alone may be a little more than one; beside a comma, or in two groups, the point is none of a fraction.
    if known.str.fullmatch(WHOLE_NUMBER).all() or known.str.contains(",", regex=False).any():
        return plain.str.replace(",", ".", regex=False)
    return plain if known.str.count(r"\.").max() > 1 else values


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not blank with the number of its last line."""
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    for row in reader:
        if row:
            yield reader.line_num, row


def _check_rows(text: str, layout: FileLayout, path: Path) -> list[str]:
    """Return the header, or name the first row that has another number of values."""
    records = _records(text, layout.delimiter)
    broken: list[tuple[int, list[str]]] = []
    rows, line = 0, 0
    try:
        line, header = next(records, (0, []))
        for line, row in records:
            rows += 1
            if len(row) != len(header):
                broken.append((line, row))
    except csv.Error as error:
        raise SourceError(
            f"A row is broken: {error}.",
            where=f"{path}, after line {line}",
            remedy="mend the quotes there: each one opened is closed, and one inside a quoted value is doubled",
        ) from None
    if broken:
        raise _explain_broken(broken, rows, header, layout, path)
    return header


def _explain_broken(
    broken: Sequence[tuple[int, list[str]]], rows: int, header: Sequence[str], layout: FileLayout, path: Path
) -> SourceError:
    line, row = broken[0]
    every_row_longer = len(broken) == rows and {len(r) for _, r in broken} == {len(header) + 1}
    remedy = "mend these rows; a value that holds the delimiter needs quotes around it"
    if every_row_longer:
        remedy = "name the first column in the header too"
    elif len(header) == 1:
        remedy = "the header has one column: name the right delimiter"
    return SourceError(
        f"{'Every row has' if every_row_longer else 'Rows have'} another number of values than the header.",
        where=f"{path}, line {line}",
        how_many=f"{len(broken)} of {rows} rows; this one has {len(row)} values, the header {len(header)}",
        example=layout.delimiter.join(row)[:SHOWN],
        remedy=remedy,
    )


def _require_header(header: Sequence[str], text: str, layout: FileLayout, path: Path) -> None:
    """Refuse a first row that is data: more than half of its cells are values, or stand in the column again."""
    below = [row for _, row in islice(_records(text, layout.delimiter), 1, SAMPLE + 1)]
    columns = list(zip(*below, strict=True)) or [()] * len(header)
    years = [cell for cell in header if _YEAR.fullmatch(cell.strip())]
    as_data = [
        (bool(_VALUE.fullmatch(cell.strip())) and not (cell in years and len(set(years)) == len(years) > 1))
        or (bool(cell.strip()) and cell in column)
        for cell, column in zip(header, columns, strict=True)
    ]
    if sum(as_data) * 2 > len(header):
        raise SourceError(
            "The file has no header: its first line looks like data.",
            where=f"{path}, line 1",
            how_many=f"{sum(as_data)} of {len(header)} names look like values",
            example=layout.delimiter.join(header)[:SHOWN],
            remedy="put a first line with a name for each column",
        )


def _name_columns(header: Sequence[str]) -> list[str]:
    """Give each column a name: its position where it has none, and ``x (2)`` to the second that is called ``x``."""
    names: list[str] = []
    for position, written in enumerate(header, start=1):
        name = written.strip() or f"column_{position}"
        free = (name, *(f"{name} ({number})" for number in range(2, len(header) + 2)))
        names.append(next(one for one in free if one not in names and (one == name or one not in header)))
    return names


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file of plain columns, or raise SourceError."""
    import pyarrow as pa
    from pyarrow import parquet

    unfit = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    read_bytes(path)
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            nested = [field.name for field in schema if any(is_one(field.type) for is_one in unfit)]
            table = None if nested else file.read().to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            "The Parquet file cannot be read.",
            where=str(path),
            example=str(error).splitlines()[0][:SHOWN],
            remedy="write the file again; it is damaged or no Parquet",
        ) from None
    if table is None:
        raise SourceError(
            "The Parquet file has columns that hold lists, records or bytes.",
            where=str(path),
            how_many=f"{len(nested)} of {len(schema.names)} columns",
            example=", ".join(nested)[:SHOWN],
            remedy="a table has one plain value in each cell: spread these columns out, or leave them away",
        )
    frame: pd.DataFrame = table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
    return frame.reset_index(drop=True)
