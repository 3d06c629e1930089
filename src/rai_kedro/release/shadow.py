"""Any registered version, to be compared with another on labelled months; nothing it says is stored as a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rai_kedro.release.decisions import Trust, find_last_decision
from rai_kedro.release.manifest import Reference, checked_files
from rai_kedro.release.model_files import load_trusted_sklearn
from rai_kedro.release.record import Entry, read_evidence
from rai_kedro.release.versions import (
    CANDIDATE,
    PRODUCTION,
    ReleaseError,
    Version,
    find_aliases,
    find_version,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The words for what an alias means where two versions compete.
_ALIASES = {"champion": PRODUCTION, "challenger": CANDIDATE, PRODUCTION: PRODUCTION, CANDIDATE: CANDIDATE}
NOT_REVIEWED = "not reviewed"


@dataclass(frozen=True)
class ShadowModel:
    """A version as it is compared: checked against its manifest, whether or not anybody approved it."""

    model: Any  # fitted scikit-learn estimator
    version: str
    review: str  # "approved", "rejected" or "not reviewed", as the evidence record has it
    run_id: str
    reference: Reference


def load_shadow(
    client: MlflowClient, use_case: str, named: str, evidence_path: str | Path, trust: Trust
) -> ShadowModel:
    """Load a version by number, or as ``champion`` (in production) or ``challenger`` (the newest candidate).

    Raises:
        ReleaseError: There is no such version.
        IncompleteError: Files of the version are missing.
        ChangedError: Its files changed after its training.
        ModelRefusedError: The model is not stored as skops, or contains types outside the reviewed list.
    """
    found = find_version(client, use_case, _find_number(client, use_case, named))
    entries = read_evidence(evidence_path)
    with checked_files(found, entries) as files:
        return ShadowModel(
            model=load_trusted_sklearn(files.model, f"registered model {use_case}, version {found.number}"),
            version=found.number,
            review=_find_review(found, entries, trust),
            run_id=found.run_id,
            reference=files.read_reference(),
        )


def _find_number(client: MlflowClient, use_case: str, named: str) -> str:
    if named not in _ALIASES:
        return named
    aliases = find_aliases(client, use_case)
    if (number := aliases.get(_ALIASES[named])) is not None:
        return number
    raise ReleaseError(
        f"There is no {named} of {use_case}: no version has the alias '{_ALIASES[named]}'.",
        where=f"registered model {use_case}",
        remedy=f"name a version by its number; `kedro rai status --use-case {use_case}` shows them",
    )


def _find_review(version: Version, entries: Sequence[Entry], trust: Trust) -> str:
    last = find_last_decision(entries, version, trust)
    return last[0].decision if last else NOT_REVIEWED
