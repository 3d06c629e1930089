"""What a comparison of models holds: figures of every model on the same test rows, and the model that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field

from rai_kedro.fairness import Assessment, Disparity, DisparityKind, Task, describe_metric, name_kind
from rai_kedro.intervals import Estimate
from rai_kedro.performance import LARGER_IS_BETTER, Figure, Gain
from rai_kedro.typed import Typed
from rai_kedro.words import escape_html, format_interval, in_words

if TYPE_CHECKING:
    import pandas as pd

UNMITIGATED = "unmitigated"
POST_PROCESSED = "post_processed"
# Name of the effect of a mitigation on the disparity.
FAIRNESS = "fairness"
RULE = (
    "Of the models that may be used and whose performance is shown not to be worse than the unmitigated model's by "
    "more than the tolerance (lower end of the paired interval, which holds for all of them at once), the one whose "
    "disparity is shown to be smallest (upper end of its interval; of a ratio the largest lower end)."
)

# From the palette of Okabe and Ito (2008); orange is kept for the chosen model.
_CHOSEN, _LINE = "#D55E00", "#767676"
_COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", _LINE)
_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "pentagon", "hexagon", "cross", "x")

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


class Effect(Gain):
    """What a model gains over the unmitigated one, over many splits of the same rows; above zero it is better.

    ``name`` is ``fairness`` (how much nearer to equal the decisive disparity is) or a figure of performance.
    """

    splits: int  # that were made; `n` of them have a figure
    better: int
    worse: int


class Comparator(Typed):
    """By what models are compared: a metric on a grouping, a figure of performance, and what of it may be lost."""

    metric: str
    kind: DisparityKind
    column: str
    performance: str
    tolerance: float
    guards: tuple[str, ...] = ()  # further figures of which no more than the tolerance may be lost
    # Over which effects are measured beside the one split, and whether a mitigation has to be shown fairer over them.
    splits: int = Field(default=0, exclude_if=lambda value: not value)
    must_hold: bool = Field(default=False, exclude_if=lambda value: not value)

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
    effects: tuple[Effect, ...] = ()  # over many splits, in the decisive disparity and in the decisive performance
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

    def find_effect(self, name: str = FAIRNESS) -> Effect | None:
        """Return the effect over many splits on the decisive disparity, or on a figure of performance."""
        return next((one for one in self.effects if one.name == name), None)

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
    apart: bool = False  # compared on rows of their own: none of those that the chosen model is judged on
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
        """How many models could have been chosen on the rows that the chosen one is judged on.

        It is one if they were compared on other rows. Otherwise whoever judges the chosen model has to allow for so
        many at once, also where the choice was configured: whether it was before or after a look at these figures,
        nobody can tell.
        """
        return 1 if self.apart else sum(one.may_be_used and one.status == "fitted" for one in self.models)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each model: decisive performance, gain and disparity with their intervals, and status."""
        import pandas as pd

        return pd.DataFrame([self._tell(model) for model in self.models]).set_index("model")

    def plot(self) -> Any:
        """Draw disparity against performance of every model, with intervals and the frontier, as a plotly figure."""
        return _draw_trade_off(self)

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.models)} models by {self.by.metric}, {self.by.column}: {self.chosen} chosen>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Show the models as a table in a notebook, and below it what was chosen and why."""
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
        effect = model.find_effect()
        if self.by.splits:
            told["fairer in"] = "" if effect is None else f"{effect.better} of {effect.n} splits"
            for part in ("value", "lower", "upper"):
                told[f"fairer by{'' if part == 'value' else f' {part}'}"] = getattr(effect, part, None)
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


def _draw_trade_off(comparison: Comparison) -> Any:
    import plotly.graph_objects as go

    by = comparison.by
    places = [(model, model.find_disparity(by), model.find_performance(by)) for model in comparison.models]
    known = [(m, x, y) for m, x, y in places if x and y and x.value is not None and y.value is not None]
    frontier = sorted((x.value, y.value) for model, x, y in known if model.on_frontier)
    steps = [[point[axis] for point in frontier] for axis in (0, 1)]
    line = {"color": _LINE, "dash": "dash", "width": 1.5}
    figure = go.Figure()
    figure.add_trace(go.Scatter(x=steps[0], y=steps[1], mode="lines", line=line, name="frontier", hoverinfo="skip"))
    for at, (model, x, y) in enumerate(known):
        figure.add_trace(_draw_model(model, (x, y), at, model.name == comparison.chosen))
    metric = f"{describe_metric(by.metric).title}, {name_kind(by.kind)} by {by.column}"
    figure.update_xaxes(title=f"{escape_html(metric)} ({'1' if by.kind == 'ratio' else '0'} is equal)")
    figure.update_yaxes(title=escape_html(by.performance))
    legend = {"orientation": "v", "x": 1.02, "y": 1, "xanchor": "left", "yanchor": "top"}
    title = "Trade-off of performance and fairness"
    return figure.update_layout(title=title, height=560, legend=legend, meta={"section": "trade_off"})


def _draw_model(model: ComparedModel, place: tuple[Estimate, Estimate], at: int, is_chosen: bool) -> Any:
    import plotly.graph_objects as go

    x, y = place
    colour = _CHOSEN if is_chosen else _COLOURS[at % len(_COLOURS)]
    symbol = "star" if is_chosen else _SYMBOLS[at % len(_SYMBOLS)]
    note = " (chosen)" if is_chosen else "" if model.may_be_used else " (for the view only)"
    told = [f"{name}: {format_interval(figure)}" for name, figure in (("disparity", x), ("performance", y))]
    bars = {"type": "data", "color": colour, "thickness": 1.5, "width": 5}
    return go.Scatter(
        x=[x.value],
        y=[y.value],
        error_x=bars | x.error_bars,
        error_y=bars | y.error_bars,
        mode="markers",
        marker={
            "color": colour,
            "size": 16 if is_chosen else 10,
            "symbol": symbol if model.may_be_used else f"{symbol}-open",
        },
        name=f"{escape_html(in_words(model.name))}{note}",
        text=["<br>".join(told)],
        hovertemplate="%{text}",
    )
