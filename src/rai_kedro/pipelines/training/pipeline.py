"""Wiring of the training stage."""

from collections.abc import Container

from kedro.pipeline import Pipeline, node
from kedro.pipeline.node import Node

from rai_kedro.pipelines.training import mitigation_nodes, nodes


def create_pipeline(entries: Container[str] = ()) -> Pipeline:
    """Return the stage: months of the stores to a registered candidate with its model card.

    No edge leads from the audit lane to ``fit_model``; of its training rows only the mitigations learn the sensitive
    column. Where the catalogue has a true need, models are held against it after one was chosen.

    Args:
        entries: Names in the use case's catalogue, without its prefix.
    """
    need = _need_nodes() if "true_need" in entries else []
    return Pipeline(
        [
            *need,
            *_mitigation_nodes("compared_with_need" if need else "compared_models"),
            node(
                nodes.separate_lanes,
                inputs=["feature_store", "label_store", "contract", "params:training"],
                outputs=["model_lane", "audit_lane", "identifiers", "target", "data_fingerprint"],
                name="separate_lanes",
            ),
            node(
                nodes.split_months,
                inputs=["model_lane", "audit_lane", "target", "params:training"],
                outputs=["model_split", "audit_train", "audit_test"],
                name="split_months",
            ),
            node(
                nodes.fit_model,
                inputs=["model_split", "contract", "params:training"],
                outputs="unmitigated_model",
                name="fit_model",
                tags=["carbon.training"],
            ),
            node(
                nodes.predict_splits,
                inputs=["model", "model_inputs"],
                outputs="predictions",
                name="predict_splits",
            ),
            node(
                nodes.assess_performance,
                inputs=["model_inputs", "predictions", "params:training"],
                outputs="performance",
                name="assess_performance",
            ),
            node(
                nodes.assess_fairness,
                inputs=[
                    "model_inputs",
                    "audit_test",
                    "predictions",
                    "compared_models",
                    "params:training",
                    "settled_fairness",
                ],
                outputs=["fairness_assessment", "fairness_gate"],
                name="assess_fairness",
            ),
            node(
                nodes.collect_metrics,
                inputs=["performance", "fairness_assessment"],
                outputs="training_metrics",
                name="collect_metrics",
            ),
            node(
                nodes.draw_figures,
                inputs=["model_split", "predictions", "fairness_assessment", "params:training"],
                outputs=["residual_figure", "prediction_figure", "group_figure"],
                name="draw_figures",
            ),
            node(
                nodes.assemble_candidate,
                inputs=[
                    "model",
                    "model_inputs",
                    "audit_test",
                    "predictions",
                    "data_fingerprint",
                    "performance",
                    "fairness_gate",
                    "compared_models",
                    "contract",
                    "params:training",
                ],
                outputs="candidate_model",
                name="assemble_candidate",
            ),
            node(
                nodes.write_card,
                inputs=[
                    "candidate_model",
                    "model",
                    "model_inputs",
                    "data_fingerprint",
                    "performance",
                    "fairness_assessment",
                    "fairness_gate",
                    "mitigation_comparison",
                    "training_carbon",
                    "residual_figure",
                    "prediction_figure",
                    "group_figure",
                    "mitigation_performance_figure",
                    "roc_by_group_figure",
                    "performance_and_fairness_figure",
                    "predicted_shares_figure",
                    "predicted_numbers_figure",
                    "trade_off_figure",
                    "contract",
                    "params:training",
                    "params:fairness",
                    "params:statements",
                ],
                outputs="model_card",
                name="write_card",
            ),
        ]
    )


def _mitigation_nodes(compared: str) -> list[Node]:
    return [
        node(
            mitigation_nodes.settle_groups,
            inputs=["audit_train", "contract", "params:fairness"],
            outputs="settled_fairness",
            name="settle_groups",
        ),
        node(
            mitigation_nodes.compare_mitigations,
            inputs=[
                "unmitigated_model",
                "model_split",
                "audit_train",
                "audit_test",
                "contract",
                "params:training",
                "settled_fairness",
                "params:mitigation",
            ],
            outputs=["model", "compared_models"],
            name="compare_mitigations",
            tags=["carbon.mitigation"],
        ),
        node(
            mitigation_nodes.admit_inputs,
            inputs=["model", "model_split", "audit_train", "audit_test", "contract"],
            outputs="model_inputs",
            name="admit_inputs",
        ),
        node(
            mitigation_nodes.report_mitigation,
            inputs=[compared, "contract", "params:training"],
            outputs=[
                "mitigation_comparison",
                "mitigation_page",
                "mitigation_performance_figure",
                "roc_by_group_figure",
                "performance_and_fairness_figure",
                "predicted_shares_figure",
                "predicted_numbers_figure",
                "trade_off_figure",
            ],
            name="report_mitigation",
        ),
    ]


def _need_nodes() -> list[Node]:
    return [
        node(
            mitigation_nodes.hold_against_need,
            inputs=[
                "compared_models",
                "model_split",
                "audit_test",
                "identifiers",
                "true_need",
                "contract",
                "params:training",
                "settled_fairness",
                "params:mitigation",
            ],
            outputs="compared_with_need",
            name="hold_against_need",
        )
    ]
