"""The months of a run: which wait to be scored and tested, how each is read, and what became of those that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeVar

import pandas as pd

from rai_kedro import monitoring
from rai_kedro.contract import (
    Contract,
    ContractViolation,
    DatasetContract,
    SensitiveRead,
    WatchedStore,
    find_month,
    load_month,
    refuse_orphans,
)
from rai_kedro.datasets.engine import Engine, LocalEngine
from rai_kedro.errors import RaiError
from rai_kedro.frames import Store
from rai_kedro.months import (
    find_period,
    key_of_month,
    month_end,
    month_of_key,
    months_between,
    months_from,
    say_period,
)
from rai_kedro.pipelines.monitoring.blocks import MonthTable, Part, open_predictions, open_table
from rai_kedro.pipelines.parameters import Expectation
from rai_kedro.words import in_words

_SHOWN = 6
# Rows in memory beyond one month; further months are loaded again by the node that needs them again.
_KEPT_ROWS = 1_000_000
PREDICTED = ("prediction", "score")
_Result = TypeVar("_Result")


@dataclass(frozen=True, order=True)
class ScoredMonth:
    """A month that has predictions, and the model version that made them."""

    month: str
    model_version: str

    @property
    def key(self) -> str:
        """Its partition key in the prediction and drift stores."""
        return f"month={self.month}/model_version={self.model_version}"

    @classmethod
    def from_key(cls, key: str) -> ScoredMonth:
        """Read a partition key ``month=YYYY-MM/model_version=N``."""
        month, version = (part.partition("=")[2] for part in key.split("/"))
        return cls(month, version)


@dataclass(frozen=True)
class Problem:
    """A month that was passed over, what it lacks now (``not scored``, ``not tested``), and the error that says why.

    ``broken``: something is wrong that somebody has to mend. A month without rows, or one that never came, is no such
    thing: it is named, and the others go on without it.
    """

    month: str
    missing: str
    error: RaiError
    broken: bool = True

    @classmethod
    def of(cls, month: str, missing: str, error: Exception) -> Problem:
        """Take what a person can read of an error: the one of ours that caused it, else its own first line."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, RaiError):
                return cls(month, missing, cause, not (isinstance(cause, ContractViolation) and cause.of_no_rows))
            cause = cause.__cause__
        first = (str(error).splitlines() or [""])[0]
        told = RaiError(f"{type(error).__name__}: {first}", remedy="see the log of the run for more")
        return cls(month, missing, told)

    @classmethod
    def absent(cls, month: str) -> Problem:
        """Take a month that the feature store does not have."""
        what = say_period(f"the feature store does not have this month, which ended on {month_end(month)}", month)
        return cls(month, "not scored", RaiError(what, remedy="write its snapshot"), broken=False)

    @property
    def gap(self) -> monitoring.Gap:
        """The problem as the timeline keeps it."""
        return monitoring.Gap(month=self.month, missing=self.missing, reason=self.error.what, broken=self.broken)


def plan_scoring(features: Iterable[str], predictions: Iterable[str]) -> tuple[str, ...]:
    """List, from the keys of the stores, the months that have features and no prediction yet, in order.

    A month predicted by any version keeps that prediction and is not listed.

    Raises:
        RaiError: If there is no month.
    """
    months = sorted(map(month_of_key, features))
    done = set(map(month_of_key, predictions))
    if not months:
        raise RaiError(
            "The feature store is empty.",
            remedy="make the months first, by the simulation or ingestion stage or by the system that fills the store",
        )
    kinds = sorted({str(find_period(month)) for month in {*months, *done}})
    if len(kinds) > 1:
        raise RaiError(
            "The stores hold periods of different kinds.",
            where="feature store and predictions",
            example=", ".join(kinds),
            remedy="keep one kind, as 'ingestion.period' says: take the others out, then 'kedro rai reset'",
        )
    return tuple(month for month in months if month not in done)


def find_missing(features: Iterable[str], labels: Iterable[str], predictions: Iterable[str]) -> tuple[str, ...]:
    """List, from the keys of the stores, the months in between, and those with labels, that nobody can score."""
    known = {*map(month_of_key, features), *map(month_of_key, predictions)}
    between = months_between(min(known), max(known)) if known else ()
    return tuple(sorted({*between, *map(month_of_key, labels)} - known))


def find_overdue(newest: str, today: date, grace_days: int) -> tuple[str, ...]:
    """List the months after the newest one that ended more than so many days ago."""
    found = []
    while month_end(following := months_from(newest, 2)[1]) + timedelta(days=grace_days) < today:
        found.append(following)
        newest = following
    return tuple(found)


def plan_testing(predictions: Iterable[str], drift: Iterable[str]) -> tuple[ScoredMonth, ...]:
    """List the scored months that have no drift result yet: those just scored, and those a killed run left behind."""
    return tuple(sorted(ScoredMonth.from_key(key) for key in set(predictions) - set(drift)))


