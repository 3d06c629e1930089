"""The months of a run: each is loaded and checked once, however many nodes look at it."""

from __future__ import annotations

import pandas as pd

from rai_kedro.contract import Contract, load_month, refuse_orphans
from rai_kedro.frames import Store
from rai_kedro.monitoring import UNREADABLE, MonthDigests, content_digest
from rai_kedro.months import key_of_month, month_of_key
from rai_kedro.pipelines.monitoring.plan import Problem

# About a gigabyte of a hundred columns; months beyond that are loaded again by the node that needs them again.
_KEPT_ROWS = 1_000_000


class MonthReader:
    """Features of a month, and the digests of what was read; shared by the nodes of one run."""

    def __init__(self, feature_store: Store, label_store: Store, contract: Contract) -> None:
        self._features, self._labels, self._contract = feature_store, label_store, contract
        self._kept: dict[str, pd.DataFrame] = {}
        self._digests: dict[str, MonthDigests] = {}

    @property
    def months(self) -> list[str]:
        """Months of the feature store, in order."""
        return sorted(map(month_of_key, self._features))

    def read(self, month: str) -> pd.DataFrame:
        """Return the features of a month, after a look at its labels; not to be changed.

        Raises:
            PairingError: If the store has no such month, or labels belong to none of its rows.
            Exception: Whatever the stores raise for a month that breaks its contract or cannot be read.
        """
        if month in self._kept:
            return self._kept[month]
        frame = self._load_features(month)
        labels = self._digest_labels(month, frame)
        self._digests[month] = MonthDigests(features=content_digest(frame), labels=labels)
        if len(frame) + sum(map(len, self._kept.values())) <= _KEPT_ROWS:
            self._kept[month] = frame
        return frame

    def digests(self, month: str) -> MonthDigests:
        """Return what the stores hold of a month, whatever it is."""
        if month not in self._digests:
            self._digests[month] = self._look_at(month) if month in self.months else MonthDigests()
        return self._digests[month]

    def _look_at(self, month: str) -> MonthDigests:
        try:
            frame = self._load_features(month)
        except Exception as error:  # whatever it is, it is told as the reason
            return MonthDigests(unreadable=Problem.of(month, "", error).error.what)
        try:
            labels = self._digest_labels(month, frame)
        except Exception:
            labels = UNREADABLE
        return MonthDigests(features=content_digest(frame), labels=labels)

    def _load_features(self, month: str) -> pd.DataFrame:
        return load_month(self._features, self._contract.datasets["feature_store"], month)

    def _digest_labels(self, month: str, features: pd.DataFrame) -> str:
        if key_of_month(month) not in self._labels:
            return ""
        labels = load_month(self._labels, self._contract.datasets["label_store"], month)
        refuse_orphans(features, labels, self._contract, month)
        return content_digest(labels)
