"""A month in the order of its key, cut into blocks that are read, joined and worked on one by one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from rai_kedro.contract import DatasetContract, UnorderedRows, check_blocks
from rai_kedro.frames import BLOCK_ROWS, MonthFile, MonthLoader
from rai_kedro.monitoring import TableDigest, content_digest, sort_by_key

Part: TypeAlias = Callable[[], pd.DataFrame]
"""Reads some rows of a month; small enough to be sent to another machine."""


@dataclass(frozen=True)
class FrameMonth:
    """A month that is in memory, in the order of its key."""

    frame: pd.DataFrame

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.frame)

    def read(self, start: int = 0, stop: int | None = None, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Return the rows from one place to before another; of some columns only, where they are named."""
        rows = self.frame.iloc[start:stop]
        return rows if columns is None else rows[[name for name in rows if name in columns]]


@dataclass(frozen=True)
class MonthTable:
    """One month of one store in the order of its key.

    Attributes:
        digest: Of its content; empty where it was held against a record instead.
        starts: Key of the first row of each block.
    """

    source: FrameMonth | MonthFile
    key: tuple[str, ...]
    digest: str
    starts: tuple[tuple[Any, ...], ...]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.source.rows

    @property
    def in_memory(self) -> bool:
        """Whether all its rows are in memory."""
        return isinstance(self.source, FrameMonth)

    @property
    def places(self) -> list[int]:
        """Where each block begins, and where the last ends."""
        return [*range(0, max(1, self.rows), BLOCK_ROWS), self.rows]

    def read(self, start: int = 0, stop: int | None = None) -> pd.DataFrame:
        """Return rows."""
        return self.source.read(start, stop)

    def parts(self, places: Sequence[int] | None = None, columns: Collection[str] | None = None) -> list[Part]:
        """Return what reads each block, or the rows between other places; of some columns only, if they are named."""
        places = self.places if places is None else places
        return [self._part(start, stop, columns) for start, stop in pairwise(places)]

    def cut_like(self, starts: Sequence[tuple[Any, ...]]) -> list[int]:
        """Return the places at which the blocks of another table begin in this one, and where the last ends."""
        return [0, *(self._find(start) for start in starts[1:]), self.rows]

    def _part(self, start: int, stop: int, columns: Collection[str] | None) -> Part:
        if isinstance(self.source, FrameMonth):  # no more than these rows is sent elsewhere
            return FrameMonth(self.source.read(start, stop, columns)).read
        return partial(self.source.read, start, stop, columns)

    def _find(self, key: tuple[Any, ...]) -> int:
        """Return how many rows have a smaller key."""
        before = max(0, bisect_right(self.starts, key) - 1) * BLOCK_ROWS
        block = self.source.read(before, before + BLOCK_ROWS, self.key)[list(self.key)]
        return before + bisect_left(range(len(block)), key, key=partial(_row, block))


def open_table(
    load: Callable[[], pd.DataFrame], governed: DatasetContract, part: str, folder: Path, *, on_disk: bool | None
) -> MonthTable:
    """Open a month of a governed store: checked, in the order of its key, and digested.

    Args:
        load: Loads it, and checks it.
        governed: Its contract, by which it is checked where it is read in parts.
        part: Which part of the store it is, for errors.
        folder: Where a month that has to be sorted on disk goes.
        on_disk: Whether it is read in parts; None for every month of more than one block that can be.

    Raises:
        ContractViolation: It breaks its contract.
    """
    month = _open(load, on_disk)
    if month is None:
        frame = sort_by_key(load(), governed.key)
        return _table(FrameMonth(frame), governed.key, content_digest(frame, governed.key))
    try:
        return _pass_over(month, governed, part)
    except UnorderedRows:
        return _pass_over(month.sort(governed.key, folder), governed, part)


def open_predictions(load: Callable[[], pd.DataFrame], key: tuple[str, ...], *, on_disk: bool | None) -> MonthTable:
    """Open the predictions of a month, which lie in the order of the key since they were made in it.

    Raises:
        RaiError: They are not those on record.
    """
    month = _open(load, on_disk)
    if month is None:
        return _table(FrameMonth(sort_by_key(load(), key)), key, "")
    digest = TableDigest()
    for block in _blocks(month):
        digest.update(block)
    if isinstance(load, MonthLoader) and load.require is not None:
        load.require(digest.hexdigest())
    return _table(month, key, "")


def _open(load: Callable[[], pd.DataFrame], on_disk: bool | None) -> MonthFile | None:
    if on_disk is False or not isinstance(load, MonthLoader) or load.open is None:
        return None
    month = load.open()
    return month if on_disk or month.rows > BLOCK_ROWS else None


def _pass_over(month: MonthFile, governed: DatasetContract, part: str) -> MonthTable:
    digest = TableDigest()
    for block in check_blocks(_blocks(month), governed, part=part):
        digest.update(block)
    return _table(month, governed.key, digest.hexdigest())


def _table(month: FrameMonth | MonthFile, key: tuple[str, ...], digest: str) -> MonthTable:
    table = MonthTable(month, key, digest, ())
    heads = (month.read(place, place + 1, key)[list(key)] for place in table.places[:-1] if place < month.rows)
    return MonthTable(month, key, digest, tuple(_row(head, 0) for head in heads))


def _row(frame: pd.DataFrame, place: int) -> tuple[Any, ...]:
    return tuple(frame.iloc[place].tolist())


def _blocks(month: MonthFile) -> Iterator[pd.DataFrame]:
    for start in range(0, max(1, month.rows), BLOCK_ROWS):
        yield month.read(start, start + BLOCK_ROWS)
