"""A version's card is written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from rai_kedro.datasets.candidate_model import ModelDatasetError
from rai_kedro.datasets.model_card import ModelCardDataset
from rai_kedro.release.card import attach_card
from rai_kedro.release.versions import ReleaseError


def test_second_card_is_refused_and_the_first_stays(
    client: MlflowClient, register: Callable[..., Any], write_card: Callable[..., None]
) -> None:
    version = register()
    artifact = f"runs:/{version.run_id}/model_card/model_card_v1.json"
    before = Path(mlflow.artifacts.download_artifacts(artifact)).read_text()
    with pytest.raises(ReleaseError, match=r"written once[\s\S]*train a new version"):
        write_card(version, text="{}")
    assert Path(mlflow.artifacts.download_artifacts(artifact)).read_text() == before


def test_card_cut_off_before_its_tag_can_be_written_again(
    client: MlflowClient, register: Callable[..., Any], write_card: Callable[..., None], use_case: str
) -> None:
    version = register()
    client.delete_model_version_tag(use_case, "1", "rai.card")
    write_card(version, text="{}")
    assert "rai.card" in client.get_model_version(use_case, "1").tags


def test_card_without_its_json_form_is_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model_card_v1\.json"):
        attach_card("housing", "1", "A model.", [tmp_path / "model_card_v1.html"], tmp_path / "housing.jsonl")


def test_dataset_refuses_a_second_card_before_it_writes_any_file(
    register: Callable[..., Any], use_case: str, tmp_path: Path
) -> None:
    register()
    dataset = ModelCardDataset(filepath=str(tmp_path / "cards"), registered_model_name=use_case, evidence="e.jsonl")
    # The refusal needs the version and nothing else of the card.
    card = SimpleNamespace(identity=SimpleNamespace(version="1"))
    with pytest.raises(ModelDatasetError, match="written once"):
        dataset.save(SimpleNamespace(card=card))  # type: ignore[arg-type]
    assert not (tmp_path / "cards").exists()
