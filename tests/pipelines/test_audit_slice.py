"""Training on what others predict: the stage on stores made by hand, without a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from rai_kedro.contract import Contract
from rai_kedro.modelling import ModellingError
from rai_kedro.pipelines.parameters import FairnessParameters, MitigationParameters, Statements, TrainingParameters
from rai_kedro.pipelines.training.pipeline import create_pipeline
from rai_kedro.policy import Look, Policy
from rai_kedro.proxies import ProxyPolicy

from .conftest import ROOT, TODAY

N = 400
MONTHS = ("2024-01", "2024-02")


def make_month(seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    p = draw.random(N).round(2)
    group, court = draw.choice(["A", "B"], N), draw.choice(["N", "S"], N)
    table = pd.DataFrame({"case": np.arange(N), "group": group, "court": court, "p": p, "paid": draw.random(N) < p})
    return table.assign(paid=table["paid"].astype(int), p=table["p"].mask(table["case"] < 7))


def declare(name: str, **columns: Any) -> dict[str, Any]:
    plain = {"flags": [], "use": "model", "description": "made for this test"}
    facts = {key: {"name": key, **plain, **column} for key, column in columns.items()}
    return {"dataset": name, "owner": "t", "purpose": "t", "key": ["case"], "time": "month", "columns": facts}


def run(output: str, params: Mapping[str, Any], **training: Any) -> Any:
    text = (ROOT / "conf/base/hospital/parameters.yml").read_text(encoding="utf-8")
    given = yaml.safe_load(text)["hospital"]
    features = declare(
        "t.feature_store",
        group={"type": "category", "use": "audit"},
        court={"type": "category"},
        p={"type": "float", "range": [0, 1], "nullable": True, "use": "decision"},
    )
    label = declare("t.label_store", paid={"type": "integer"})
    contract = {"use_case": "t", "source": "t/catalog.yml", "as_of": TODAY}
    months = {f"month={month}": make_month(at).assign(month=month) for at, month in enumerate(MONTHS)}
    own = {
        "task": "classification",
        "month": MONTHS[0],
        "last_month": MONTHS[1],
        "target": "paid",
        "features": ["p", "court"],
        "split": {"by": "none"},
        "random_state": 0,
        "estimator": {"class": "rai_kedro.modelling.GivenDecisions", "params": dict(params)},
        "allowed_modules": ["rai_kedro.modelling."],
        **training,
    }
    fairness = {"groupings": [{"columns": ["group"]}], "metrics": ["statistical_parity"], "tolerances": []}
    catalog = {
        "feature_store": {key: lambda f=frame: f.drop(columns="paid") for key, frame in months.items()},
        "label_store": {key: lambda f=frame: f[["month", "case", "paid"]] for key, frame in months.items()},
        "contract": Contract.model_validate(
            {**contract, "datasets": {"feature_store": features, "label_store": label}}
        ),
        "params:training": TrainingParameters(**own),
        "params:fairness": FairnessParameters(**fairness),
        "params:mitigation": MitigationParameters(),
        "params:statements": Statements(**given["statements"]),
        "params:policy": Policy(**given["policy"]),
        "params:proxies": ProxyPolicy(),
        "training_carbon": {},
        "look": Look(),
    }
    data = DataCatalog({name: MemoryDataset(one, copy_mode="assign") for name, one in catalog.items()})
    # Nothing counts this training: there is no record.
    stage = Pipeline([node for node in create_pipeline().nodes if node.name != "note_look"])
    return SequentialRunner().run(stage.to_outputs(output), data)[output].load()


def test_every_row_with_a_score_is_assessed_and_none_is_fitted() -> None:
    split = run("model_inputs", {"score": "p", "rule": {"threshold": 0.5}})
    assert split.features_train.empty and len(split.target_test) == 2 * (N - 7)
    performance = {one["name"]: one for one in run("performance", {"score": "p", "rule": {"threshold": 0.5}})}
    table = pd.concat(map(make_month, range(2))).dropna()
    right = ((table["p"] >= 0.5).astype(int) == table["paid"]).mean()
    assert performance["accuracy"]["value"] == pytest.approx(right)
    assert {one["split"] for one in performance.values()} == {"test"} and "Brier score" in performance


def test_the_share_is_of_each_court_in_each_month() -> None:
    rule = {"top_share": 0.25, "per": "court"}
    given = run("given", {"score": "p", "rule": rule})
    counts = [int(rows * 0.25) for at in range(2) for rows in make_month(at).dropna()["court"].value_counts()]
    assert given.predictions["prediction"].sum() == sum(counts)
    assert "14 rows have no prediction and are left out" in " ".join(given.notes)


def test_what_was_not_seen_is_said_by_the_gates() -> None:
    params = {"score": "p", "rule": {"threshold": 0.5}}
    gates = {one["name"]: one for one in run("release_gates", params, last_month=None, features=["p"])["gates"]}
    assert gates["proxies"]["outcome"] == gates["drift"]["outcome"] == "not_assessed"
    proxies = run("proxy_report", params)
    assert not proxies["unseen"]  # court is said to be a column of the model


def test_a_reading_and_an_estimator_are_not_mixed_up() -> None:
    rule = {"score": "p", "rule": {"threshold": 0.5}}
    for wrong in (
        {"split": {"by": "random"}},
        {"features": ["court"]},
        {"estimator": {"class": "sklearn.linear_model.LogisticRegression"}, "allowed_modules": ["sklearn."]},
    ):
        with pytest.raises(ModellingError, match="do not fit together"):
            run("settings", rule, **wrong)
    with pytest.raises(ModellingError, match="are the same"):
        run("given", {"score": "p", "rule": {"threshold": 2.0}})
