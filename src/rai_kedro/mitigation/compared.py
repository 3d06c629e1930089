"""What a comparison of models holds: figures of every model on the same test rows, and the model that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field

from rai_kedro.fairness import Assessment, Disparity, DisparityKind, Task
from rai_kedro.intervals import Estimate
from rai_kedro.mitigation.paired import LARGER_IS_BETTER, Gain
from rai_kedro.performance import Figure
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    import pandas as pd

UNMITIGATED = "unmitigated"
POST_PROCESSED = "post_processed"
RULE = (
    "Of the models that may be used and whose performance is shown not to be worse than the unmitigated model's by "
    "more than the tolerance (lower end of the paired interval), the one whose disparity is shown to be smallest "
    "(upper end of its interval; of a ratio the largest lower end)."
)

Role: TypeAlias = Literal["unmitigated", "alternative", "method", "yardstick"]
# Refused: not permitted or not applicable; failed: no model could be made.
Status: TypeAlias = Literal["fitted", "refused", "failed"]


class GroupOutcome(Typed):
    """What a model gives one group of the test rows; of a regression, means in the place of counts and of the share."""

    group: str
    rows: int
    observed: float  # rows with the favourable outcome on record
    predicted: float  # rows decided favourably
    share: float | None  # decided favourably, with its interval
    lower: float | None
    upper: float | None
    needed: float | None = None  # rows with true need, where that is known


class GroupCurve(Typed):
    """The ROC curve of one group: at most 101 points at falling thresholds."""

    group: str
    rows: int
    false_positive_rates: tuple[float, ...] = ()
    true_positive_rates: tuple[float, ...] = ()
    auc: float | None = None  # under the whole curve; None where a class has no row


class Comparator(Typed):
    """By what models are compared: a metric on a grouping, a figure of performance, and what of it may be lost."""

    metric: str
    kind: DisparityKind
    column: str
    performance: str
    tolerance: float
    guards: tuple[str, ...] = ()  # further figures of which no more than the tolerance may be lost

    def disparity_cost(self, value: float) -> float:
        """Return a disparity as a number that is the worse the larger it is."""
        return -value if self.kind == "ratio" else value

    def performance_cost(self, value: float) -> float:
        """Return a figure of performance as a number that is the worse the larger it is."""
        return -value if LARGER_IS_BETTER[self.performance] else value


class ComparedModel(Typed):
    """One model on the test rows."""

    name: str
    method: str = ""  # its canonical name; empty without one, and so is the stage
    stage: str = ""  # pre, in or post
    role: Role = "method"
    parameters: dict[str, Any] = Field(default_factory=dict)
    needs_sensitive: bool = False  # for every prediction
    may_be_used: bool = True  # it can be chosen: fitted, permitted, and not there for the view only
    status: Status = "fitted"
    reason: str = ""  # why it is refused or failed, or what has to be known of it
    performance: tuple[Figure, ...] = ()
    # Over the unmitigated model on the same rows, in the comparator's performance and then in each of its guards.
    gains: tuple[Gain, ...] = ()
    assessment: Assessment | None = None
    need_assessment: Assessment | None = None  # against the true need, where that is known
    outcomes: tuple[GroupOutcome, ...] = ()
    curves: tuple[GroupCurve, ...] = ()
    on_frontier: bool = False  # no other is better in performance or disparity and at least as good in the other

    def find_performance(self, by: Comparator) -> Figure | None:
        """Return the comparator's figure of performance."""
        return next((one for one in self.performance if one.name == by.performance), None)

    def find_disparity(self, by: Comparator) -> Disparity | None:
        """Return the comparator's disparity."""
        found = self.assessment.disparities if self.assessment else ()
        wanted = (by.metric, by.kind, by.column)
        return next((one for one in found if (one.metric, one.kind, one.column) == wanted), None)

    def without_model(self, status: Status, reason: str) -> ComparedModel:
        """Return it as one that is refused or failed."""
        return self.model_copy(update={"status": status, "reason": reason, "may_be_used": False})


class Comparison(Typed):
    """Every model on the same rows, the unmitigated first and the post-processed last, and the chosen one."""

    task: Task
    by: Comparator
    level: float  # of the gains and disparities
    rows_train: int
    rows_test: int
    models: tuple[ComparedModel, ...]
    chosen: str
    reason: str
    rule: str = RULE
    estimators: Mapping[str, Any] = Field(default_factory=dict, repr=False, exclude=True)

    @property
    def chosen_model(self) -> ComparedModel:
        """Figures of the chosen model."""
        return next(model for model in self.models if model.name == self.chosen)

    @property
    def chosen_estimator(self) -> Any:
        """The chosen model, fitted: what is registered."""
        return self.estimators[self.chosen]

    @property
    def selectable(self) -> int:
        """How many models could have been chosen on these rows.

        Whoever judges the chosen model on the same rows has to allow for so many at once, also where the choice was
        configured: whether it was before or after a look at these figures, nobody can tell.
        """
        return sum(one.may_be_used and one.status == "fitted" for one in self.models)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each model: decisive performance, gain and disparity with their intervals, and status."""
        import pandas as pd

        return pd.DataFrame([self._tell(model) for model in self.models]).set_index("model")

    def plot(self) -> Any:
        """Draw disparity against performance of every model, with intervals and the frontier, as a plotly figure."""
        from rai_kedro.mitigation.trade_off import draw_trade_off

        return draw_trade_off(self)

    def __repr__(self) -> str:
        """Say what was chosen out of how many."""
        return f"<Comparison of {len(self.models)} models by {self.by.metric}, {self.by.column}: {self.chosen} chosen>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Show the models as a table in a notebook, and below it what was chosen and why."""
        from html import escape

        table = self.to_frame().style.format(precision=3, na_rep="", escape="html").to_html()
        return f"{table}<p><b>{escape(self.chosen)}</b> is chosen. {escape(self.reason)}</p>"

    def _tell(self, model: ComparedModel) -> dict[str, Any]:
        figures: dict[str, Estimate | None] = {
            self.by.performance: model.find_performance(self.by),
            "gain": next(iter(model.gains), None),
            f"{self.by.metric} {self.by.kind}": model.find_disparity(self.by),
        }
        told: dict[str, Any] = {"model": model.name, "stage": model.stage}
        for name, figure in figures.items():
            for part, suffix in (("value", ""), ("lower", " lower"), ("upper", " upper")):
                told[f"{name}{suffix}"] = None if figure is None else getattr(figure, part)
        chosen = model.name == self.chosen
        return told | {"frontier": model.on_frontier, "chosen": chosen, "status": model.status, "note": model.reason}


class Uncompared(Typed):
    """What stands in the place of a comparison where nothing is compared, and why."""

    reason: str
    chosen: str = UNMITIGATED
    models: tuple[ComparedModel, ...] = ()

    @property
    def selectable(self) -> int:
        """How many models could have been chosen: the only one there is."""
        return 1
