"""The mitigation part of the model card: what was compared, what was chosen and why, and before against after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from rai_kedro.intervals.estimate import Estimate
from rai_kedro.report.card_base import CardPart
from rai_kedro.words import write_parameters

Plain = Mapping[str, Any]

UNMITIGATED = "unmitigated"


@dataclass(frozen=True)
class ComparedBy(CardPart):
    """By what the models were held against each other.

    Attributes:
        metric: Canonical name of the fairness metric.
        kind: What of it, for example ``"difference"``.
        column: The grouping that is mitigated for.
        performance: Name of the figure of performance.
        tolerance: Loss of performance that is accepted, in the unit of that figure.
    """

    metric: str
    kind: str
    column: str
    performance: str
    tolerance: float


@dataclass(frozen=True)
class NamedSpan(CardPart):
    """A figure with its name and interval."""

    name: str
    span: Estimate


@dataclass(frozen=True)
class ComparedModel(CardPart):
    """One model of the comparison.

    Attributes:
        name: Name in the comparison.
        stage: ``pre``, ``in``, ``post``, or empty without a method.
        status: ``fitted``, ``refused`` or ``failed``.
        reason: Why it is refused or failed, or what has to be known of it.
        needs_sensitive: Whether every prediction needs the sensitive column.
        may_be_used: Whether it could be chosen.
        on_frontier: Whether no other model is better in one of performance and disparity and as good in the other.
        performance: The figure of performance that decides.
        disparity: The disparity that decides.
        gains: What performance gains over the unmitigated model on the same rows; below zero is worse.
        method: Canonical name of the method; empty without one.
        parameters: Parameters of the method, its constraint among them.
    """

    name: str
    stage: str
    status: str
    reason: str
    needs_sensitive: bool
    may_be_used: bool
    on_frontier: bool
    performance: Estimate | None
    disparity: Estimate | None
    gains: tuple[NamedSpan, ...] = ()
    method: str = ""
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)

    @property
    def told_parameters(self) -> str:
        """The parameters in words."""
        return write_parameters(self.parameters)


@dataclass(frozen=True)
class BeforeAfter(CardPart):
    """One figure of the unmitigated and of the chosen model; ``after`` is None where these are the same.

    Attributes:
        name: Name of the figure, or canonical name of the metric.
        kind: What of the metric; empty for a figure of performance.
        before: Of the unmitigated model.
        after: Of the chosen model.
    """

    name: str
    kind: str
    before: Estimate | None
    after: Estimate | None


@dataclass(frozen=True)
class GroupBeforeAfter(CardPart):
    """What one group gets: shares of its rows decided favourably, or mean predictions of a regression.

    Attributes:
        group: Name of the group.
        rows: Its test rows.
        observed: The share on record, or the mean label.
        needed: The share in true need, where a simulation knows it; otherwise None.
        before: By the unmitigated model.
        after: By the chosen model; None where these are the same.
    """

    group: str
    rows: int
    observed: float | None
    needed: float | None
    before: Estimate
    after: Estimate | None


@dataclass(frozen=True)
class MitigationRecord(CardPart):
    """What was compared on the same rows, and the chosen model.

    Attributes:
        task: ``classification`` or ``regression``.
        by: By what the models were held against each other.
        level: Confidence level of every interval.
        rows_train: Rows every model was fitted on.
        rows_test: Rows every model was held against.
        chosen: Name of the chosen model.
        reason: Why it.
        rule: The rule of choice.
        models: Every model, those refused or failed with the reason.
        performance: Figures of performance before and after.
        disparities: Disparities on the decisive grouping before and after, against the recorded label.
        needs: Those that differ against the true need, where a simulation knows it.
        groups: What each group gets before and after.
    """

    task: str
    by: ComparedBy
    level: float
    rows_train: int
    rows_test: int
    chosen: str
    reason: str
    rule: str
    models: tuple[ComparedModel, ...]
    performance: tuple[BeforeAfter, ...] = ()
    disparities: tuple[BeforeAfter, ...] = ()
    needs: tuple[BeforeAfter, ...] = ()
    groups: tuple[GroupBeforeAfter, ...] = ()

    @property
    def is_mitigated(self) -> bool:
        """Whether a mitigated model was chosen."""
        return self.chosen != UNMITIGATED

    @property
    def chosen_model(self) -> ComparedModel:
        """The chosen model's line."""
        return next(model for model in self.models if model.name == self.chosen)

    @property
    def without_model(self) -> tuple[ComparedModel, ...]:
        """What was refused or failed."""
        return tuple(model for model in self.models if model.status != "fitted")


def describe_mitigation(mitigation: MitigationRecord) -> str:
    """Say in a few words which mitigation was chosen, and with which constraint and parameters."""
    chosen = mitigation.chosen_model
    if not chosen.method:
        return f"chosen in the comparison as {chosen.name}"
    told = f", {chosen.told_parameters}" if chosen.parameters else ""
    of = f"; {chosen.reason}" if chosen.reason.startswith("of ") else ""
    return f"mitigation: {chosen.method.replace('_', ' ')}{told}{of}"


