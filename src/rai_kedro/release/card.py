"""The model card of a version: written once, attached to its run, and digested for the review."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rai_kedro.errors import RaiError
from rai_kedro.files import project_folder
from rai_kedro.release.card_pages import (
    CARD_FOLDER,
    STATUS_LINES,
    bind_pages,
    card_file,
    fetch_page,
    is_page,
    mark_page,
    read_page_digests,
)
from rai_kedro.release.store import silence_mlflow
from rai_kedro.release.versions import APPROVED, CARD_DIGEST_TAG, CARD_TAG, REJECTED, find_version

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_REVIEW_MARK: Final = "\n\nReview: "


class CardExistsError(RaiError):
    """The version has its card already."""


class CardMissingError(RaiError):
    """The version has no card that a person could have read."""


def require_no_card(name: str, version: str) -> None:
    """Refuse a second card: what is reviewed must stay what was read.

    Args:
        name: Registered model.
        version: Version number.

    Raises:
        CardExistsError: The version has a card.
    """
    from mlflow import MlflowClient

    tags = find_version(MlflowClient(), name, version).tags
    if CARD_TAG in tags:
        raise CardExistsError(
            f"Version {version} of {name} has its model card already; a card is written once.",
            where=f"registered model {name}, tag {CARD_TAG}: {tags[CARD_TAG]}",
            remedy=f"train a new version with `kedro run --pipelines {name}`: it gets a card of its own",
        )


def require_undecided(page: Path) -> None:
    """Refuse to write over a card on disk on which somebody has decided; MLflow may have forgotten its version.

    Args:
        page: The card's Markdown, which may not be there.

    Raises:
        CardExistsError: Its status line shows an approval or a rejection.
    """
    line = STATUS_LINES["md"].search(page.read_text(encoding="utf-8")) if page.is_file() else None
    if line and line.group().startswith((APPROVED, REJECTED)):
        raise CardExistsError(
            "There is a model card of another version with this number, and a decision was made on it.",
            where=str(page),
            example=line.group(),
            remedy="restore MLflow's database, in which that version is registered; or move the cards of this folder "
            "aside (keep them) if it is gone for good, and train again",
        )


def attach_card(name: str, version: str, run_id: str, title: str, files: Sequence[Path]) -> None:
    """Log the card's files to the version's run and let the version's description point to them.

    Tag ``rai.card`` comes last: a card that was cut off before it can be written again.

    Args:
        name: Registered model.
        version: Version number.
        run_id: Run that trained it.
        title: First words of the description.
        files: The card's files; the first is the one for people, one is ``model_card_v<version>.json``, into which the
            digests of the others are written.

    Raises:
        CardExistsError: The version has a card.
        ValueError: The JSON form is not among the files, or a page has no line for its status.
    """
    from mlflow import MlflowClient

    record = next((file for file in files if file.name == card_file(version)), None)
    if record is None:
        raise ValueError(f"a card's files must contain {card_file(version)}")
    require_no_card(name, version)
    bind_pages(record, [file for file in files if file != record])
    client = MlflowClient()
    # Relative to the project, so that a moved or copied project still finds its cards.
    project = project_folder()
    page = str(files[0].relative_to(project) if files[0].is_relative_to(project) else files[0])
    for file in files:
        client.log_artifact(run_id, str(file), artifact_path=CARD_FOLDER)
    description = (
        f"{title}\n\nModel card: artifact `{CARD_FOLDER}/{files[0].name}` of run `{run_id}`, and the file `{page}`."
    )
    client.update_model_version(name, version, description=description)
    client.set_model_version_tag(name, version, CARD_DIGEST_TAG, _digest(record))
    client.set_model_version_tag(name, version, CARD_TAG, page)


def digest_card(client: MlflowClient, name: str, version: str, run_id: str) -> str:
    """Return the digest of the card that is attached to a version.

    Args:
        client: MLflow client.
        name: Registered model.
        version: Version number.
        run_id: Run that trained it.

    Returns:
        SHA-256 (hex) of the artifact ``model_card/model_card_v<version>.json``.

    Raises:
        CardMissingError: Tag or artifact is not there.
    """
    from mlflow.exceptions import MlflowException

    silence_mlflow()
    if CARD_TAG not in find_version(client, name, version).tags:
        raise _card_missing(name, version, run_id, f"it has no tag {CARD_TAG}")
    artifact = f"{CARD_FOLDER}/{card_file(version)}"
    with tempfile.TemporaryDirectory(prefix="rai-card-") as folder:
        try:
            return _digest(Path(client.download_artifacts(run_id, artifact, folder)))
        except (MlflowException, OSError) as error:
            raise _card_missing(name, version, run_id, f"its run has no artifact {artifact}") from error


def mark_card(client: MlflowClient, version: ModelVersion, status: str) -> str:
    """Show a decision on the card's pages, in MLflow and on disk, and in the version's description.

    The JSON form, which is what was reviewed, stays as it was. Pages are for reading; the evidence record is what
    counts. So a page that cannot be marked stops nothing, and is named.

    Args:
        client: MLflow client.
        version: The version as MLflow gives it.
        status: Who decided what, when and why, in a line.

    Returns:
        A sentence on what could not be marked, with a line break before it; empty if all was.
    """
    from mlflow.exceptions import MlflowException

    silence_mlflow()
    number, unmarked = str(version.version), []
    description = (version.description or "").partition(_REVIEW_MARK)[0]
    client.update_model_version(version.name, number, description=f"{description}{_REVIEW_MARK}{status}")
    digests = read_page_digests(client, version) or {}
    for name in [card_file(number, ending) for ending in STATUS_LINES]:
        try:
            local = project_folder() / Path(version.tags.get(CARD_TAG, "")).with_name(name)
            with tempfile.TemporaryDirectory(prefix="rai-card-") as folder:
                page = _find_whole_page(client, version, local, digests.get(name), Path(folder))
                mark_page(page, status)
                client.log_artifact(version.run_id or "", str(page), artifact_path=CARD_FOLDER)
            if local.is_file():
                mark_page(local, status)
        except (MlflowException, OSError, ValueError):
            unmarked.append(name)
    return f"\nThe decision could not be shown in {' and '.join(unmarked)}; it is on record." if unmarked else ""


def _find_whole_page(
    client: MlflowClient, version: ModelVersion, local: Path, digest: str | None, folder: Path
) -> Path:
    """Return a copy of the page in MLflow; of the one on disk where a mark that was cut off left only that whole."""
    page = fetch_page(client, version, local.name, folder)
    if (page is None or not is_page(page, digest)) and is_page(local, digest):
        return Path(shutil.copy(local, folder / local.name))
    if page is None:
        raise FileNotFoundError(local.name)
    return page


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _record_name(version: str) -> str:
    return f"model_card_v{version}.json"


def _card_missing(name: str, version: str, run_id: str, found: str) -> CardMissingError:
    return CardMissingError(
        f"Version {version} of {name} has no model card, so nobody can have read it.",
        where=f"registered model {name}, run {run_id}",
        example=found,
        remedy=f"restore the run's artifacts; or train a new version with `kedro run --pipelines {name}`, "
        "the whole stage, and have that one reviewed",
    )
