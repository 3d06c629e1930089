"""Wiring of the monitoring stage."""

from collections.abc import Container

from kedro.pipeline import Pipeline, node

from rai_kedro.pipelines.monitoring import nodes
from rai_kedro.pipelines.parameters import JUDGED_BY, note_policy
from rai_kedro.pipelines.wiring import make_node


def create_pipeline(_entries: Container[str] = ()) -> Pipeline:
    """Return the stage: waiting months to predictions, drift, outcomes and what people see of them.

    A store that the stage both reads and extends appears twice: ``…_history`` is what was there before its node.
    """
    stores = ["feature_store", "label_store", "prediction_history", "contract", "params:monitoring"]
    waiting = ["months_to_score", "month_reader", "scoring_model", "contract", "params:monitoring"]
    asked = ["production_model", "judged_by_today", "contract"]
    shared = ["record_history", "month_reader", "references", "contract", "params:monitoring"]
    problems = ["scoring_problems", "testing_problems", "measuring_problems"]
    stored = ["prediction_store", "drift_store", "outcome_store", "month_reader", "references", "inference_carbon"]
    scored = ["scoring_record", "prediction_store", "scoring_problems"]
    tested = ["drift_store", "testing_problems"]
    measured = ["outcome_store", "measuring_problems"]
    judged = [*stored, *problems, "contract", "params:monitoring"]
    recorded = ["timeline", "prediction_store", "drift_store", "outcome_store", "month_reader", "record_history"]
    seen = ["timeline", "contract", "month_reader", "months_to_score"]
    shown = ["monitoring_timeline", "monitoring_page", "monitoring_figures", "monitoring_metrics"]
    # The page is written before anybody is sent to it.
    told = ["timeline", "alerts_history", "params:monitoring", "monitoring_page"]
    ended = [
        "problems",
        "recording_problems",
        "timeline",
        "params:monitoring",
        "monitoring_timeline",
        "evidently_workspace",
        "alerts",
    ]
    return Pipeline(
        [
            node(nodes.select_months, stores, ["month_reader", "months_to_score"], name="select_months"),
            make_node(note_policy, "judged_by_today", **JUDGED_BY),
            node(nodes.hold_policy, asked, ["scoring_model", "policy_record"], name="hold_policy"),
            node(nodes.score_months, waiting, scored, name="score_months", tags=["carbon.inference"]),
            node(nodes.watch_drift, ["prediction_store", "drift_history", *shared], tested, name="watch_drift"),
            node(
                nodes.measure_outcomes,
                ["prediction_store", "outcome_history", *shared],
                measured,
                name="measure_outcomes",
            ),
            node(nodes.summarise_months, judged, ["timeline", "problems"], name="summarise_months"),
            node(
                nodes.record_sensitive_reads,
                ["month_reader", "timeline"],
                "monitoring_reads",
                name="record_sensitive_reads",
            ),
            node(nodes.record_months, recorded, ["record", "recording_problems"], name="record_months"),
            node(nodes.publish_months, "timeline", "evidently_workspace", name="publish_months"),
            node(nodes.show_months, seen, shown, name="show_months"),
            node(nodes.send_alerts, told, "alerts", name="send_alerts"),
            node(nodes.report_problems, ended, None, name="report_problems"),
        ]
    )