def find_before_and_after(comparison: Plain) -> list[Plain]:
    """Return the unmitigated and the chosen model; only the first where it is the one chosen."""
    by_name = {model["name"]: model for model in comparison["models"]}
    names = dict.fromkeys([UNMITIGATED, comparison["chosen"]])
    return [by_name[name] for name in names]


def read_comparison(comparison: Plain) -> MitigationRecord | None:
    """Read what the card shows of a comparison of mitigations.

    Args:
        comparison: Plain values as ``Comparison.to_dict`` of the mitigation room gives them.

    Returns:
        The record; None where nothing was compared.
    """
    if not comparison or not comparison.get("models"):
        return None
    shown = find_before_and_after(comparison)
    by = ComparedBy(**{name: comparison["by"][name] for name in ComparedBy.__dataclass_fields__})
    disparities = _pair([index_disparities(model["assessment"], by.column) for model in shown])
    needs = _pair([index_disparities(model["need_assessment"], by.column) for model in shown])
    return MitigationRecord(
        **{name: comparison[name] for name in ("task", "level", "rows_train", "rows_test", "chosen", "reason", "rule")},
        by=by,
        models=tuple(_read_model(model, by) for model in comparison["models"]),
        performance=_pair([_index_performance(model) for model in shown]),
        disparities=disparities,
        # What is the same against both, such as a selection rate, does not depend on the label.
        needs=tuple(pair for pair in needs if pair not in disparities),
        groups=_pair_groups(shown, comparison["task"]),
    )


def make_estimate(value: float | None, lower: float | None = None, upper: float | None = None) -> Estimate:
    """Return a figure and its interval without anything else."""
    return Estimate(value=value, lower=lower, upper=upper)


def read_estimate(plain: Plain | None) -> Estimate | None:
    """Read the keys ``value``, ``lower`` and ``upper``; None of nothing."""
    return None if plain is None else make_estimate(plain["value"], plain["lower"], plain["upper"])


def index_disparities(assessment: Plain | None, column: str) -> dict[tuple[str, str], Plain]:
    """Return the disparities of one grouping by metric and kind; nothing of no assessment."""
    disparities = [] if assessment is None else assessment["disparities"]
    return {(one["metric"], one["kind"]): one for one in disparities if one["column"] == column}


def _index_performance(model: Plain) -> dict[tuple[str, str], Plain]:
    return {(one["name"], ""): one for one in model["performance"]}


def _read_model(model: Plain, by: ComparedBy) -> ComparedModel:
    gains = [
        NamedSpan(gain["name"], make_estimate(gain["value"], gain["lower"], gain["upper"])) for gain in model["gains"]
    ]
    return ComparedModel(
        name=model["name"],
        stage=model["stage"],
        status=model["status"],
        reason=model["reason"],
        needs_sensitive=bool(model["needs_sensitive"]),
        may_be_used=bool(model["may_be_used"]),
        on_frontier=bool(model["on_frontier"]),
        performance=read_estimate(_index_performance(model).get((by.performance, ""))),
        disparity=read_estimate(index_disparities(model["assessment"], by.column).get((by.metric, by.kind))),
        gains=tuple(gains),
        method=model.get("method", ""),
        parameters=model.get("parameters", {}),
    )


def _pair(found: Sequence[Mapping[tuple[str, str], Plain]]) -> tuple[BeforeAfter, ...]:
    """Put the figures of the unmitigated and, where there is one, of the chosen model beside each other."""
    after = found[1] if len(found) > 1 else {}
    return tuple(
        BeforeAfter(name, kind, read_estimate(figure), read_estimate(after.get((name, kind))))
        for (name, kind), figure in found[0].items()
    )


def _pair_groups(models: Sequence[Plain], task: str) -> tuple[GroupBeforeAfter, ...]:
    by_group = [{one["group"]: one for one in model["outcomes"]} for model in models]
    after = by_group[1] if len(by_group) > 1 else {}
    return tuple(
        GroupBeforeAfter(
            group,
            one["rows"],
            _share(one["observed"], one["rows"], task),
            _share(one["needed"], one["rows"], task),
            _read_share(one),
            _read_share(after[group]) if group in after else None,
        )
        for group, one in by_group[0].items()
    )


def _share(of_rows: float | None, rows: int, task: str) -> float | None:
    """Turn a number of rows into a share; what is recorded of a regression is a mean already."""
    return of_rows if of_rows is None or task == "regression" else of_rows / rows if rows else None


def _read_share(outcome: Plain) -> Estimate:
    return make_estimate(outcome["share"], outcome["lower"], outcome["upper"])
