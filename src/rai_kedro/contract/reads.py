"""Which sensitive columns were read, by which step, in which months: noted where the stores are read.

Article 10(5) of the EU AI Act asks those who process special categories of personal data to say why, and to document
the access. Which columns are such categories is for people to say; noted is every column that has a flag, or that only
audit or mitigation may read.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Self

import pandas as pd

from rai_kedro.contract.columns import Column, DatasetContract
from rai_kedro.frames import MonthFile, MonthLoader
from rai_kedro.months import month_of_key, months_between, word_period
from rai_kedro.typed import Typed

LOADED = "loaded from the store"


class SensitiveRead(Typed):
    """One column as one step read it; ``why`` is what the contract says of its use, ``months`` those really read."""

    dataset: str
    column: str
    flags: tuple[str, ...]
    use: str
    why: str
    step: str  # stage and node
    purpose: str
    months: tuple[str, ...]
    rows: int

    @classmethod
    def of(cls, contract: DatasetContract, name: str, **facts: Any) -> Self:
        """Say of a column what a step read of it (``facts``), and what the contract gives as the reason."""
        column = contract.columns[name]
        why = column.justification
        reason = f"justified by {why.by} until {why.until}: {why.reason}" if why else column.risk or column.description
        return cls(dataset=contract.dataset, column=name, flags=column.flags, use=column.use, why=reason, **facts)

    @property
    def period(self) -> str:
        """The months in words: first to last where none in between is missing."""
        in_a_row = self.months and months_between(self.months[0], self.months[-1]) == self.months
        return word_period(self.months) if in_a_row else ", ".join(self.months)


class WatchedStore(Mapping[str, Callable[[], pd.DataFrame]]):
    """A store that notes which sensitive columns of which months a step loads; in all else the store itself."""

    def __init__(self, store: Mapping[str, Callable[[], pd.DataFrame]], contract: DatasetContract, step: str) -> None:
        """Watch a store on behalf of a step, ``<stage>.<node>``."""
        self._store, self._contract, self._step = store, contract, step
        self._rows: dict[str, dict[str, int]] = {}  # by column and month

    def __getitem__(self, key: str) -> MonthLoader:
        """Return the loader of a month, which notes what it loaded or opened."""
        load = self._store[key]

        def watched() -> pd.DataFrame:
            frame = load()
            self._note(key, frame, len(frame))
            return frame

        if not isinstance(load, MonthLoader):
            return MonthLoader(watched)
        return replace(load, read=watched, open=None if load.open is None else partial(self._open, key, load.open))

    def _open(self, key: str, load: Callable[[], MonthFile]) -> MonthFile:
        month = load()
        self._note(key, month.columns, month.rows)
        return month

    def _note(self, key: str, columns: Container[str], rows: int) -> None:
        for name in sensitive_columns(self._contract):
            if name in columns:
                self._rows.setdefault(name, {})[month_of_key(key)] = rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._store)

    def __len__(self) -> int:
        return len(self._store)

    @property
    def reads(self) -> list[SensitiveRead]:
        """What was loaded so far; a month that was loaded twice counts once."""
        return [
            SensitiveRead.of(
                self._contract,
                name,
                step=self._step,
                purpose=LOADED,
                months=tuple(sorted(months)),
                rows=sum(months.values()),
            )
            for name, months in self._rows.items()
        ]


def sensitive_columns(contract: DatasetContract) -> dict[str, Column]:
    """Return the columns with a flag, or of use audit or mitigation; of those that are forbidden nothing is read."""
    audited = ("audit", "mitigation")
    return {name: one for name, one in contract.columns.items() if one.flags or one.use in audited}
