"""Which months are waiting: to be scored, and to be tested for drift; and what became of those that could not be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rai_kedro.errors import RaiError
from rai_kedro.monitoring import DriftParameters, Gap
from rai_kedro.months import month_of_key, months_between
from rai_kedro.typed import Typed

_SHOWN = 6


class MonthPlanError(RaiError):
    """The months of the stores do not fit together."""


class MonitoringParameters(Typed):
    """``<use_case>.monitoring``: which months to monitor and how drift is tested; explained in the YAML."""

    months: Literal["pending", "next"] = "pending"
    drift: DriftParameters


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
    """A month that was passed over, what it lacks now (``not scored``, ``not tested``), and the error that says why."""

    month: str
    missing: str
    error: RaiError

    @classmethod
    def of(cls, month: str, missing: str, error: Exception) -> Problem:
        """Take what a person can read of an error: the one of ours that caused it, else its own first line."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, RaiError):
                return cls(month, missing, cause)
            cause = cause.__cause__
        first = (str(error).splitlines() or [""])[0]
        told = RaiError(f"{type(error).__name__}: {first}", remedy="see the log of the run for more")
        return cls(month, missing, told)

    @property
    def gap(self) -> Gap:
        """The problem as the timeline keeps it."""
        return Gap(month=self.month, missing=self.missing, reason=self.error.what)


def plan_scoring(features: Iterable[str], labels: Iterable[str], predictions: Iterable[str]) -> tuple[str, ...]:
    """List, from the keys of the stores, the months that have features and no prediction yet, in order.

    A month predicted by any version keeps that prediction: it is not listed, nor missed where it is gone.

    Raises:
        MonthPlanError: If there is no month, one is missing in between, or labels have a month without features.
    """
    months = sorted(map(month_of_key, features))
    done = set(map(month_of_key, predictions))
    if not months:
        raise MonthPlanError(
            "The feature store is empty.",
            remedy="make the months first, by the simulation or ingestion stage or by the system that fills the store",
        )
    expected = months_between(months[0], months[-1])
    if missing := sorted(set(expected) - set(months) - done):
        raise MonthPlanError(
            f"The feature store misses {'a month' if len(missing) == 1 else 'months'} in between.",
            where=f"feature store, {months[0]} to {months[-1]}",
            how_many=f"{len(missing)} of {len(expected)} months",
            example=", ".join(missing[:3]),
            remedy="write the missing snapshot; months are monitored in order, so that no drift goes unseen",
        )
    if orphans := sorted(set(map(month_of_key, labels)) - set(months) - done):
        raise MonthPlanError(
            "The label store has a month without features.",
            where="label store",
            how_many=f"{len(orphans)} month{'s' if len(orphans) > 1 else ''}",
            example=orphans[0],
            remedy="write the features of that month, or remove its labels",
        )
    return tuple(month for month in months if month not in done)


def plan_testing(predictions: Iterable[str], drift: Iterable[str]) -> tuple[ScoredMonth, ...]:
    """List the scored months that have no drift result yet: those just scored, and those a killed run left behind."""
    return tuple(sorted(ScoredMonth.from_key(key) for key in set(predictions) - set(drift)))


def summarise_problems(problems: Sequence[Problem]) -> RaiError:
    """Make one error of all that could not be done: every month by name, and the details of the first."""
    first = problems[0]
    named = [f"{problem.month} {problem.missing}" for problem in problems]
    more = f", and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return RaiError(
        f"{', '.join(named[:_SHOWN])}{more}; all other months are done. {first.month}: {first.error.what}",
        where=first.error.where,
        how_many=first.error.how_many,
        example=first.error.example,
        remedy=f"{first.error.remedy}; then run the monitoring again, which takes up what is missing",
    )