def by_version(predictions: Iterable[str]) -> dict[str, list[ScoredMonth]]:
    """Return the scored months of each model version, in order: a month's place there is the number of its look."""
    months: dict[str, list[ScoredMonth]] = {}
    for scored in sorted(map(ScoredMonth.from_key, predictions)):
        months.setdefault(scored.model_version, []).append(scored)
    return months


def summarise_problems(problems: Sequence[Problem]) -> RaiError:
    """Make one error of all that could not be done: every month by name, and the details of the first."""
    first = problems[0]
    named = [f"{problem.month} {problem.missing}" for problem in problems]
    more = f", and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return RaiError(
        f"{', '.join(named[:_SHOWN])}{more}; everything else is done. {first.month}: {first.error.what}",
        where=first.error.where,
        how_many=first.error.how_many,
        example=first.error.example,
        remedy=f"{first.error.remedy}; then run the monitoring again, which takes up what is missing",
    )


def describe_failure(timeline: monitoring.Timeline) -> RaiError:
    """Make the error of a newest month for which ``fail_on`` asks the run to fail; everything is stored by then."""
    newest, (outcome, found) = timeline.months[-1], monitoring.weigh_newest(timeline)
    said = newest.summary if newest.verdict.outcome == outcome else f"{in_words(outcome)} of an earlier month"
    return RaiError(
        f"{newest.month}, the newest month: {said}.",
        where=f"model version {newest.model_version}; {timeline.use_case}.monitoring.fail_on",
        how_many=f"{len(found)} finding{'s' if len(found) > 1 else ''}" if found else None,
        example=found[0].text if found else None,
        remedy=(found[0].advice if found else "") or "look at the monitoring page; every result is stored",
    )


class MonthReader:
    """Months of the stores, each checked and digested once, and read in blocks; shared by the nodes of one run."""

    def __init__(
        self, feature_store: Store, label_store: Store, contract: Contract, engine: Engine | None = None
    ) -> None:
        stores, step = contract.datasets, "monitoring.month_reader"
        self._features = WatchedStore(feature_store, stores["feature_store"], step)
        self._labels = WatchedStore(label_store, stores["label_store"], step)
        self._contract = contract
        self._engine = engine or LocalEngine()
        self._kept: dict[str, tuple[MonthTable, MonthTable | None]] = {}
        self._kept_rows = 0
        self._scratch = TemporaryDirectory(prefix="rai_")
        self.rows: dict[str, int] = {}  # of each month that was opened
        self._digests: dict[str, monitoring.MonthDigests] = {}
        self.runs: dict[str, str] = {}  # run of the version that made predictions, by their key
        self.made: set[str] = set()  # keys of months that this run tested or measured

    def find_missing(self, predictions: Iterable[str], expect: Expectation | None = None) -> tuple[str, ...]:
        """List the months that nobody can score, see :func:`find_missing`; those that should have come by now, too."""
        known, late = sorted(map(month_of_key, {*self._features, *predictions})), tuple[str, ...]()
        if expect and known:
            late = find_overdue(known[-1], self._contract.as_of, expect.grace_days)
        return tuple(sorted({*find_missing(self._features, self._labels, predictions), *late}))

    @property
    def months(self) -> list[str]:
        """Months of the feature store, in order."""
        return sorted(map(month_of_key, self._features))

    @property
    def reads(self) -> list[SensitiveRead]:
        """Which sensitive columns were read of which months so far."""
        return [*self._features.reads, *self._labels.reads]

    def read(self, month: str) -> pd.DataFrame:
        """Return all features of a month at once, after a look at its labels; not to be changed."""
        return self._open(month)[0].read()

    def score(self, month: str, work: Callable[[Part], _Result], *, at_once: bool = False) -> Iterator[_Result]:
        """Yield what becomes of each block of features, in order; of the whole month if it is to be worked on at once.

        ``work`` gets what reads a block.
        """
        table = self._open(month)[0]
        parts = table.parts([0, table.rows] if at_once else None)
        return self._engine.run([partial(work, part) for part in parts])

    def join(self, scored: ScoredMonth, predictions: Store, work: Callable[[Part, int], _Result]) -> Iterator[_Result]:
        """Yield what becomes of each block of features, predictions and labels side by side, in order.

        ``work`` gets what reads a block, and its number.

        Raises:
            RaiError: The features are others than those that were scored.
        """
        month = scored.month
        (features, labels), key = self._open(month), self._contract.datasets["feature_store"].key
        predicted = open_predictions(predictions[scored.key], key, on_disk=self._engine.on_disk)
        first = predicted.read(0, 1).iloc[0]
        self.runs[scored.key] = str(first["run_id"])
        if self.digests(month).features != first["features_digest"]:
            raise RaiError(
                "The features of the month changed after it was scored, so its predictions are of other rows.",
                where=f"feature store, {month}",
                remedy=f"score it again: kedro rai rescore --use-case {self._contract.use_case} --month {month}",
            )
        answers = predicted.parts(predicted.cut_like(features.starts))
        known = [None] * len(answers) if labels is None else labels.parts(labels.cut_like(features.starts))
        parts = [
            partial(join_part, *three, self._contract) for three in zip(features.parts(), answers, known, strict=True)
        ]
        return self._engine.run([partial(work, part, number) for number, part in enumerate(parts)])

    def count(self, month: str) -> tuple[int, int]:
        """Return how many rows a month has, and how many rows of labels."""
        features, labels = self._open(month)
        return features.rows, 0 if labels is None else labels.rows

    def label_blocks(self, month: str) -> Iterator[pd.DataFrame]:
        """Yield the labels of a month block by block, as they are digested; nothing where there are none."""
        labels = self._open(month)[1]
        yield from (part() for part in (labels.parts() if labels else ()))

    def read_labels(self, month: str) -> pd.DataFrame:
        """Return the labels of a month that has some, all of them at once."""
        return load_month(self._labels, self._contract.datasets["label_store"], month)

    def add_labels(self, rows: pd.DataFrame, month: str) -> pd.DataFrame:
        """Put the labels of a month beside its rows; missing where a row has none yet."""
        labels = self._open(month)[1]
        return join_labels(rows, None if labels is None else labels.read(), self._contract)

    def digests(self, month: str) -> monitoring.MonthDigests:
        """Return what the stores hold of a month, whatever it is."""
        if month not in self._digests:
            self._digests[month] = self._look_at(month) if month in self.months else monitoring.MonthDigests()
        return self._digests[month]

    def _open(self, month: str) -> tuple[MonthTable, MonthTable | None]:
        """Open features and labels of a month, which have to belong together."""
        if month in self._kept:
            return self._kept[month]
        features = self._open_features(month)
        labels = self._open_labels(month, features)
        self.rows[month] = features.rows
        self._digests[month] = monitoring.MonthDigests(features=features.digest, labels=labels.digest if labels else "")
        rows = sum(one.rows for one in (features, labels) if one is not None and one.in_memory)
        if self._kept_rows + rows <= _KEPT_ROWS:
            self._kept[month], self._kept_rows = (features, labels), self._kept_rows + rows
        return features, labels

    def _look_at(self, month: str) -> monitoring.MonthDigests:
        with suppress(Exception):  # what is wrong with it comes out below
            self._open(month)
            return self._digests[month]
        try:
            features = self._open_features(month)
        except Exception as error:  # whatever it is, it is told as the reason
            return monitoring.MonthDigests(unreadable=Problem.of(month, "", error).error.what)
        try:
            labels = self._open_labels(month, features)
            digest = labels.digest if labels else ""
        except Exception:
            digest = monitoring.UNREADABLE
        return monitoring.MonthDigests(features=features.digest, labels=digest)

    def _open_features(self, month: str) -> MonthTable:
        return self._open_table(self._features, "feature_store", month)

    def _open_labels(self, month: str, features: MonthTable) -> MonthTable | None:
        """Open the labels of a month; None where there is none yet, be it that the store has a month without rows."""
        if key_of_month(month) not in self._labels:
            return None
        try:
            labels = self._open_table(self._labels, "label_store", month)
        except Exception as error:
            if Problem.of(month, "", error).broken:
                raise
            return None
        places = zip(
            features.parts(columns=features.key),
            labels.parts(labels.cut_like(features.starts), features.key),
            strict=True,
        )
        refuse_orphans(((rows(), known()) for rows, known in places), self._contract, month)
        return labels

    def _open_table(self, store: WatchedStore, name: str, month: str) -> MonthTable:
        governed = self._contract.datasets[name]
        load, folder = find_month(store, governed, month), Path(self._scratch.name)
        return open_table(load, governed, key_of_month(month), folder, on_disk=self._engine.on_disk)


