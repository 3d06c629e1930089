"""The governance stage: contract and stores to risk register, data profile and a readable page."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from kedro.pipeline import Pipeline

from rai_kedro.contract import ColumnProfile, Contract, GovernedColumn, build_register, profile_month
from rai_kedro.frames import Store
from rai_kedro.months import month_of_key
from rai_kedro.pipelines.wiring import make_node
from rai_kedro.proxies import ProxyReport
from rai_kedro.report import render_governance_page


def register_risks(
    contract: Contract, features: list[str] | None, target: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """List every governed column, and keep the contract as it stands today."""
    # A column asked for without being allowed is listed as asked for: the officer sees it here, training refuses it.
    asked = features or contract.datasets["feature_store"].with_use("model")
    register = build_register(contract, asked, target)
    return [column.to_dict() for column in register], contract.to_dict()


def profile_stores(feature_store: Store, label_store: Store, contract: Contract) -> list[dict[str, Any]]:
    """Describe every column of every month of both stores."""
    stores = {"feature_store": feature_store, "label_store": label_store}
    return [
        profile.to_dict()
        for name, store in stores.items()
        for key, load in store.items()
        for profile in profile_month(load(), contract.datasets[name], month_of_key(key))
    ]


def render_governance(
    register: list[dict[str, Any]], profile: list[dict[str, Any]], proxy_history: dict[str, Any], contract: Contract
) -> str:
    """Put register and profile onto one readable page, with the proxies that the newest training found."""
    return render_governance_page(
        [GovernedColumn.from_dict(column) for column in register],
        [ColumnProfile.from_dict(month) for month in profile],
        proxies=ProxyReport.from_dict(proxy_history) if proxy_history else None,
        use_case=contract.use_case,
        as_of=contract.as_of,
    )


def create_pipeline(_entries: Container[str] = ()) -> Pipeline:
    """Return the stage: contract and stores to risk register, data profile and a readable page."""
    asked = {name: f"params:training.{name}" for name in ("features", "target")}
    return Pipeline(
        [
            make_node(register_risks, ["risk_register", "contract_record"], **asked),
            make_node(profile_stores, "data_profile"),
            make_node(render_governance, "governance_page", register="risk_register", profile="data_profile"),
        ]
    )
