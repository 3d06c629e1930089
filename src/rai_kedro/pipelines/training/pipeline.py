"""Wiring of the training stage."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from kedro.pipeline import Pipeline, node
from kedro.pipeline.node import Node

from rai_kedro.pipelines.training import mitigation_nodes, nodes, reporting_nodes
from rai_kedro.pipelines.training.settings import check_settings


def create_pipeline(entries: Container[str] = ()) -> Pipeline:
    """Return the stage: months of the stores to a registered candidate with its model card.

    No edge leads from the audit lane to ``fit_model``; of its training rows only the mitigations learn the sensitive
    column. Where the catalogue has a true need, models are held against it after one was chosen.

    Args:
        entries: Names in the use case's catalogue, without its prefix.
    """
    has_need = "true_need" in entries
    return Pipeline(
        [
            _node(
                check_settings,
                {"contract": "contract"}
                | {name: f"params:{name}" for name in ("training", "fairness", "mitigation", "statements")},
                "settings",
            ),
            _node(
                nodes.separate_lanes,
                _same("feature_store", "label_store", "settings"),
                ["model_lane", "audit_lane", "identifiers", "target", "data_fingerprint"],
            ),
            _node(
                nodes.split_months,
                _same("model_lane", "audit_lane", "identifiers", "target", "settings"),
                ["model_split", "audit_train", "audit_test"],
            ),
            _node(nodes.fit_model, {"split": "model_split", "settings": "settings"}, "unmitigated_model", "training"),
            *_mitigation_nodes(),
            *([_need_node()] if has_need else []),
            _node(
                mitigation_nodes.record_comparison,
                {"compared": "compared_with_need" if has_need else "compared_models"},
                "mitigation_comparison",
            ),
            _node(nodes.predict_splits, {"model": "model", "split": "model_inputs"}, "predictions"),
            _node(
                nodes.assess_performance,
                {"split": "model_inputs"} | _same("predictions", "settings"),
                "performance",
            ),
            _node(
                nodes.assess_fairness,
                {"split": "model_inputs", "compared": "compared_models", "settings": "settled_settings"}
                | _same("audit_test", "predictions"),
                ["fairness_assessment", "fairness_gate"],
            ),
            _node(nodes.collect_metrics, _same("performance", "fairness_assessment"), "training_metrics"),
            _node(
                nodes.collect_reports,
                _same("performance", "fairness_assessment", "fairness_gate", "training_carbon", "data_fingerprint")
                | {"compared": "compared_models", "split": "model_inputs"},
                "measured",
            ),
            _node(
                nodes.assemble_candidate,
                _same("model", "audit_test", "predictions", "measured", "settings"),
                "candidate_model",
            ),
            *_reporting_nodes(),
        ]
    )


def _mitigation_nodes() -> list[Node]:
    return [
        _node(mitigation_nodes.settle_groups, _same("audit_train", "settings"), "settled_settings"),
        _node(
            mitigation_nodes.compare_mitigations,
            {"split": "model_split", "settings": "settled_settings"}
            | _same("unmitigated_model", "audit_train", "audit_test"),
            ["model", "compared_models"],
            "mitigation",
        ),
        _node(
            mitigation_nodes.admit_inputs,
            {"split": "model_split"} | _same("model", "audit_train", "audit_test", "settings"),
            "model_inputs",
        ),
    ]


def _need_node() -> Node:
    return _node(
        mitigation_nodes.hold_against_need,
        {"compared": "compared_models", "split": "model_split", "settings": "settled_settings"}
        | _same("audit_test", "identifiers", "true_need"),
        "compared_with_need",
    )


def _reporting_nodes() -> list[Node]:
    return [
        _node(
            reporting_nodes.draw_figures,
            {"split": "model_split"} | _same("predictions", "fairness_assessment", "mitigation_comparison", "settings"),
            "figures",
        ),
        _node(
            reporting_nodes.write_mitigation_page,
            _same("mitigation_comparison", "figures", "settings"),
            "mitigation_page",
        ),
        _node(
            reporting_nodes.write_card,
            {"version": "candidate_model"} | _same("model", "measured", "mitigation_comparison", "figures", "settings"),
            "model_card",
        ),
    ]


def _node(
    function: Callable[..., Any], inputs: dict[str, str], outputs: str | list[str], measured_as: str = ""
) -> Node:
    """Make a node of the function's name; ``measured_as`` has the carbon hook measure it as that task."""
    tags = [f"carbon.{measured_as}"] if measured_as else None
    return node(function, inputs=inputs, outputs=outputs, name=function.__name__, tags=tags)


def _same(*names: str) -> dict[str, str]:
    """Return inputs whose arguments have the names of their datasets."""
    return dict(zip(names, names, strict=True))
