"""What the mitigation section shows of a comparison: what was chosen and why, before against after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rai_kedro.fairness import Assessment
from rai_kedro.intervals import Estimate
from rai_kedro.mitigation import UNMITIGATED, Comparator, ComparedModel, Comparison, GroupOutcome
from rai_kedro.words import write_parameters

Plain = Mapping[str, Any]


class BeforeAfter(NamedTuple):
    """One figure of the unmitigated and of the chosen model; ``kind`` is empty for performance."""

    name: str
    kind: str
    before: Estimate | None
    after: Estimate | None


class GroupBeforeAfter(NamedTuple):
    """What one group gets: shares of its rows decided favourably, or mean predictions of a regression."""

    group: str
    rows: int
    observed: float | None
    needed: float | None
    before: Estimate
    after: Estimate | None


class MitigationRecord(Comparison):
    """A comparison without what no section shows: curves, tables of groups, and groupings that do not decide."""

    @property
    def is_mitigated(self) -> bool:
        """Whether a mitigated model was chosen."""
        return self.chosen != UNMITIGATED

    @property
    def shown(self) -> list[ComparedModel]:
        """The unmitigated and the chosen model; only the first where it is the one chosen."""
        by_name = {model.name: model for model in self.models}
        return [by_name[name] for name in dict.fromkeys([UNMITIGATED, self.chosen])]

    @property
    def without_model(self) -> list[ComparedModel]:
        """What was refused or failed."""
        return [model for model in self.models if model.status != "fitted"]

    @property
    def performance(self) -> list[BeforeAfter]:
        """Figures of performance before and after."""
        return _pair([{(one.name, ""): one for one in model.performance} for model in self.shown])

    @property
    def disparities(self) -> list[BeforeAfter]:
        """Disparities on the decisive grouping before and after, against the recorded label."""
        return _pair([_index(model.assessment) for model in self.shown])

    @property
    def needs(self) -> list[BeforeAfter]:
        """Those that differ against the true need; a selection rate, for one, does not depend on the label."""
        pairs, recorded = _pair([_index(model.need_assessment) for model in self.shown]), self.disparities
        return [pair for pair in pairs if pair not in recorded]

    @property
    def groups(self) -> list[GroupBeforeAfter]:
        """What each group gets before and after."""
        after = {one.group: one for one in self.shown[1].outcomes} if self.is_mitigated else {}
        return [
            GroupBeforeAfter(
                one.group,
                one.rows,
                self._share(one.observed, one.rows),
                self._share(one.needed, one.rows),
                estimate_share(one),
                estimate_share(after[one.group]) if one.group in after else None,
            )
            for one in self.shown[0].outcomes
        ]

    def _share(self, of_rows: float | None, rows: int) -> float | None:
        """Turn a number of rows into a share; what is recorded of a regression is a mean already."""
        return of_rows if of_rows is None or self.task == "regression" else of_rows / rows if rows else None


def estimate_share(outcome: GroupOutcome) -> Estimate:
    """Return what a model gives a group with its interval: the share decided favourably, or the mean prediction."""
    return Estimate(value=outcome.share, lower=outcome.lower, upper=outcome.upper)


def read_comparison(comparison: Plain) -> MitigationRecord | None:
    """Read what a section shows of a comparison; None where nothing was compared.

    Args:
        comparison: Plain values as :meth:`rai_kedro.mitigation.Comparison.to_dict` gives them.
    """
    if not comparison or not comparison.get("models"):
        return None
    record = MitigationRecord.from_dict(comparison)
    shown = {model.name for model in record.shown}
    models = tuple(_trim(model, record.by, with_all=model.name in shown) for model in record.models)
    return record.model_copy(update={"models": models})


def describe_mitigation(mitigation: MitigationRecord) -> str:
    """Say in a few words which mitigation was chosen, and with which constraint and parameters."""
    chosen = mitigation.chosen_model
    if not chosen.method:
        return f"chosen in the comparison as {chosen.name}"
    told = f", {write_parameters(chosen.parameters)}" if chosen.parameters else ""
    of = f"; {chosen.reason}" if chosen.reason.startswith("of ") else ""
    return f"mitigation: {chosen.method.replace('_', ' ')}{told}{of}"


def _trim(model: ComparedModel, by: Comparator, *, with_all: bool) -> ComparedModel:
    """Keep the decisive disparity, and of a model that is shown before and after every one of its grouping."""

    def trim(assessment: Assessment | None) -> Assessment | None:
        if assessment is None:
            return None
        kept = [
            one.model_copy(update={"groups": ()})
            for one in assessment.disparities
            if one.column == by.column and (with_all or (one.metric, one.kind) == (by.metric, by.kind))
        ]
        return Assessment(disparities=tuple(kept))

    changes = {"assessment": trim(model.assessment), "curves": ()}
    needed = {"need_assessment": trim(model.need_assessment), "outcomes": model.outcomes}
    return model.model_copy(update=changes | (needed if with_all else {"need_assessment": None, "outcomes": ()}))


def _index(assessment: Assessment | None) -> dict[tuple[str, str], Estimate]:
    return {(one.metric, one.kind): one for one in assessment.disparities} if assessment else {}


def _pair(found: Sequence[Mapping[tuple[str, str], Estimate]]) -> list[BeforeAfter]:
    """Put the figures of the unmitigated and, where there is one, of the chosen model beside each other."""
    after = found[1] if len(found) > 1 else {}
    return [BeforeAfter(*key, figure, after.get(key)) for key, figure in found[0].items()]
