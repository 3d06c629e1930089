"""Wiring of the governance stage."""

from collections.abc import Container

from kedro.pipeline import Pipeline, node

from rai_kedro.pipelines.governance.nodes import profile_stores, register_risks, render_governance


def create_pipeline(_entries: Container[str] = ()) -> Pipeline:
    """Return the stage: contract and stores to risk register, data profile and a readable page."""
    asked = ["contract", "params:training.features", "params:training.target"]
    stores = ["feature_store", "label_store", "contract"]
    found = ["risk_register", "data_profile", "contract"]
    return Pipeline(
        [
            node(register_risks, asked, ["risk_register", "contract_record"], name="register_risks"),
            node(profile_stores, stores, "data_profile", name="profile_stores"),
            node(render_governance, found, "governance_page", name="render_governance"),
        ]
    )