def join_part(features: Part, predictions: Part, labels: Part | None, contract: Contract) -> pd.DataFrame:
    """Read one block of features, predictions and labels, and put them side by side."""
    rows = join_predictions(features(), predictions(), contract.datasets["feature_store"])
    return join_labels(rows, labels() if labels else None, contract)


def join_predictions(features: pd.DataFrame, predictions: pd.DataFrame, governed: DatasetContract) -> pd.DataFrame:
    """Put features and predictions of a month side by side, as the reference has them."""
    key, predicted = list(governed.key), [name for name in PREDICTED if name in predictions]
    return _put_beside(features, predictions[[*key, *predicted]], key, "inner")


def join_labels(rows: pd.DataFrame, labels: pd.DataFrame | None, contract: Contract) -> pd.DataFrame:
    """Put labels beside rows; missing where a row has none yet."""
    key, targets = contract.datasets["feature_store"].key, list(contract.datasets["label_store"].columns)
    if labels is None:
        return rows.assign(**dict.fromkeys(targets, float("nan")))
    return _put_beside(rows, labels[[*key, *targets]], list(key), "left")


def _put_beside(
    rows: pd.DataFrame, others: pd.DataFrame, key: list[str], how: Literal["inner", "left"]
) -> pd.DataFrame:
    if len(rows) == len(others) and all((rows[name].to_numpy() == others[name].to_numpy()).all() for name in key):
        # The same rows in the same order, as blocks mostly have them.
        return rows.reset_index(drop=True).join(others.drop(columns=key).reset_index(drop=True))
    return rows.merge(others, on=key, how=how, validate="one_to_one")
