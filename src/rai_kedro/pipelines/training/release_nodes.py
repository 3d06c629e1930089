"""Nodes of the training stage that hold what was found against the gates of the policy."""

from __future__ import annotations

from typing import Any

import pandas as pd

from rai_kedro.contract import NUMERIC_TYPES, fingerprint, is_unwritten
from rai_kedro.errors import RaiError
from rai_kedro.fairness import GateDecision
from rai_kedro.frames import Series
from rai_kedro.modelling import ModelSplit
from rai_kedro.monitoring import DriftPolicy, Kind, MonthDrift, detect_drift
from rai_kedro.performance import Figure
from rai_kedro.pipelines.training.settings import Settings
from rai_kedro.policy import DriftFact, GateFacts, Plan, Policy, ProxyFact, judge_gates
from rai_kedro.proxies import ProxyReport
from rai_kedro.release import summarise_decision


def weigh_training_data(
    model_lane: pd.DataFrame,
    identifiers: pd.DataFrame,
    split: ModelSplit,
    reference: pd.DataFrame,
    settings: Settings,
    policy: Policy,
) -> dict[str, Any]:
    """Say how far the rows trained on lie apart: months from the first, or what later months are held against.

    With one month that is the test rows; the months named for it, if any, are compared in every case.
    """
    training, time = settings.training, settings.features.time
    if split.features_train.empty and not training.last_month:
        return {"drift": None, "no_drift": "nothing was fitted, on one period: there is nothing to compare"}
    of_month = identifiers[time].astype(str).to_numpy()
    first, *later = training.months
    pairs = [(month, first, model_lane[of_month == month], model_lane[of_month == first]) for month in later]
    if training.reference_months or not later:
        name = ", ".join(training.reference_months) or "the test rows"
        rows = model_lane if split.features_train.empty else split.features_train
        pairs.append((name, "the rows trained on", reference, rows))
    types = {name: settings.features.columns[name].type for name in model_lane.columns}
    kinds: dict[str, Kind] = {
        name: "numerical" if kind in NUMERIC_TYPES else "categorical" for name, kind in types.items() if kind != "date"
    }
    rate = (1 - training.interval_level) / len(pairs)
    margin = DriftPolicy(margin=policy.gates.drift.margin)
    try:
        found = [
            _name_drifted(detect_drift(base, rows, kinds=kinds, policy=margin, rate=rate), what, against)
            for what, against, rows, base in pairs
        ]
    except RaiError as error:  # too few rows: nothing may be said, and that is what the gate then says
        return {"drift": None, "no_drift": error.what}
    return {"drift": [one.to_dict() for one in found], "no_drift": ""}


def _name_drifted(result: MonthDrift, what: str, against: str) -> DriftFact:
    by_verdict = {
        verdict: tuple(dict.fromkeys(one.label for one in result.columns if one.verdict == verdict))
        for verdict in ("drift", "insufficient_evidence")
    }
    return DriftFact(
        what=what,
        against=against,
        drifted=by_verdict["drift"],
        undecided=by_verdict["insufficient_evidence"],
        compared=result.comparisons,
    )


def state_plan(
    identifiers: pd.DataFrame, target: Series, split: ModelSplit, settings: Settings, policy: Policy
) -> Plan:
    """Say what this training measures, by which limits, on which rows and with which methods; nothing is fitted yet."""
    training, fairness, mitigation = settings.training, settings.fairness, settings.mitigation
    rows = identifiers[list(settings.features.identifiers)].assign(label=target.to_numpy())
    held_out = rows.loc[split.target_test.index]
    limits = {"level": fairness.level, "tolerances": [one.to_dict() for one in fairness.tolerances]}
    return Plan(
        metrics=fairness.metrics,
        limits={**limits, "gates": policy.gates.to_dict()},
        methods={
            "estimator": training.to_dict()["estimator"],
            **{name: mitigation.to_dict()[name] for name in ("alternatives", "methods", "chosen")},
        },
        split={**training.split.to_dict(), "held_out": fingerprint(held_out), "rows": len(held_out)},
        rows=fingerprint(rows),
    )


def note_look(plan: Plan, _predictions: dict[str, pd.DataFrame]) -> Plan:
    """Count this training, before its figures are there, among those that looked at the rows of a registered plan."""
    return plan


def judge_release(
    performance: list[dict[str, Any]],
    fairness_gate: dict[str, Any],
    training_carbon: dict[str, Any],
    training_drift: dict[str, Any],
    proxy_report: dict[str, Any],
    settings: Settings,
    policy: Policy,
) -> dict[str, Any]:
    """Hold what was found against every gate of the policy."""
    decision, found = GateDecision.from_dict(fairness_gate), ProxyReport.from_dict(proxy_report)
    emitted = [task["emissions_g"] for task in training_carbon.values() if "emissions_g" in task]
    facts = GateFacts(
        performance=tuple(Figure.from_dict(one) for one in performance if one["split"] == "test"),
        fairness=decision.outcome,
        fairness_summary=summarise_decision(decision),
        drift=training_drift["drift"],
        no_drift=training_drift["no_drift"],
        carbon_g=sum(emitted) if emitted else None,
        proxies=None
        if found.unseen
        else tuple(ProxyFact(column=one.column, outcome=one.outcome, reason=one.reason) for one in found.proxies),
        unwritten=list_unwritten(settings),
    )
    return judge_gates(policy, facts).to_dict()


def list_unwritten(settings: Settings) -> tuple[str, ...]:
    """List the statements, descriptions and risks in which a draft's words still stand, or none at all."""
    statements, stores = settings.statements, settings.contract.datasets.values()
    columns = [(name, column) for store in stores for name, column in store.columns.items()]
    said = [
        ("name of the model", statements.model_name),
        ("intended use", statements.intended_use),
        ("use out of scope", statements.out_of_scope_use),
        *(("limits", text) for text in statements.limits),
        *((f"{part} of {store.dataset}", getattr(store, part)) for store in stores for part in ("purpose", "owner")),
        *((f"description of {name}", column.description) for name, column in columns),
        *((f"risk of {name}", column.risk) for name, column in columns if column.risk is not None),
    ]
    return tuple(dict.fromkeys(place for place, text in said if is_unwritten(text)))
