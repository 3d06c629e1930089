"""The fairness parts of the model card: what was found, what the gate says of it, and why these metrics."""

from __future__ import annotations

from dataclasses import dataclass

from rai_kedro.fairness.assessment import Assessment
from rai_kedro.fairness.verdicts import GateDecision
from rai_kedro.questionnaire import Finding, Recommendation, Step
from rai_kedro.report.card_base import CardPart


@dataclass(frozen=True)
class FairnessRecord(CardPart):
    """What was found on the test rows, and what the gate says of it.

    Attributes:
        assessment: Figures of every group, and every disparity, with intervals.
        gate: The gate's decision on these disparities.
        level: Confidence level as configured; that of the intervals is higher where a model was chosen on these rows.
        unit: Unit of the label, for the errors of a regression; empty for a classifier.
    """

    assessment: Assessment
    gate: GateDecision
    level: float = 0.95
    unit: str = ""


@dataclass(frozen=True)
class QuestionnaireRecord(CardPart):
    """Why these metrics were chosen.

    Attributes:
        metrics: The metrics that are configured, by canonical name.
        path: The answers; empty when nobody answered.
        findings: Where answers and configured metrics disagree, and what else is worth knowing.
        notes: What the questionnaire has to say of the choice.
        methods: What mitigates the metrics the answers lead to, and whether it applies to this model.
    """

    metrics: tuple[str, ...] = ()
    path: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    methods: tuple[Recommendation, ...] = ()

    @property
    def contradictions(self) -> tuple[str, ...]:
        """Where the configured metrics contradict the answers."""
        return tuple(finding.message for finding in self.findings if finding.contradicts)
