"""Wiring of the monitoring stage."""

from collections.abc import Container

from kedro.pipeline import Pipeline, node

from rai_kedro.pipelines.monitoring import nodes


def create_pipeline(_entries: Container[str] = ()) -> Pipeline:
    """Return the stage: waiting months to predictions, drift results and the timeline.

    A store that the stage both reads and extends appears twice: ``…_history`` is what was there before the run.
    """
    stores = ["feature_store", "label_store", "prediction_history", "contract"]
    waiting = ["months_to_score", "month_reader", "production_model", "contract", "params:monitoring"]
    scored = ["prediction_store", "drift_history", "evidently_history", "month_reader", "references", "contract"]
    problems = ["scoring_problems", "testing_problems"]
    tested = ["drift_store", "month_reader", "months_to_score", "inference_carbon", *problems, "contract"]
    # In this order: a month counts as tested when its result is stored, so that comes after its report.
    results = ["evidently_workspace", "drift_store", "testing_problems"]
    shown = ["drift_timeline", "drift_figure", "drift_page", "monitoring_metrics"]
    scoring = ["prediction_store", "scoring_problems"]
    return Pipeline(
        [
            node(nodes.select_months, stores, ["month_reader", "months_to_score"], name="select_months"),
            node(nodes.score_months, waiting, scoring, name="score_months", tags=["carbon.inference"]),
            node(nodes.watch_drift, [*scored, "params:monitoring"], results, name="watch_drift"),
            node(nodes.summarise_months, tested, shown, name="summarise_months"),
            node(nodes.report_problems, [*problems, "drift_timeline"], None, name="report_problems"),
        ]
    )
