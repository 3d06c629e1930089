"""Wiring of the monitoring stage."""

from collections.abc import Container

from kedro.pipeline import Pipeline

from rai_kedro.pipelines.monitoring import nodes
from rai_kedro.pipelines.parameters import JUDGED_BY, note_policy
from rai_kedro.pipelines.wiring import make_node


def create_pipeline(_entries: Container[str] = ()) -> Pipeline:
    """Return the stage: waiting months to predictions, drift, outcomes and what people see of them.

    A store that the stage both reads and extends appears twice: ``…_history`` is what was there before its node.
    """
    asked = {"parameters": "params:monitoring"}
    reader = {"reader": "month_reader"}
    shared = {**asked, **reader}
    scoring = {"months": "months_to_score", "production": "scoring_model", **shared}
    shown = ["monitoring_timeline", "monitoring_page", "monitoring_figures", "monitoring_metrics"]
    # The page is written before anybody is sent to it.
    told = {"_page": "monitoring_page", **asked}
    ended = {"_timeline": "monitoring_timeline", "_workspace": "evidently_workspace", "_alerts": "alerts", **asked}
    return Pipeline(
        [
            make_node(nodes.select_months, ["month_reader", "months_to_score"], **asked),
            make_node(note_policy, "judged_by_today", **JUDGED_BY),
            make_node(nodes.hold_policy, ["scoring_model", "policy_record"], production="production_model"),
            make_node(
                nodes.score_months, ["scoring_record", "prediction_store", "scoring_problems"], "inference", **scoring
            ),
            make_node(nodes.watch_drift, ["drift_store", "testing_problems"], **shared),
            make_node(nodes.keep_labels, ["measured_labels", "label_changes"], **reader),
            make_node(nodes.measure_outcomes, ["outcome_store", "measuring_problems"], **shared),
            make_node(nodes.summarise_months, ["timeline", "problems"], **shared),
            make_node(nodes.record_sensitive_reads, "monitoring_reads", _timeline="timeline", **reader),
            make_node(nodes.record_months, ["record", "recording_problems"], **reader),
            make_node(nodes.store_verdicts, "verdict_store"),
            make_node(nodes.publish_months, "evidently_workspace"),
            make_node(nodes.show_months, shown, scored_now="months_to_score", **reader),
            make_node(nodes.send_alerts, "alerts", **told),
            make_node(nodes.report_problems, None, **ended),
        ]
    )
