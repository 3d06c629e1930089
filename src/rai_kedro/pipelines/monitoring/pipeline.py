"""Wiring of the monitoring stage."""

from collections.abc import Container

from kedro.pipeline import Pipeline, node

from rai_kedro.pipelines.monitoring import nodes


def create_pipeline(_entries: Container[str] = ()) -> Pipeline:
    """Return the stage: waiting months to predictions, drift results and the timeline.

    A store that the stage both reads and extends appears twice: ``…_history`` is what was there before the run.
    """
    return Pipeline(
        [
            node(
                nodes.select_months,
                inputs=["feature_store", "label_store", "prediction_history", "contract"],
                outputs=["month_reader", "months_to_score"],
                name="select_months",
            ),
            node(
                nodes.score_months,
                inputs=["months_to_score", "month_reader", "production_model", "contract", "params:monitoring"],
                outputs=["prediction_store", "scoring_problems"],
                name="score_months",
                tags=["carbon.inference"],
            ),
            node(
                nodes.watch_drift,
                inputs=[
                    "prediction_store",
                    "drift_history",
                    "evidently_history",
                    "month_reader",
                    "references",
                    "contract",
                    "params:monitoring",
                ],
                # In this order: a month counts as tested when its result is stored, so that comes after its report.
                outputs=["evidently_workspace", "drift_store", "testing_problems"],
                name="watch_drift",
            ),
            node(
                nodes.summarise_months,
                inputs=[
                    "drift_store",
                    "month_reader",
                    "months_to_score",
                    "inference_carbon",
                    "scoring_problems",
                    "testing_problems",
                    "contract",
                ],
                outputs=["drift_timeline", "drift_figure", "drift_page", "monitoring_metrics"],
                name="summarise_months",
            ),
            node(
                nodes.report_problems,
                inputs=["scoring_problems", "testing_problems", "drift_timeline"],
                outputs=None,
                name="report_problems",
            ),
        ]
    )
