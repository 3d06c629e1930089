"""What of a request takes the role of a reviewer, asked of MLflow's own application."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rai_kedro.server import roles

PLACES = ("/api/2.0/mlflow", "/ajax-api/2.0/mlflow")
VERSION = {"name": "housing", "version": "1"}


@pytest.fixture(scope="module")
def application() -> Iterator[Any]:
    before = dict(os.environ)
    from mlflow.server import app

    yield app
    os.environ.clear()
    os.environ.update(before)


def decision(application: Any, method: str, place: str, body: dict[str, Any]) -> str | None:
    with application.test_request_context(place, method=method, json=body) as context:
        assert context.request.endpoint, f"MLflow has no {method} {place}"
        return roles._find_decision()


@pytest.mark.parametrize(
    ("method", "place", "body", "found"),
    [
        ("POST", "registered-models/alias", {**VERSION, "alias": "production"}, "move alias 'production' of housing"),
        ("POST", "registered-models/alias", {**VERSION, "alias": "Candidate"}, "move alias 'Candidate' of housing"),
        ("DELETE", "registered-models/alias", {"name": "housing", "alias": "production"}, "move alias 'production'"),
        ("POST", "model-versions/set-tag", {**VERSION, "key": "rai.review", "value": "approved"}, "tag 'rai.review'"),
        ("POST", "model-versions/set-tag", {**VERSION, "key": " RAI.Evidence", "value": "x"}, "tag ' RAI.Evidence'"),
        ("DELETE", "model-versions/delete-tag", {**VERSION, "key": "rai.accepted_risk"}, "tag 'rai.accepted_risk'"),
        (
            "POST",
            "model-versions/create",
            {"name": "housing", "source": "x", "tags": [{"key": "a"}, {"key": "rai.reviewer", "value": "Ada"}]},
            "tag 'rai.reviewer'",
        ),
        ("POST", "registered-models/set-tag", {"name": "housing", "key": "a", "value": "b"}, "tag a registered model"),
        ("POST", "registered-models/rename", {"name": "housing", "new_name": "old"}, "rename a registered model"),
        ("DELETE", "registered-models/delete", {"name": "housing"}, "delete a registered model"),
        ("DELETE", "model-versions/delete", VERSION, "delete a version"),
        ("POST", "runs/delete", {"run_id": "1"}, "delete a run"),
        ("POST", "experiments/delete", {"experiment_id": "1"}, "delete an experiment"),
    ],
)
def test_decisions_are_recognised_at_every_address(
    application: Any, method: str, place: str, body: dict[str, Any], found: str
) -> None:
    addresses = [f"{start}/{place}" for start in PLACES]
    assert [found in (decision(application, method, one, body) or "") for one in addresses] == [True, True]


@pytest.mark.parametrize(
    ("method", "place", "body"),
    [
        ("POST", "registered-models/alias", {**VERSION, "alias": "candidate"}),
        ("POST", "registered-models/create", {"name": "housing"}),
        ("POST", "model-versions/create", {"name": "housing", "source": "x", "tags": [{"key": "rai.month"}]}),
        ("POST", "model-versions/set-tag", {**VERSION, "key": "rai.card", "value": "x"}),
        ("PATCH", "model-versions/update", {**VERSION, "description": "x"}),
        ("POST", "runs/create", {"experiment_id": "1"}),
        ("GET", "model-versions/search", {}),
    ],
)
def test_training_is_left_to_the_permissions_of_mlflow(
    application: Any, method: str, place: str, body: dict[str, Any]
) -> None:
    assert decision(application, method, f"/api/2.0/mlflow/{place}", body) is None


def test_every_function_of_mlflow_that_is_guarded_is_there(application: Any) -> None:
    assert {*roles._DECIDES, *roles._DESTROYS} <= {*application.view_functions}


def test_the_setting_names_the_function(tmp_path: Path) -> None:
    from configparser import ConfigParser

    from rai_kedro.server.__main__ import make_server

    server, _ = make_server(tmp_path, 5000, "sqlite:///odd%20name.db")
    settings = ConfigParser()
    settings.read(server.environment["MLFLOW_AUTH_CONFIG_PATH"])
    module, _, name = settings["mlflow"]["authorization_function"].partition(":")
    assert (module, name) == (roles.__name__, roles.authorize.__name__)
    assert settings["mlflow"]["database_uri"] == "sqlite:///odd%20name.db"
