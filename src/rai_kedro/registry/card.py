"""Attaching a model card to the version it describes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rai_kedro.registry.versions import CARD_TAG


def attach_card(name: str, version: str, run_id: str, title: str, files: Sequence[Path]) -> None:
    """Log the card's files to the version's run and let the version's description point to them.

    Args:
        name: Registered model.
        version: Version number.
        run_id: Run that trained it.
        title: First words of the description.
        files: The card's files; the first is the one for people.
    """
    from mlflow import MlflowClient

    client = MlflowClient()
    # Relative to the project, so that a moved or copied project still finds its cards.
    page = os.path.relpath(files[0]) if files[0].is_relative_to(Path.cwd()) else str(files[0])
    for file in files:
        client.log_artifact(run_id, str(file), artifact_path="model_card")
    description = (
        f"{title}\n\nModel card: artifact `model_card/{files[0].name}` of run `{run_id}`, and the file `{page}`."
    )
    client.update_model_version(name, version, description=description)
    client.set_model_version_tag(name, version, CARD_TAG, page)
