"""How the file of a user's table is laid out: encoding, delimiter, decimal mark."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import Field

from rai_kedro.errors import RaiError
from rai_kedro.typed import Typed

DELIMITERS = (",", ";", "\t", "|")
SUFFIXES = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet"}
COMMA_NUMBER = r"\s*[-+]?\d*,\d+\s*"
WHOLE_NUMBER = r"\s*[-+]?\d+\s*"
GROUPED_NUMBER = r"\s*[-+]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?\s*"
_NO_VALUES = {"?", "-", "--", ".", "NA", "N/A", "n/a", "null", "NULL", "NaN", "nan"}
# Rows that are looked at to tell how a file is written.
SAMPLE = 200
FEWEST_COLUMNS = 2
# Most characters of a line or of names that an error repeats.
SHOWN = 100


class SourceError(RaiError):
    """A table cannot be read, or does not fit what is said of it."""


class FileLayout(Typed):
    """How a table is written in its file; all but the format are of text only."""

    format: Literal["csv", "parquet"] = "csv"  # csv: any delimited text
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."


def detect_layout(
    path: Path, *, delimiter: str | None = None, encoding: str | None = None, decimal: Literal[".", ","] | None = None
) -> FileLayout:
    """Find out how a file is laid out; what the user says is taken as said, and None is found.

    SourceError if it is missing, empty, of an unknown kind, not in the encoding, or no delimiter gives two columns.
    """
    content = read_bytes(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise SourceError(
            f"A file that ends in '{path.suffix}' is not read.",
            where=str(path),
            remedy=f"save the table as CSV or Parquet; known endings: {', '.join(SUFFIXES)}",
        )
    if kind == "parquet":
        return FileLayout(format="parquet")
    encoding = encoding or ("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    lines = decode_text(content, encoding, path).splitlines()
    delimiter = delimiter or _find_delimiter(lines[: SAMPLE + 1], path)
    if decimal is None and delimiter != "," and _has_decimal_comma(lines, delimiter):
        decimal = ","
    return FileLayout(delimiter=delimiter, encoding=encoding, decimal=decimal or ".")


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, or raise SourceError: it is not there, not open to the reader, or empty."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SourceError("The file is missing.", where=str(path), remedy="check the path") from None
    except OSError as error:
        what = f"The file cannot be read: {error.strerror}."
        raise SourceError(what, where=str(path), remedy="see that you may read this file") from None
    if not content.strip():
        raise SourceError("The file is empty.", where=str(path), remedy="take a file with a header and rows")
    return content


def decode_text(content: bytes, encoding: str, path: Path) -> str:
    """Return content as text, or raise SourceError: no such encoding, other bytes than its, or NUL characters."""
    # The mark that some programs put first is no part of the first name.
    codec = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    try:
        text = content.decode(codec)
    except LookupError:
        what, remedy = f"There is no encoding '{encoding}'.", "name one, such as utf-8, cp1252 or utf-16"
        raise SourceError(what, where=str(path), remedy=remedy) from None
    except UnicodeDecodeError as error:
        raise _explain_encoding(content, encoding, error.start, path) from None
    if "\x00" in text:
        raise SourceError(
            "The file holds NUL characters: it is no text, or in another encoding.",
            where=f"{path}, line {text[: text.index(chr(0))].count(chr(10)) + 1}",
            remedy="name the encoding, for example utf-16, or save the file as UTF-8",
        )
    return text


def _explain_encoding(content: bytes, encoding: str, position: int, path: Path) -> SourceError:
    start = content.rfind(b"\n", 0, position) + 1
    line = content[start : start + SHOWN].splitlines()[0]
    number = content.count(b"\n", 0, position) + 1
    return SourceError(
        f"The file is not in {encoding}.",
        where=f"{path}, line {number}",
        example=f"in cp1252 the line reads: {line.decode('cp1252', errors='replace')}",
        remedy="if that reads well, name the encoding cp1252; else the encoding it was saved in, or save it as UTF-8",
    )


def _find_delimiter(lines: Sequence[str], path: Path) -> str:
    """Take the delimiter under which most of the first records have as many fields as the header."""
    header_widths = {mark: len(next(csv.reader(lines, delimiter=mark), [])) for mark in DELIMITERS}
    candidates = [mark for mark, width in header_widths.items() if width >= FEWEST_COLUMNS]
    if not candidates:
        raise SourceError(
            "No delimiter gives more than one column.",
            where=f"{path}, line 1",
            example=lines[0][:SHOWN],
            remedy="name the delimiter; tried: comma, semicolon, tab, vertical bar",
        )

    def agreement(mark: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=mark) if row)
        return widths[header_widths[mark]] / widths.total(), header_widths[mark]

    return max(candidates, key=agreement)


def _has_decimal_comma(lines: Sequence[str], delimiter: str) -> bool:
    rows = islice(csv.reader(lines, delimiter=delimiter), 1, SAMPLE * 10)
    columns = [[v for v in column if v.strip()] for column in zip(*(row for row in rows if row), strict=False)]
    return any(
        any(re.fullmatch(f"{COMMA_NUMBER}|{GROUPED_NUMBER}", value) and "," in value for value in column)
        and all(re.fullmatch(f"{COMMA_NUMBER}|{WHOLE_NUMBER}|{GROUPED_NUMBER}", value) for value in column)
        for column in ([value for value in one if value.strip() not in _NO_VALUES] for one in columns)
    )
