"""Which months are waiting: to be scored, and to be tested for drift."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rai_kedro.errors import RaiError
from rai_kedro.months import months_between


class MonthPlanError(RaiError):
    """The months of the stores do not fit together."""


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


def plan_scoring(
    features: Iterable[str], labels: Iterable[str], predictions: Iterable[str], *, only_next: bool
) -> tuple[str, ...]:
    """List the months that have features and no prediction yet.

    Args:
        features: Partition keys of the feature store, ``month=YYYY-MM``.
        labels: Partition keys of the label store.
        predictions: Partition keys of the prediction store.
        only_next: Take only the first of them.

    Returns:
        Months in order. A month predicted by any version keeps that prediction and is not listed.

    Raises:
        MonthPlanError: If there is no month, one is missing in between, or labels have a month without features.
    """
    months = sorted(key.removeprefix("month=") for key in features)
    if not months:
        raise MonthPlanError(
            "The feature store is empty.", remedy="write a snapshot first: kedro run --pipelines simulation"
        )
    expected = months_between(months[0], months[-1])
    if missing := sorted(set(expected) - set(months)):
        raise MonthPlanError(
            f"The feature store misses {'a month' if len(missing) == 1 else 'months'} in between.",
            where=f"feature store, {months[0]} to {months[-1]}",
            how_many=f"{len(missing)} of {len(expected)} months",
            example=", ".join(missing[:3]),
            remedy="write the missing snapshot; months are monitored in order, so that no drift goes unseen",
        )
    if orphans := sorted({key.removeprefix("month=") for key in labels} - set(months)):
        raise MonthPlanError(
            "The label store has a month without features.",
            where="label store",
            how_many=f"{len(orphans)} month{'s' if len(orphans) > 1 else ''}",
            example=orphans[0],
            remedy="write the features of that month, or remove its labels",
        )
    done = {ScoredMonth.from_key(key).month for key in predictions}
    pending = tuple(month for month in months if month not in done)
    return pending[:1] if only_next else pending


def plan_testing(predictions: Iterable[str], drift: Iterable[str]) -> tuple[ScoredMonth, ...]:
    """List the scored months that have no drift result yet: those just scored, and those a killed run left behind."""
    return tuple(sorted(ScoredMonth.from_key(key) for key in set(predictions) - set(drift)))
