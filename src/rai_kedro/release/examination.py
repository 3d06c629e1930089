"""What a version must have before a person may approve it: its own files, its card and its figures."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rai_kedro.contract import Contract, permits_mitigation
from rai_kedro.modelling import sensitive_input
from rai_kedro.release.card import digest_card
from rai_kedro.release.model_files import ModelRefusedError, ReleaseFiles, load_trusted_sklearn, release_files
from rai_kedro.release.versions import (
    CARD_DIGEST_TAG,
    COMPANION_DIGEST_TAG,
    GATE_DIGEST_TAG,
    MODEL_DIGEST_TAG,
    ChangedError,
    IncompleteError,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PERFORMANCE: Final = "training.test."
FAIRNESS: Final = "training.fairness."


class Digests(NamedTuple):
    """What is approved, as SHA-256 in hex; empty if not known."""

    model: str = ""
    companion: str = ""  # over reference data and contract
    card: str = ""  # over the card's JSON
    gate: str = ""  # not examined here, since the gate is judged anew


def digests_on_tags(version: ModelVersion) -> Digests:
    """Return what training noted of a version, without looking at its files."""
    tags = (MODEL_DIGEST_TAG, COMPANION_DIGEST_TAG, CARD_DIGEST_TAG, GATE_DIGEST_TAG)
    return Digests(*(version.tags.get(tag, "") for tag in tags))


def examine(client: MlflowClient, version: ModelVersion) -> Digests:
    """Return a version's digests after checking that it is whole, as it was trained, and able to score today."""
    number, run_id = str(version.version), version.run_id or ""
    uri = client.get_model_version_download_uri(version.name, number)
    with release_files(client, uri, run_id) as files:
        _require_same(version, MODEL_DIGEST_TAG, files.model_digest, "model files")
        _require_same(version, COMPANION_DIGEST_TAG, files.companion_digest, "reference data or contract")
        _require_usable(version, files)
        _require_measured(client, version, files)
    card = digest_card(client, version.name, number, run_id)
    _require_same(version, CARD_DIGEST_TAG, card, "model card")
    return Digests(files.model_digest, files.companion_digest, card)


def _require_same(version: ModelVersion, tag: str, digest: str, noun: str) -> None:
    trained = version.tags.get(tag)
    if trained == digest:
        return
    known = f"{trained[:12]}… at training" if trained else "not on the version, so nothing can be compared"
    problem = "are not those that training stored" if trained else "cannot be compared with those of its training"
    raise ChangedError(
        f"The {noun} of version {version.version} {problem}.",
        where=f"registered model {version.name}, run {version.run_id}",
        example=f"{tag}: {known}; {digest[:12]}… now",
        remedy=f"find out who changed files or tags; train a new version with `kedro run --pipelines {version.name}`",
    )


def _require_usable(version: ModelVersion, files: ReleaseFiles) -> None:
    """Load the model as production will, and hold what it needs against the contract that travels with it."""
    where = f"registered model {version.name}, version {version.version}"
    column = sensitive_input(load_trusted_sklearn(files.model, where))
    if column is None:
        return
    try:
        stores = Contract.model_validate_json(files.contract.read_bytes()).datasets
    except ValueError as error:  # pydantic's, too
        raise _unusable(version, where, column, "the version's contract cannot be read") from error
    store, today = stores.get("feature_store"), datetime.now(UTC).date()
    if store is None or not permits_mitigation(store, column, on=today):
        held = store.columns.get(column) if store else None
        until = held.justification.until if held and held.justification else None
        ended = f"its justification ended on {until}; today is {today}"
        raise _unusable(version, where, column, ended if until else "it has no justification in the version's contract")


def _unusable(version: ModelVersion, where: str, column: str, found: str) -> ModelRefusedError:
    return ModelRefusedError(
        f"Version {version.version} of {version.name} cannot score: its mitigation needs '{column}' for every "
        "prediction, which its contract does not permit.",
        where=where,
        example=found,
        remedy=f"have '{column}' justified (by, reason, until) with 'use: mitigation' in the catalogue and train a new "
        f"version with `kedro run --pipelines {version.name}`; or let a mitigation be chosen that does not need it",
    )


def _require_measured(client: MlflowClient, version: ModelVersion, files: ReleaseFiles) -> None:
    metrics = client.get_run(version.run_id or "").data.metrics
    needed = {PERFORMANCE: "performance"}
    if _is_audited(files.contract):
        needed[FAIRNESS] = "fairness"
    missing = [noun for prefix, noun in needed.items() if not any(name.startswith(prefix) for name in metrics)]
    if missing:
        raise IncompleteError(
            f"Version {version.version} of {version.name} was trained only in part: "
            f"its run has no {' and no '.join(missing)} metrics.",
            where=f"MLflow run {version.run_id}",
            how_many=f"{len(metrics)} metrics",
            example=f"expected names that start with {', '.join(needed)}",
            remedy=f"run the whole stage with `kedro run --pipelines {version.name}` and review its version",
        )


def _is_audited(contract: Path) -> bool:
    """Say whether a column is assessed for fairness; without one there is no gap to measure."""
    content = json.loads(contract.read_text(encoding="utf-8"))
    columns = [column for held in content.get("datasets", {}).values() for column in held.get("columns", {}).values()]
    return any(column.get("use") in {"audit", "mitigation"} or column.get("flags") for column in columns)
