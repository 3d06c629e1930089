"""A key that cannot sign stops a training before anything is computed, not at its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node

from rai_kedro.datasets.candidate_model import ModelDatasetError
from rai_kedro.datasets.model_card import ModelCardDataset
from rai_kedro.hooks.environment import UseCaseLockHook
from rai_kedro.release import SigningKey


@pytest.mark.filterwarnings("ignore:One or more dataset names")
def test_a_trainers_key_whose_passphrase_is_not_known_stops_a_training_before_its_first_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, today = SigningKey.generate(), datetime.now(UTC).date()
    key.save(tmp_path / "keys" / "ted.key", "secret")
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\n", encoding="utf-8")
    people = tmp_path / "conf" / "base" / "reviewers.yml"
    people.parent.mkdir(parents=True)
    days = {"valid_from": today - timedelta(days=1), "valid_until": today + timedelta(days=1)}
    listed = [{"name": "Ted Trainer", "roles": ["trainer"], "key": key.public, **days}]
    people.write_text(yaml.safe_dump({"reviewers": listed}), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAI_KEDRO_KEY", str(tmp_path / "keys" / "ted.key"))
    card = ModelCardDataset(registered_model_name="toy", filepath="cards", evidence="toy.jsonl")
    stage = Pipeline([node(lambda text: text, "text", "toy.model_card")])
    hook, catalog = UseCaseLockHook(), DataCatalog({"toy.model_card": card})

    monkeypatch.delenv("RAI_KEDRO_PASSPHRASE", raising=False)
    with pytest.raises(ModelDatasetError, match="The key has a passphrase") as refused:
        hook.before_pipeline_run({}, stage, catalog)
    assert "set RAI_KEDRO_PASSPHRASE" in str(refused.value)

    monkeypatch.setenv("RAI_KEDRO_PASSPHRASE", "secret")
    hook.before_pipeline_run({}, stage, catalog)
    monkeypatch.delenv("RAI_KEDRO_KEY")
    hook.before_pipeline_run({}, stage, catalog)
