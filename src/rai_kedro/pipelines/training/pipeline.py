"""Wiring of the training stage."""

from __future__ import annotations

from collections.abc import Callable, Container
from inspect import signature
from typing import Any

from kedro.pipeline import Pipeline, node
from kedro.pipeline.node import Node

from rai_kedro.pipelines.training import mitigation_nodes as mitigations
from rai_kedro.pipelines.training import nodes, reporting_nodes
from rai_kedro.pipelines.training.settings import check_settings

_PARAMETERS = ("training", "fairness", "mitigation", "statements")


def create_pipeline(entries: Container[str] = ()) -> Pipeline:
    """Return the stage: months of the stores to a registered candidate with its model card.

    No edge leads from the audit lane to ``fit_model``; of its training rows only the mitigations learn the sensitive
    column. Where the catalogue has a true need (``entries`` are its names without the use case), models are compared
    with it after one was chosen.
    """
    has_need = "true_need" in entries
    lanes = ["model_lane", "audit_lane", "identifiers", "target", "data_fingerprint"]
    settled = {"settings": "settled_settings"}
    compared = {"compared": "compared_with_need" if has_need else "compared_models"}
    need = {"split": "model_split", "compared": "compared_models", **settled}
    return Pipeline(
        [
            _node(check_settings, "settings", **{name: f"params:{name}" for name in _PARAMETERS}),
            _node(nodes.separate_lanes, lanes),
            _node(nodes.split_months, ["model_split", "audit_train", "audit_test"]),
            _node(nodes.fit_model, "unmitigated_model", "training", split="model_split"),
            _node(mitigations.settle_groups, "settled_settings"),
            _node(
                mitigations.compare_mitigations,
                ["model", "compared_models"],
                "mitigation",
                split="model_split",
                **settled,
            ),
            _node(mitigations.admit_inputs, "model_inputs", split="model_split"),
            *([_node(mitigations.hold_against_need, "compared_with_need", **need)] if has_need else []),
            _node(mitigations.record_comparison, "mitigation_comparison", **compared),
            _node(nodes.predict_splits, "predictions", split="model_inputs"),
            _node(nodes.assess_performance, "performance", split="model_inputs"),
            _node(
                nodes.assess_fairness,
                ["fairness_assessment", "fairness_gate"],
                split="model_inputs",
                compared="compared_models",
                **settled,
            ),
            _node(nodes.collect_metrics, "training_metrics"),
            _node(nodes.Measured, "measured", name="collect_reports", split="model_inputs", compared="compared_models"),
            _node(nodes.assemble_candidate, "candidate_model"),
            _node(reporting_nodes.draw_figures, "figures", split="model_split"),
            _node(reporting_nodes.write_mitigation_page, "mitigation_page"),
            _node(reporting_nodes.write_card, "model_card", version="candidate_model"),
        ]
    )


def _node(
    function: Callable[..., Any], outputs: str | list[str], measured_as: str = "", *, name: str = "", **datasets: str
) -> Node:
    """Make a node of the function's name, whose arguments are the datasets of the same name.

    ``datasets`` has the exceptions; ``measured_as`` is the task as which the carbon hook measures it, if it does.
    """
    inputs = {argument: datasets.get(argument, argument) for argument in signature(function).parameters}
    tags = [f"carbon.{measured_as}"] if measured_as else None
    return node(function, inputs=inputs, outputs=outputs, name=name or function.__name__, tags=tags)
