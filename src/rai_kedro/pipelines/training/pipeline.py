"""Wiring of the training stage."""

from __future__ import annotations

from collections.abc import Container

from kedro.pipeline import Pipeline

from rai_kedro.pipelines.parameters import JUDGED_BY, keep_parameters, note_policy
from rai_kedro.pipelines.training import mitigation_nodes as mitigations
from rai_kedro.pipelines.training import nodes, proxy_nodes, release_nodes, reporting_nodes
from rai_kedro.pipelines.training.settings import check_settings
from rai_kedro.pipelines.wiring import make_node

_PARAMETERS = {
    name: f"params:{name}" for name in ("training", "fairness", "mitigation", "statements", "proxies", "policy")
}


def create_pipeline(entries: Container[str] = ()) -> Pipeline:
    """Return the stage: months of the stores to a registered candidate with its model card.

    No edge leads from the audit lane to ``fit_model``; of its training rows only the mitigations learn the sensitive
    column. Where the catalogue has a true need (``entries`` are its names without the use case), models are compared
    with it after one was chosen.
    """
    has_need = "true_need" in entries
    lanes = ["model_lane", "audit_lane", "identifiers", "target", "data_fingerprint", "lane_reads", "given"]
    lots = ["model_split", "audit_train", "audit_choose", "audit_test"]
    settled = {"settings": "settled_settings"}
    compared = {"compared": "compared_with_need" if has_need else "compared_models"}
    fitted = {"split": "model_split", **settled}
    assessed = {"split": "model_inputs", "compared": "compared_models"}
    policy = {"policy": "params:policy"}
    return Pipeline(
        [
            make_node(check_settings, "settings", **_PARAMETERS),
            make_node(note_policy, "judged_by", **JUDGED_BY),
            make_node(keep_parameters, "kept_parameters", **_PARAMETERS),
            make_node(nodes.separate_lanes, lanes),
            make_node(proxy_nodes.refuse_disguised, ["admitted_lane", "guarded_columns", "disguises"]),
            make_node(proxy_nodes.warn_of_repeats, "row_repeats", split="model_split"),
            make_node(nodes.split_months, lots, model_lane="admitted_lane"),
            make_node(proxy_nodes.measure_proxies, "proxy_report", split="model_split"),
            make_node(nodes.fit_model, "fitted_model", "training", split="model_split"),
            make_node(proxy_nodes.refuse_prepared, "unmitigated_model", split="model_split"),
            make_node(mitigations.settle_groups, "settled_settings"),
            make_node(mitigations.compare_mitigations, ["model", "compared_models"], "mitigation", **fitted),
            make_node(mitigations.admit_inputs, "model_inputs", split="model_split"),
            *(
                [make_node(mitigations.hold_against_need, "compared_with_need", **assessed | fitted)]
                if has_need
                else []
            ),
            make_node(mitigations.record_comparison, "mitigation_comparison", **compared),
            make_node(nodes.predict_splits, "predictions", split="model_inputs"),
            make_node(nodes.assess_performance, "performance", split="model_inputs"),
            make_node(release_nodes.state_plan, "plan", split="model_split", **policy),
            make_node(release_nodes.note_look, "look", _predictions="predictions"),
            make_node(nodes.assess_fairness, ["fairness_assessment", "fairness_gate"], **assessed, **settled),
            make_node(nodes.collect_metrics, "training_metrics"),
            make_node(nodes.explain_model, "explanation", split="model_inputs"),
            make_node(nodes.choose_reference, ["reference", "reference_reads"], split="model_inputs"),
            make_node(nodes.digest_months, ["month_digests", "digest_reads"]),
            make_node(release_nodes.weigh_training_data, "training_drift", split="model_split", **policy),
            make_node(release_nodes.judge_release, "release_gates", **policy),
            make_node(nodes.Measured, "measured", name="collect_reports", **assessed),
            make_node(nodes.assemble_candidate, "candidate_model", **settled),
            make_node(reporting_nodes.draw_figures, "figures", split="model_split"),
            make_node(reporting_nodes.write_mitigation_page, "mitigation_page"),
            make_node(reporting_nodes.record_sensitive_reads, "sensitive_reads", **assessed),
            make_node(reporting_nodes.write_card, "model_card", version="candidate_model"),
        ]
    )
