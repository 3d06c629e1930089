"""What a comparison of models holds: plain figures of every model on the same test rows, nothing fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rai_kedro.fairness.estimates import Disparity, DisparityKind
from rai_kedro.mitigation.comparison.paired import LARGER_IS_BETTER, Gain

if TYPE_CHECKING:
    from rai_kedro.fairness.assessment import Assessment

UNMITIGATED = "unmitigated"
YARDSTICK = "post_processed"

Role: TypeAlias = Literal["unmitigated", "alternative", "method", "yardstick"]
Status: TypeAlias = Literal["fitted", "refused", "failed"]


@dataclass(frozen=True)
class PerformanceFigure:
    """One figure of performance on the test rows.

    Attributes:
        name: For example ``AUC``.
        value: The figure; None where it is not defined, ``note`` says why.
        lower: Lower end of its interval, or None.
        upper: Upper end of its interval, or None.
        level: Confidence level, or None without an interval.
        unit: Unit; empty for a pure number.
        how: How figure and interval were made.
        note: What the reader has to know.
    """

    name: str
    value: float | None
    lower: float | None
    upper: float | None
    level: float | None
    unit: str = ""
    how: str = ""
    note: str = ""

    @classmethod
    def read(cls, figure: Any) -> PerformanceFigure:
        """Read any object with these attributes, for example an estimate of a report."""
        return cls(**{name: getattr(figure, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class GroupOutcome:
    """What a model gives one group of the test rows.

    Attributes:
        group: Name of the group.
        rows: Its rows.
        observed: Rows with the favourable outcome on record, or the mean label of a regression.
        predicted: Rows decided favourably, or the mean prediction of a regression.
        share: Share decided favourably, or the mean prediction.
        lower: Lower end of the share's interval, or None.
        upper: Upper end of the share's interval, or None.
        needed: Rows with true need, or None where that is not known.
    """

    group: str
    rows: int
    observed: float
    predicted: float
    share: float | None
    lower: float | None
    upper: float | None
    needed: float | None = None


@dataclass(frozen=True)
class GroupCurve:
    """The ROC curve of one group.

    Attributes:
        group: Name of the group.
        rows: Its rows.
        false_positive_rates: At falling thresholds, at most 101 points.
        true_positive_rates: At the same thresholds.
        auc: Area under the whole curve; None where a class has no row.
    """

    group: str
    rows: int
    false_positive_rates: tuple[float, ...]
    true_positive_rates: tuple[float, ...]
    auc: float | None


@dataclass(frozen=True)
class Comparator:
    """By what the models are held against each other.

    Attributes:
        metric: Canonical name of the fairness metric.
        kind: ``difference``, ``ratio`` or a distance.
        column: The grouping.
        performance: Name of the figure of performance.
        tolerance: Loss of performance that is accepted, in the unit of that figure.
        guards: Further figures of which no more than the tolerance may be lost.
    """

    metric: str
    kind: DisparityKind
    column: str
    performance: str
    tolerance: float
    guards: tuple[str, ...] = ()

    @property
    def larger_is_better(self) -> bool:
        """Whether a larger figure of performance is better."""
        return LARGER_IS_BETTER[self.performance]

    def disparity_cost(self, value: float) -> float:
        """Return a disparity as a number that is the worse the larger it is."""
        return -value if self.kind == "ratio" else value

    def performance_cost(self, value: float) -> float:
        """Return a figure of performance as a number that is the worse the larger it is."""
        return -value if self.larger_is_better else value


@dataclass(frozen=True)
class ComparedModel:
    """One model on the test rows.

    Attributes:
        name: Name in the comparison.
        method: Canonical name of the method; empty without one.
        stage: ``pre``, ``in``, ``post``, or empty without a method.
        role: What it is there for.
        parameters: Parameters of the method.
        needs_sensitive: Whether every prediction needs the sensitive column.
        may_be_used: Whether it can be chosen: fitted, permitted, and not there for the view only.
        status: ``fitted``; ``refused``: not permitted or not applicable; ``failed``: no model could be made.
        reason: Why it is refused or failed, or what has to be known of it.
        performance: Figures of performance.
        gains: What the comparator's performance, and then each of its guards, gains over the unmitigated model on the
            same rows; empty for that model itself.
        assessment: Fairness against the recorded label.
        need_assessment: Fairness against the true need, where that is known.
        outcomes: What each group gets.
        curves: ROC curve of each group.
        on_frontier: Whether no other model is better in one of performance and disparity and at least as good in the
            other, by their values.
    """

    name: str
    method: str
    stage: str
    role: Role
    parameters: Mapping[str, Any]
    needs_sensitive: bool
    may_be_used: bool
    status: Status
    reason: str = ""
    performance: tuple[PerformanceFigure, ...] = ()
    gains: tuple[Gain, ...] = ()
    assessment: Assessment | None = None
    need_assessment: Assessment | None = None
    outcomes: tuple[GroupOutcome, ...] = ()
    curves: tuple[GroupCurve, ...] = ()
    on_frontier: bool = False

    def find_performance(self, by: Comparator) -> PerformanceFigure | None:
        """Return the comparator's figure of performance."""
        return next((one for one in self.performance if one.name == by.performance), None)

    def find_disparity(self, by: Comparator) -> Disparity | None:
        """Return the comparator's disparity."""
        found = self.assessment.disparities if self.assessment else ()
        wanted = (by.metric, by.kind, by.column)
        return next((one for one in found if (one.metric, one.kind, one.column) == wanted), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return plain | {
            "parameters": dict(self.parameters),
            "performance": [asdict(one) for one in self.performance],
            "gains": [asdict(one) for one in self.gains],
            "assessment": None if self.assessment is None else self.assessment.to_dict(),
            "need_assessment": None if self.need_assessment is None else self.need_assessment.to_dict(),
            "outcomes": [asdict(one) for one in self.outcomes],
            "curves": [
                asdict(one)
                | {
                    "false_positive_rates": list(one.false_positive_rates),
                    "true_positive_rates": list(one.true_positive_rates),
                }
                for one in self.curves
            ],
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> ComparedModel:
        """Rebuild a model's figures from :meth:`to_dict`."""
        from rai_kedro.fairness.assessment import Assessment

        assessments = {
            name: None if plain[name] is None else Assessment.from_dict(plain[name])
            for name in ("assessment", "need_assessment")
        }
        curves = tuple(
            GroupCurve(
                **{
                    **one,
                    "false_positive_rates": tuple(one["false_positive_rates"]),
                    "true_positive_rates": tuple(one["true_positive_rates"]),
                }
            )
            for one in plain["curves"]
        )
        parts = {
            "performance": tuple(PerformanceFigure(**one) for one in plain["performance"]),
            "gains": tuple(Gain(**one) for one in plain["gains"]),
            "outcomes": tuple(GroupOutcome(**one) for one in plain["outcomes"]),
            "curves": curves,
        }
        return cls(**{**plain, **assessments, **parts})
