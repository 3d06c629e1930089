"""Wiring of the training stage."""

from kedro.pipeline import Pipeline, node

from rai_kedro.pipelines.training import nodes


def create_pipeline() -> Pipeline:
    """Return the stage: one month of the stores to a registered candidate with its model card.

    The audit lane meets the model lane only after prediction: no edge leads from it to ``fit_model``.
    """
    return Pipeline(
        [
            node(
                nodes.separate_lanes,
                inputs=["feature_store", "label_store", "contract", "params:training"],
                outputs=["model_lane", "audit_lane", "target", "data_fingerprint"],
                name="separate_lanes",
            ),
            node(
                nodes.split_month,
                inputs=["model_lane", "audit_lane", "target", "params:training"],
                outputs=["model_split", "audit_test"],
                name="split_month",
            ),
            node(
                nodes.fit_model,
                inputs=["model_split", "contract", "params:training"],
                outputs="model",
                name="fit_model",
                tags=["carbon.training"],
            ),
            node(
                nodes.predict_splits,
                inputs=["model", "model_split"],
                outputs="predictions",
                name="predict_splits",
            ),
            node(
                nodes.assess_performance,
                inputs=["model_split", "predictions", "params:training"],
                outputs="performance",
                name="assess_performance",
            ),
            node(
                nodes.assess_gaps,
                inputs=["model_split", "audit_test", "predictions", "contract", "params:training"],
                outputs="fairness_gaps",
                name="assess_gaps",
            ),
            node(
                nodes.assess_fairness,
                inputs=["model_split", "audit_test", "predictions", "params:training", "params:fairness"],
                outputs=["fairness_assessment", "fairness_gate"],
                name="assess_fairness",
            ),
            node(
                nodes.collect_metrics,
                inputs=["performance", "fairness_gaps"],
                outputs="training_metrics",
                name="collect_metrics",
            ),
            node(
                nodes.draw_figures,
                inputs=["model_split", "predictions", "fairness_gaps", "params:training"],
                outputs=["residual_figure", "prediction_figure", "gap_figure"],
                name="draw_figures",
            ),
            node(
                nodes.assemble_candidate,
                inputs=[
                    "model",
                    "model_split",
                    "audit_test",
                    "predictions",
                    "data_fingerprint",
                    "performance",
                    "fairness_gate",
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
                    "model_split",
                    "data_fingerprint",
                    "performance",
                    "fairness_gaps",
                    "training_carbon",
                    "residual_figure",
                    "prediction_figure",
                    "gap_figure",
                    "contract",
                    "params:training",
                    "params:statements",
                ],
                outputs="model_card",
                name="write_card",
            ),
        ]
    )
